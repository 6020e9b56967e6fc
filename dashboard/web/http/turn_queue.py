"""The queue of requests from one address: which of them are computed, and which wait."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass

#: Seconds after which a request is late: it may wait, for example for the database.
TURN_S = 0.25
#: How long requests of an address that arrive one after the other delay those that have arrived.
MAX_ARRIVALS_S = 1.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How many requests are handled at once. Each has a thread, and threads of Python compute one at a time: the event
    loop gets as much of that time as each of them.

    ``turns``: requests that are computed. ``late``: additional ones, if others take longer than ``TURN_S``. ``calls``:
    calls to labs, during which a request is not computed. ``unanswered``: all requests, including waiting ones; further
    ones are refused.
    """

    turns: int
    late: int
    calls: int
    unanswered: int


ADDRESS = Limits(turns=4, late=12, calls=32, unanswered=1536)
#: For the requests of an address with the same session cookie, or without one: the others of a class get the rest.
COOKIE = Limits(turns=2, late=6, calls=16, unanswered=1024)


class Group:
    """The requests of an address, or its requests with the same session cookie."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.unanswered = 0
        #: Requests that are computed, and those of them that are late.
        self.begun = self.late = 0
        self.calls = asyncio.Semaphore(limits.calls)
        #: Those that wait for their turn.
        self.waiting = OrderedDict["Turn", None]()

    @property
    def is_full(self) -> bool:
        """Whether the next request is refused."""
        return self.unanswered >= self._limits.unanswered

    @property
    def has_place(self) -> bool:
        """Whether the next request may be computed."""
        return self.begun - min(self.late, self._limits.late) < self._limits.turns


class Address(Group):
    """The requests of an address."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self.by_cookie = OrderedDict[str, Group]()
        #: Whether a request has arrived since the loop's last pass.
        self.has_arrived = False
        self._passing: asyncio.Handle | None = None
        self._passing_since = 0.0

    def begin_waiting(self) -> None:
        """Begins waiting requests once an iteration of the event loop has brought no new one: computing threads would
        delay the loop while it accepts connections."""
        if self._passing is None:
            loop = asyncio.get_running_loop()
            self._passing_since = loop.time()
            self._passing = loop.call_soon(self._pass, loop)

    def _pass(self, loop: asyncio.AbstractEventLoop) -> None:
        if self.has_arrived and loop.time() < self._passing_since + MAX_ARRIVALS_S:
            self.has_arrived = False
            self._passing = loop.call_soon(self._pass, loop)
        else:
            self._passing = None
            self._begin()

    def _begin(self) -> None:
        """Begins requests while there are places, alternating between session cookies."""
        while self.has_place:
            ready = (key for key, group in self.by_cookie.items() if group.waiting and group.has_place)
            if (cookie := next(ready, None)) is None:
                return
            self.by_cookie.move_to_end(cookie)
            turn, _ = self.by_cookie[cookie].waiting.popitem(last=False)
            turn.begin()


class Turn:
    """The turn of a request: it waits, is computed, and may wait again."""

    def __init__(self, address: Address, group: Group) -> None:
        self.loop = asyncio.get_running_loop()
        self._groups = group, address
        self._begins = self.loop.create_future()
        self._timer: asyncio.TimerHandle | None = None
        self.is_over = self._is_late = False
        #: How many tasks of the request call a lab.
        self._absent = 0

    def wait(self, *, first: bool = False) -> asyncio.Future[None]:
        """A future that is done when the request may go on: its turn has begun, or it needs no turn, because another of
        its tasks calls a lab or it has ended. ``first``: before the other requests with the same cookie."""
        group, address = self._groups
        self._begins = self.loop.create_future()
        group.waiting[self] = None
        group.waiting.move_to_end(self, last=not first)
        address.begin_waiting()
        return self._begins

    def begin(self) -> None:
        """Starts the turn: ``wait``'s future is done, and the turn is late after ``TURN_S``."""
        for group in self._groups:
            group.begun += 1
        self._timer = self.loop.call_later(TURN_S, self._expire)
        if not self._begins.done():
            self._begins.set_result(None)

    def _expire(self) -> None:
        self._is_late = True
        for group in self._groups:
            group.late += 1
        self._groups[1].begin_waiting()

    def _leave(self) -> None:
        self._groups[0].waiting.pop(self, None)
        if not self._begins.done():
            self._begins.set_result(None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            for group in self._groups:
                group.begun -= 1
                group.late -= self._is_late
            self._is_late = False
            self._groups[1].begin_waiting()

    def end(self) -> None:
        """Gives up the turn permanently. Harmless when repeated."""
        self.is_over = True
        self._leave()

    @asynccontextmanager
    async def left(self) -> AsyncIterator[None]:
        """Gives up the turn until the end of the block, which is a call to a lab."""
        group, address = self._groups
        self._absent += 1
        self._leave()
        is_cancelled = False
        try:
            async with group.calls, address.calls:
                yield
        except asyncio.CancelledError:
            is_cancelled = True
            raise
        finally:
            self._absent -= 1
            if not self._absent and not self.is_over:
                begins = self.wait(first=True)
                if not is_cancelled:
                    await begins


#: The turn of the request that this code handles.
current_turn: ContextVar[Turn | None] = ContextVar("turn", default=None)
