"""One terminal: its shell, its latest output, and the browser windows that show it.

All methods run in the lab's event loop; a shell is started and ended in a thread. Flow control: output is not read from
the shell while all windows are too far behind, or while it exceeds its rate limit. Meanwhile, programs that print are
blocked.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from dashboard.core.terminal import limits
from dashboard.core.terminal.scrollback import Scrollback
from dashboard.core.token_bucket import TokenBucket
from dashboard.engine.hosts.shell import HostShell

READ_BYTES = 4096
READS_PER_EVENT = 4


@dataclass(slots=True)
class Window:
    """A browser window that shows the terminal. ``read_to`` is the offset up to which it has read the output.
    ``requested_at`` is the time at which it last requested output, in seconds by the loop's clock."""

    size: tuple[int, int]
    step: str = ""
    read_to: int = 0
    requested_at: float = 0.0


@dataclass(eq=False, slots=True)
class Terminal:
    """The terminal of one participant. ``on_output`` is called with new output, and ``on_exit`` when the shell has
    ended.

    ``run`` identifies the shell. ``ended`` is the reason why no shell runs, empty while one runs. ``can_restart`` is
    true if participants can start a new shell. ``change`` counts the changes that windows must show, except output; for
    example, a new size. ``step`` is the workshop step in which the latest input was typed.
    """

    owner: limits.TerminalOwner
    on_output: Callable[[bytes], None]
    on_exit: Callable[[], None]
    windows: dict[str, Window] = field(default_factory=dict)
    run: str = ""
    shell: HostShell | None = None
    scrollback: Scrollback = field(default_factory=lambda: Scrollback(limits.SCROLLBACK_BYTES))
    ended: str = "The shell has not been started yet."
    can_restart: bool = True
    change: int = 0
    step: str = ""
    typed_at: float = 0.0
    seen_at: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _output_rate: TokenBucket = field(default_factory=lambda: TokenBucket.full(limits.PRINTED))
    _reading: bool = False
    _resume_timer: asyncio.TimerHandle | None = None
    _write_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _writable: asyncio.Future[None] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """The largest size that fits into all windows, in columns and rows."""
        return limits.common_size([window.size for window in self.windows.values()])

    def _wake_readers(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _count_change(self) -> None:
        self.change += 1
        self._wake_readers()

    # The shell.

    def begin(self, shell: HostShell) -> None:
        """Starts reading the output of a new shell."""
        self.shell, self.run, self.ended, self.can_restart = shell, secrets.token_hex(4), "", True
        self.scrollback, self._output_rate = Scrollback(limits.SCROLLBACK_BYTES), TokenBucket.full(limits.PRINTED)
        for window in self.windows.values():
            window.read_to = 0
        self._resume()
        self._count_change()

    async def finish(
        self,
        reason: str = "",
        *,
        can_restart: bool = True,
        describe: Callable[[int | None], Awaitable[str]] | None = None,
    ) -> None:
        """Ends the shell if it runs. Participants see ``reason``. If it is empty, they see the sentence that
        ``describe`` returns for the shell's exit status. ``can_restart`` is true if participants may start a new
        shell."""
        shell = self.shell
        if shell is None:
            if reason:
                self.ended, self.can_restart = reason, can_restart
                self._count_change()
            return
        loop = asyncio.get_running_loop()
        self._pause()
        loop.remove_writer(shell.fd)
        self.shell = None
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        status = await asyncio.shield(loop.run_in_executor(None, shell.end))
        if not reason:
            reason = await describe(status) if describe is not None else limits.describe_exit(status)
        self.ended, self.can_restart = reason, can_restart
        self._count_change()

    def _cancel_timer(self) -> None:
        if self._resume_timer is not None:
            self._resume_timer.cancel()
            self._resume_timer = None

    def _resume(self) -> None:
        self._cancel_timer()
        if self.shell is not None and not self._reading:
            self._reading = True
            asyncio.get_running_loop().add_reader(self.shell.fd, self._on_readable)

    def _pause(self) -> None:
        self._cancel_timer()
        if self._reading and self.shell is not None:
            asyncio.get_running_loop().remove_reader(self.shell.fd)
        self._reading = False

    def _is_ahead(self) -> bool:
        """Returns whether the output is too far ahead of all windows. If no window is open, returns False: the
        scrollback then drops old output instead."""
        if not self.windows:
            return False
        return self.scrollback.end - max(window.read_to for window in self.windows.values()) > limits.WINDOW_BYTES

    def _resume_if_read(self) -> None:
        if not self._reading and self._resume_timer is None and not self._is_ahead():
            self._resume()

    def _on_readable(self) -> None:
        shell, loop = self.shell, asyncio.get_running_loop()
        if shell is None:
            return
        for _ in range(READS_PER_EVENT):
            data = shell.read(READ_BYTES)
            if data is None:
                return
            if not data:
                self._pause()
                self.on_exit()
                return
            self.scrollback.append(data)
            self.on_output(data)
            self._wake_readers()
            wait_s = self._output_rate.take(len(data), loop.time())
            if self._is_ahead():
                self._pause()
                return
            if wait_s > 0:
                self._pause()
                self._resume_timer = loop.call_later(wait_s, self._resume)
                return

    # The windows.

    def open_window(self, key: str, cols: int, rows: int, step: str) -> None:
        """Adds the window ``key`` and adapts the size of the terminal. ``step`` is the workshop step that the window
        shows."""
        self.windows[key] = Window(limits.clamp_size(cols, rows), step, requested_at=asyncio.get_running_loop().time())
        self.step = step
        self.fit()

    def close_window(self, key: str, now: float) -> None:
        """Removes the window ``key``, if it is open. ``now`` is in seconds since the epoch."""
        if self.windows.pop(key, None) is not None:
            self.seen_at = now
            self.fit()
            self._resume_if_read()

    def close_lost(self, now: float) -> None:
        """Removes windows that no longer request output, because the web process that served them was killed. ``now``
        is in seconds since the epoch."""
        loop_time = asyncio.get_running_loop().time()
        for key in [key for key, window in self.windows.items() if loop_time - window.requested_at > limits.LOST_S]:
            self.close_window(key, now)

    def fit(self) -> None:
        """Sets the size of the shell's terminal to ``size``, and wakes the windows that wait for output, so that they
        show the new size."""
        if self.windows and self.shell is not None:
            self.shell.resize(*self.size)
        self._count_change()

    async def read_from(self, key: str, run: str, offset: int, change: int, wait_s: float) -> limits.OutputChunk:
        """Returns the output of the shell ``run`` after ``offset``, for the window ``key``. If another shell runs now,
        returns its output from the start of the scrollback.

        If there is no new output, waits for it up to ``wait_s`` seconds. Returns earlier if another shell starts, or if
        the counter of other changes (``Terminal.change``) differs from ``change``.
        """
        if key in self.windows:
            self.windows[key].requested_at = asyncio.get_running_loop().time()
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                while self.run == run and self.change == change and self.scrollback.end <= offset:
                    await self._changed.wait()
        begin, data = self.scrollback.read(offset if self.run == run else 0, limits.CHUNK_BYTES)
        window = self.windows.get(key)
        if window is not None:
            window.read_to = begin + len(data)
            self._resume_if_read()
        end = self.scrollback.end
        return limits.OutputChunk(self.run, begin, data, end, *self.size, self.change, self.ended, self.can_restart)

    # Input.

    async def write(self, data: bytes) -> None:
        """Sends input to the shell. Returns when the shell has read all of it or has ended."""
        async with self._write_lock:
            run = self.run
            while data and self.shell is not None and self.run == run:
                try:
                    taken = self.shell.write(data)
                except OSError:
                    return
                data = data[taken:]
                if data and not taken:
                    await self._wait_until_writable(self.shell)

    async def _wait_until_writable(self, shell: HostShell) -> None:
        loop = asyncio.get_running_loop()
        self._writable = loop.create_future()
        ready, fd = self._writable, shell.fd

        def on_writable() -> None:
            if not ready.done():
                ready.set_result(None)

        loop.add_writer(fd, on_writable)
        try:
            await ready
        finally:
            self._writable = None
            if shell is self.shell:
                loop.remove_writer(fd)

    def interrupt(self) -> None:
        """Sends Ctrl-C to the shell."""
        if self.shell is not None:
            self.shell.interrupt()
