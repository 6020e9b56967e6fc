"""One terminal: a shell that comes and goes, what it has printed, and the windows that show it.

Everything runs in the lab's loop; a shell is started and ended in a thread. Nobody is waited for: while no window keeps
up, or more is printed than anybody can read, nothing is read from the shell, and so the program waits that prints it.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from dashboard.core.terminal.limits import (
    LOST_S,
    PIECE_BYTES,
    PRINTED,
    SCROLLBACK_BYTES,
    WINDOW_BYTES,
    Bucket,
    Piece,
    Place,
    agreed,
    end_words,
    held,
)
from dashboard.core.terminal.scrollback import Scrollback
from dashboard.engine.hosts.shell import HostShell

READ_BYTES = 4096
READS = 4


@dataclass(slots=True)
class Tab:
    """One window. ``read_to`` is up to where it has asked for the output of ``run``; ``asked_at`` when it last did, by
    the loop's clock."""

    size: tuple[int, int]
    step: str = ""
    read_to: int = 0
    asked_at: float = 0.0


@dataclass(eq=False, slots=True)
class Terminal:
    """The terminal of one participant. ``printed`` is called with what is shown, ``over`` once a shell has ended."""

    place: Place
    printed: Callable[[bytes], None]
    over: Callable[[], None]
    tabs: dict[str, Tab] = field(default_factory=dict)
    run: str = ""
    shell: HostShell | None = None
    back: Scrollback = field(default_factory=lambda: Scrollback(SCROLLBACK_BYTES))
    ended: str = "It has not been started yet."
    again: bool = True
    change: int = 0
    step: str = ""
    typed_at: float = 0.0
    seen_at: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _rate: Bucket = field(default_factory=lambda: Bucket(PRINTED))
    _reading: bool = False
    _later: asyncio.TimerHandle | None = None
    _writing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _writable: asyncio.Future[None] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """The size on which all windows have agreed."""
        return agreed([tab.size for tab in self.tabs.values()])

    def tell(self) -> None:
        """Something is new: whoever waits looks."""
        self._news.set()
        self._news = asyncio.Event()

    def changed(self) -> None:
        """Something is new that is not output."""
        self.change += 1
        self.tell()

    # The shell.

    def begin(self, shell: HostShell) -> None:
        """A shell is there: it is read from now on."""
        self.shell, self.run, self.ended, self.again = shell, secrets.token_hex(4), "", True
        self.back, self._rate = Scrollback(SCROLLBACK_BYTES), Bucket(PRINTED)
        for tab in self.tabs.values():
            tab.read_to = 0
        self._resume()
        self.changed()

    async def finish(
        self, reason: str = "", *, again: bool = True, why: Callable[[int | None], Awaitable[str]] | None = None
    ) -> None:
        """The shell is ended, if it runs. ``reason`` is what people are told; where it is empty, what ``why`` makes of
        the exit status."""
        shell = self.shell
        if shell is None:
            if reason and (reason != self.ended or again != self.again):
                self.ended, self.again = reason, again
                self.changed()
            return
        self._pause()
        asyncio.get_running_loop().remove_writer(shell.fd)
        self.shell = None
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        status = await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, shell.end))
        if not reason:
            reason = await why(status) if why is not None else end_words(status)
        self.ended, self.again = reason, again
        self.changed()

    def _resume(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None
        if self.shell is not None and not self._reading:
            self._reading = True
            asyncio.get_running_loop().add_reader(self.shell.fd, self._readable)

    def _pause(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None
        if self._reading and self.shell is not None:
            asyncio.get_running_loop().remove_reader(self.shell.fd)
        self._reading = False

    def _is_ahead(self) -> bool:
        """Whether no window keeps up; where there is none, what is kept moves on."""
        return bool(self.tabs) and self.back.end - max(tab.read_to for tab in self.tabs.values()) > WINDOW_BYTES

    def _readable(self) -> None:
        shell, loop = self.shell, asyncio.get_running_loop()
        if shell is None:
            return
        for _ in range(READS):
            data = shell.read(READ_BYTES)
            if data is None:
                return
            if not data:
                self._pause()
                self.over()
                return
            self.back.append(data)
            self.printed(data)
            self.tell()
            wait_s = self._rate.take(len(data), loop.time())
            if self._is_ahead():
                self._pause()
                return
            if wait_s > 0:
                self._pause()
                self._later = loop.call_later(wait_s, self._resume)
                return

    # The windows.

    def add(self, tab: str, cols: int, rows: int, step: str) -> None:
        """A window is opened."""
        self.tabs[tab] = Tab(held(cols, rows), step, asked_at=asyncio.get_running_loop().time())
        self.step = step
        self.fit()

    def drop(self, tab: str, now: float) -> None:
        """It is closed."""
        if self.tabs.pop(tab, None) is not None:
            self.seen_at = now
            self.fit()
            if not self._is_ahead() and self._later is None:
                self._resume()

    def drop_lost(self, now: float) -> None:
        """Windows that do not ask any more are closed: the process of pages that had them was killed."""
        moment = asyncio.get_running_loop().time()
        for tab in [key for key, one in self.tabs.items() if moment - one.asked_at > LOST_S]:
            self.drop(tab, now)

    def fit(self) -> None:
        """The shell gets the size of its windows."""
        if self.tabs and self.shell is not None:
            self.shell.resize(*self.size)
        self.changed()

    async def read_from(self, tab: str, run: str, offset: int, change: int, wait_s: float) -> Piece:
        """What follows, as soon as there is something that this window does not know; with no data once ``wait_s`` are
        over."""
        if tab in self.tabs:
            self.tabs[tab].asked_at = asyncio.get_running_loop().time()
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                while self.run == run and self.change == change and self.back.end <= offset:
                    await self._news.wait()
        begin, data = self.back.read(offset if self.run == run else 0, PIECE_BYTES)
        window = self.tabs.get(tab)
        if window is not None:
            window.read_to = begin + len(data)
            if not self._reading and self._later is None and not self._is_ahead():
                self._resume()
        return Piece(self.run, begin, data, self.back.end, *self.size, self.change, self.ended, self.again)

    # What is typed.

    async def write(self, data: bytes) -> None:
        """Types it; returns once the shell has taken everything, or is gone."""
        async with self._writing:
            run = self.run
            while data and self.shell is not None and self.run == run:
                try:
                    taken = self.shell.write(data)
                except OSError:
                    return
                data = data[taken:]
                if data and not taken:
                    await self._until_writable(self.shell)

    async def _until_writable(self, shell: HostShell) -> None:
        loop = asyncio.get_running_loop()
        self._writable = loop.create_future()
        ready, fd = self._writable, shell.fd

        def can() -> None:
            if not ready.done():
                ready.set_result(None)

        loop.add_writer(fd, can)
        try:
            await ready
        finally:
            self._writable = None
            if shell is self.shell:
                loop.remove_writer(fd)

    def interrupt(self) -> None:
        """Ctrl-C."""
        if self.shell is not None:
            self.shell.interrupt()
