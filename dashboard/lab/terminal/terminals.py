"""The terminals of a class: one for each participant, on its group's private host, whatever many windows show it.

Everything that is asked takes and returns plain values and is asked in the lab's loop. A terminal ends with its host,
its session and its participant, and where nobody looks or types.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from pathlib import Path

from dashboard.core.terminal.ansi_text import size_mark
from dashboard.core.terminal.limits import (
    NOWHERE,
    SHELLS_MOST,
    TABS_MOST,
    Piece,
    Place,
    TerminalError,
    end_words,
    held,
    why_ends,
)
from dashboard.engine.hosts.cleanup import kill
from dashboard.engine.hosts.limits import processes
from dashboard.engine.hosts.registry import PrivateHost, class_hosts
from dashboard.engine.hosts.shell import HostShellError, open_shell
from dashboard.lab.context import Context
from dashboard.lab.terminal.process_names import Names
from dashboard.lab.terminal.shell import Terminal
from dashboard.lab.training.group_labs import HostAwayError
from dashboard.lab.training.hosts import ClassHosts
from dashboard.store.training import terminal_recordings
from dashboard.store.training.terminal_recordings import Recorder

log = logging.getLogger(__name__)
SWEEP_S = 2.0
TOGETHER_S = 5.0
FULL = "All terminals that this server holds are open. Wait until one is closed."
GREETING = (
    "You are root on your own Docker host. docker, curl, ip, ss and netstat are here; exit ends the shell.\n"
    "It is a classroom boundary, not a security boundary."
)
RECORDED = "What this terminal shows is recorded: your instructor can read it."


class Terminals:
    """All terminals of this lab."""

    def __init__(self, context: Context, hosts: ClassHosts) -> None:
        self._context = context
        self._hosts = hosts
        self._terminals: dict[str, Terminal] = {}
        self._names: dict[str, Names] = {}
        self._host_of: dict[str, PrivateHost] = {}
        self._recorder = Recorder(context.database, context.clock)
        self._tasks: set[asyncio.Task[None]] = set()
        self._sweeping: asyncio.Task[None] | None = None

    @property
    def running(self) -> int:
        """How many shells run."""
        return sum(1 for one in self._terminals.values() if one.shell is not None)

    async def open(self) -> None:
        """Ends what an earlier server has left at the terminals of hosts that outlived it."""

        def end() -> None:
            for host in class_hosts(self._context.data_dir):
                kill(processes(host.name, "containers/shell"))

        await asyncio.to_thread(end)

    # What the web side asks.

    async def attach(self, place: Place, tab: str, cols: int, rows: int) -> Piece:
        """A window shows the terminal of a participant from now on; a shell is started if there never was one. TerminalError
        if the participant has too many windows."""
        found = self._terminals.get(place.participant)
        if found is None:
            found = self._terminals[place.participant] = self._made(place)
        if tab not in found.tabs and len(found.tabs) >= TABS_MOST:
            raise TerminalError(f"Your terminal is open in {TABS_MOST} windows already: close one.")
        found.place = place
        found.add(tab, cols, rows, place.step)
        if self._sweeping is None or self._sweeping.done():
            self._sweeping = asyncio.get_running_loop().create_task(self._sweep(), name="terminals")
        if not found.run:
            await self._start(found)
        return await found.read_from(tab, found.run, found.back.end, found.change, 0.0)

    async def start(self, participant: str) -> None:
        """A new shell, if the last one has ended."""
        found = self._terminals.get(participant)
        if found is not None and found.again:
            await self._start(found)

    async def read_from(self, participant: str, tab: str, run: str, offset: int, change: int, wait_s: float) -> Piece:
        """What follows this byte of what the shell ``run`` has printed, or what is new besides; waits for it."""
        found = self._terminals.get(participant)
        return NOWHERE if found is None else await found.read_from(tab, run, offset, change, wait_s)

    async def write(self, participant: str, tab: str, data: bytes) -> None:
        """Types it; returns once the shell has taken it."""
        found = self._terminals.get(participant)
        if found is not None:
            self._used(found, tab)
            await found.write(data)

    async def interrupt(self, participant: str, tab: str) -> None:
        """Ctrl-C."""
        found = self._terminals.get(participant)
        if found is not None:
            self._used(found, tab)
            found.interrupt()

    async def resize(self, participant: str, tab: str, cols: int, rows: int) -> None:
        """A window has another size."""
        found = self._terminals.get(participant)
        if found is not None and tab in found.tabs:
            found.tabs[tab].size = held(cols, rows)
            found.fit()

    async def detach(self, participant: str, tab: str) -> None:
        """A window is closed; the shell goes on for a while."""
        found = self._terminals.get(participant)
        if found is not None:
            found.drop(tab, self._context.clock())

    async def end(self, participant: str, reason: str, *, again: bool = False) -> None:
        """Ends the participant's shell."""
        found = self._terminals.get(participant)
        if found is not None:
            async with found.lock:
                await found.finish(reason, again=again)

    async def close(self) -> None:
        """Ends all of them."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.gather(self._sweeping, return_exceptions=True)
        await asyncio.gather(
            *(self.end(participant, "The server was stopped.") for participant in list(self._terminals))
        )
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for participant in list(self._names):
            await self._forget_names(participant)
        await self._recorder.close()
        self._terminals.clear()

    # From here on: acting.

    def _made(self, place: Place) -> Terminal:
        marked: tuple[str, tuple[int, int]] | None = None

        def printed(data: bytes) -> None:
            nonlocal marked
            if found.place.record:
                mark = found.step, found.size
                changed, marked = mark != marked, mark
                self._recorder.add(place.participant, found.step, size_mark(*found.size) + data if changed else data)

        def over() -> None:
            task = asyncio.get_running_loop().create_task(self._over(found), name="terminal-over")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        found = Terminal(place, printed, over)
        found.typed_at = found.seen_at = self._context.clock()
        return found

    def _used(self, found: Terminal, tab: str) -> None:
        found.typed_at = self._context.clock()
        if tab in found.tabs:
            found.step = found.tabs[tab].step
        self._hosts.touch(found.place.group)

    async def _start(self, found: Terminal) -> None:
        async with found.lock:
            if found.shell is not None:
                return
            if self.running >= SHELLS_MOST:
                await found.finish(FULL)
                return
            try:
                host = await self._hosts.private_host_of(found.place.group)
                names = await self._open_names(found.place.participant, host)
                greeting = f"{GREETING}\n{RECORDED}" if found.place.record else GREETING
                shell = await asyncio.to_thread(
                    open_shell, host, *found.size, greeting=greeting, names=names, hidden=self._context.data_dir
                )
            except (HostAwayError, HostShellError) as error:
                await found.finish(str(error))
                return
            if self._terminals.get(found.place.participant) is not found:  # it was closed meanwhile
                await asyncio.to_thread(shell.end)
                return
            self._host_of[found.place.participant] = host
            found.typed_at = self._context.clock()
            found.begin(shell)

    async def _open_names(self, participant: str, host: PrivateHost) -> Path | None:
        await self._forget_names(participant)
        names = Names(host)
        try:
            self._names[participant] = names
            return await names.open()
        except OSError as error:
            log.warning("netstat and ss of a terminal on %s name no processes: %s", host.id, error)
            return None

    async def _forget_names(self, participant: str) -> None:
        names = self._names.pop(participant, None)
        if names is not None:
            await names.close()

    async def _over(self, found: Terminal) -> None:
        """A shell has ended by itself, or with its host."""
        async with found.lock:
            await found.finish(why=partial(self._why, self._host_of.get(found.place.participant)))
        await self._forget_names(found.place.participant)

    async def _why(self, host: PrivateHost | None, status: int | None) -> str:
        """How a shell has ended: what is killed with a host may be gone a moment before its engine is."""
        end = asyncio.get_running_loop().time() + TOGETHER_S
        while status is None and host is not None and asyncio.get_running_loop().time() < end:
            if not host.is_running():
                return "Your private host was stopped, and your shell with it."
            await asyncio.sleep(0.05)
        return end_words(status)

    async def _sweep(self) -> None:
        while self._terminals:
            await asyncio.sleep(SWEEP_S)
            try:
                await self._look()
            except Exception:
                log.exception("terminals could not be looked at; the next look tries again")

    async def _look(self) -> None:
        """Ends what is over: by the database, which knows of participants and sessions, and by the clock."""
        now, there = self._context.clock(), self._terminals
        over = await self._context.database.run(terminal_recordings.why_over, tuple(there), now)
        for participant, found in list(there.items()):
            found.drop_lost(now)
            idle = why_ends(tabs=len(found.tabs), seen_at=found.seen_at, typed_at=found.typed_at, now=now)
            if participant in over:
                await self.end(participant, over[participant])
            elif idle and found.shell is not None:
                await self.end(participant, idle, again=True)
            if found.shell is None and not found.tabs and (participant in over or idle):
                await self._forget_names(participant)
                self._host_of.pop(participant, None)
                del there[participant]
