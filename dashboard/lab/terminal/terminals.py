"""The terminals of participants. Each participant has one terminal, on the private host of the group. It can be shown
in several windows.

Web processes call some of the methods remotely (``lab.remote.rpc``), so msgspec must be able to encode the arguments
and results of these methods. All methods run in the lab's event loop. A terminal ends with its host, its session or its
participant, or when it is idle.
"""

import asyncio
import logging
from functools import partial
from pathlib import Path

from dashboard.core.terminal import limits
from dashboard.core.terminal.ansi_text import size_mark
from dashboard.engine.hosts.cleanup import kill
from dashboard.engine.hosts.limits import processes
from dashboard.engine.hosts.registry import PrivateHost, group_hosts
from dashboard.engine.hosts.shell import HostShellError, open_shell
from dashboard.lab.context import Context
from dashboard.lab.terminal.process_names import SocketToolServer
from dashboard.lab.terminal.shell import Terminal
from dashboard.lab.training.group_labs import HostUnavailableError
from dashboard.lab.training.hosts import GroupHosts
from dashboard.store.training import terminal_recordings
from dashboard.store.training.terminal_recordings import Recorder

log = logging.getLogger(__name__)
SWEEP_S = 2.0
#: Seconds within which the host of a killed shell may turn out to be stopped as well.
HOST_STOP_S = 5.0
FULL = "This server has no free terminals. Wait until one is closed."
GREETING = "You are root on your own Docker host. docker, curl, ip, ss and netstat are available; exit ends the shell."
RECORDED = "The output of this terminal is recorded: your instructor can read it."


class Terminals:
    """The terminals of this lab, by participant."""

    def __init__(self, context: Context, hosts: GroupHosts) -> None:
        self._context = context
        self._hosts = hosts
        self._terminals: dict[str, Terminal] = {}
        self._socket_tools: dict[str, SocketToolServer] = {}
        self._host_of: dict[str, PrivateHost] = {}
        self._recorder = Recorder(context.database, context.clock)
        self._tasks: set[asyncio.Task[None]] = set()
        self._sweeping: asyncio.Task[None] | None = None

    @property
    def running(self) -> int:
        """The number of shells that run."""
        return sum(terminal.shell is not None for terminal in self._terminals.values())

    async def open(self) -> None:
        """Ends shells that an earlier server has left running on hosts."""

        def end() -> None:
            for host in group_hosts(self._context.data_dir):
                kill(processes(host.name, "containers/shell"))

        await asyncio.to_thread(end)

    # Requests of the web processes.

    async def attach(self, owner: limits.TerminalOwner, window: str, cols: int, rows: int) -> limits.OutputChunk:
        """Opens a window of a participant's terminal, and starts a shell if the terminal never had one. Returns the
        current state of the terminal without output. Raises TerminalError if the participant has too many windows."""
        terminal = self._terminals.get(owner.participant)
        if terminal is None:
            terminal = self._terminals[owner.participant] = self._create(owner)
        if window not in terminal.windows and len(terminal.windows) >= limits.MAX_WINDOWS:
            raise limits.TerminalError(
                f"Your terminal is already open in {limits.MAX_WINDOWS} windows. Close one of them."
            )
        terminal.owner = owner
        terminal.open_window(window, cols, rows, owner.step)
        if self._sweeping is None or self._sweeping.done():
            self._sweeping = asyncio.get_running_loop().create_task(self._sweep(), name="terminals")
        if not terminal.run:
            await self._start(terminal)
        return await terminal.read_from(window, terminal.run, terminal.scrollback.end, terminal.change, 0.0)

    async def start(self, participant: str) -> None:
        """Starts a new shell for a participant if the earlier shell has ended and the participant may start another."""
        terminal = self._terminals.get(participant)
        if terminal is not None and terminal.can_restart:
            await self._start(terminal)

    async def read_from(
        self, participant: str, window: str, run: str, offset: int, change: int, wait_s: float
    ) -> limits.OutputChunk:
        """Returns the output of a participant's terminal, and waits for it if necessary; see ``Terminal.read_from``.
        Returns ``NO_TERMINAL`` if the participant has no terminal."""
        terminal = self._terminals.get(participant)
        return limits.NO_TERMINAL if terminal is None else await terminal.read_from(window, run, offset, change, wait_s)

    async def write(self, participant: str, window: str, data: bytes) -> None:
        """Sends input that was typed in a window to the shell of a participant. Returns when the shell has read it."""
        if (terminal := self._terminals.get(participant)) is not None:
            self._note_input(terminal, window)
            await terminal.write(data)

    async def interrupt(self, participant: str, window: str) -> None:
        """Sends Ctrl-C, which was typed in a window, to the shell of a participant."""
        if (terminal := self._terminals.get(participant)) is not None:
            self._note_input(terminal, window)
            terminal.interrupt()

    async def resize(self, participant: str, window: str, cols: int, rows: int) -> None:
        """Changes the size of a window, and of the terminal if necessary."""
        terminal = self._terminals.get(participant)
        if terminal is not None and window in terminal.windows:
            terminal.windows[window].size = limits.clamp_size(cols, rows)
            terminal.fit()

    async def detach(self, participant: str, window: str) -> None:
        """Closes a window. After the last window is closed, the shell runs for ``DETACHED_S`` more seconds."""
        if (terminal := self._terminals.get(participant)) is not None:
            terminal.close_window(window, self._context.clock())

    async def end(self, participant: str, reason: str, *, can_restart: bool = False) -> None:
        """Ends a participant's shell. Its windows show ``reason``. ``can_restart``: whether the participant may start a
        new shell."""
        if (terminal := self._terminals.get(participant)) is not None:
            async with terminal.lock:
                await terminal.finish(reason, can_restart=can_restart)

    async def close(self) -> None:
        """Ends all shells."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.gather(self._sweeping, return_exceptions=True)
        await asyncio.gather(*(self.end(key, "The server was stopped.") for key in list(self._terminals)))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for participant in list(self._socket_tools):
            await self._close_socket_tools(participant)
        await self._recorder.close()
        self._terminals.clear()

    # Shells.

    def _create(self, owner: limits.TerminalOwner) -> Terminal:
        marked: tuple[str, tuple[int, int]] | None = None

        def on_output(data: bytes) -> None:
            nonlocal marked
            if terminal.owner.record:
                mark = terminal.step, terminal.size
                changed, marked = mark != marked, mark
                recorded = size_mark(*terminal.size) + data if changed else data
                self._recorder.add(owner.participant, terminal.step, recorded)

        def on_exit() -> None:
            task = asyncio.get_running_loop().create_task(self._on_exit(terminal), name="terminal-exit")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        terminal = Terminal(owner, on_output, on_exit)
        terminal.typed_at = terminal.seen_at = self._context.clock()
        return terminal

    def _note_input(self, terminal: Terminal, window: str) -> None:
        terminal.typed_at = self._context.clock()
        if window in terminal.windows:
            terminal.step = terminal.windows[window].step
        self._hosts.touch(terminal.owner.group)

    async def _start(self, terminal: Terminal) -> None:
        owner = terminal.owner
        async with terminal.lock:
            if terminal.shell is not None:
                return
            if self.running >= limits.MAX_SHELLS:
                await terminal.finish(FULL)
                return
            try:
                host = await self._hosts.private_host_of(owner.group)
                names = await self._open_socket_tools(owner.participant, host)
                greeting = f"{GREETING}\n{RECORDED}" if owner.record else GREETING
                shell = await asyncio.to_thread(
                    open_shell, host, *terminal.size, greeting=greeting, names=names, hidden=self._context.data_dir
                )
            except (HostUnavailableError, HostShellError) as error:
                await terminal.finish(str(error))
                return
            if self._terminals.get(owner.participant) is not terminal:  # the terminal was closed meanwhile
                await asyncio.to_thread(shell.end)
                return
            self._host_of[owner.participant] = host
            terminal.typed_at = self._context.clock()
            terminal.begin(shell)

    async def _open_socket_tools(self, participant: str, host: PrivateHost) -> Path | None:
        await self._close_socket_tools(participant)
        server = self._socket_tools[participant] = SocketToolServer(host)
        try:
            return await server.open()
        except OSError as error:
            log.warning("netstat and ss in a terminal on %s cannot name processes: %s", host.id, error)
            return None

    async def _close_socket_tools(self, participant: str) -> None:
        if (server := self._socket_tools.pop(participant, None)) is not None:
            await server.close()

    async def _on_exit(self, terminal: Terminal) -> None:
        participant = terminal.owner.participant
        async with terminal.lock:
            await terminal.finish(describe=partial(self._describe_exit, self._host_of.get(participant)))
        await self._close_socket_tools(participant)

    async def _describe_exit(self, host: PrivateHost | None, status: int | None) -> str:
        """Returns a sentence about how a shell has ended. ``status`` is None if the shell was killed. In this case,
        waits up to ``HOST_STOP_S`` seconds to find out whether its host was stopped: the host's engine may end a moment
        after the shell."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + HOST_STOP_S
        while status is None and host is not None and loop.time() < deadline:
            if not host.is_running():
                return "The shell ended because your private host was stopped."
            await asyncio.sleep(0.05)
        return limits.describe_exit(status)

    async def _sweep(self) -> None:
        while self._terminals:
            await asyncio.sleep(SWEEP_S)
            try:
                await self._end_refused_and_idle()
            except Exception:
                log.exception("terminals could not be checked; the next check tries again")

    async def _end_refused_and_idle(self) -> None:
        """Ends idle shells, and shells of participants who may no longer have a terminal. Also removes lost windows
        (``Terminal.close_lost``), and ended terminals that no window shows."""
        now = self._context.clock()
        refused = await self._context.database.run(terminal_recordings.refusals, tuple(self._terminals), now)
        for participant, terminal in list(self._terminals.items()):
            terminal.close_lost(now)
            idle = limits.end_reason(
                windows=len(terminal.windows), seen_at=terminal.seen_at, typed_at=terminal.typed_at, now=now
            )
            if participant in refused:
                await self.end(participant, refused[participant])
            elif idle and terminal.shell is not None:
                await self.end(participant, idle, can_restart=True)
            if terminal.shell is None and not terminal.windows and (participant in refused or idle):
                await self._close_socket_tools(participant)
                self._host_of.pop(participant, None)
                del self._terminals[participant]
