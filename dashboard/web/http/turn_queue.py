"""Decides which requests of one client address are processed now, and which wait for their turn."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass

#: Seconds of processing after which a request is late: it probably waits, for example for the database.
TURN_S = 0.25
#: The maximum time, in seconds, for which newly arriving requests of an address delay those that wait.
MAX_ARRIVALS_S = 1.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How many requests of an address or of a session cookie may be handled at the same time.

    ``turns`` limits the requests that are being processed. Up to ``late`` requests that have taken longer than
    ``TURN_S`` are not counted. ``calls`` limits the calls to labs; during such a call, a request does not count as
    being processed. ``unanswered`` limits all requests, including waiting ones; further requests are refused.

    Each request has a thread. Python runs one thread at a time, so the event loop gets no more processor time than each
    of these threads.
    """

    turns: int
    late: int
    calls: int
    unanswered: int


ADDRESS = Limits(turns=4, late=12, calls=32, unanswered=1536)
#: The limits for requests of an address that have the same session cookie, or none. They are lower than those of the
#: address, so that other participants behind the same address are served as well.
COOKIE = Limits(turns=2, late=6, calls=16, unanswered=1024)


class Group:
    """Requests of one client address: all of them, or only those with the same session cookie."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.unanswered = 0
        #: The number of requests that are being processed, and the number of those that are late.
        self.begun = self.late = 0
        self.calls = asyncio.Semaphore(limits.calls)
        #: The requests that wait for their turn, in order.
        self.waiting = OrderedDict["Turn", None]()

    @property
    def is_full(self) -> bool:
        """Whether the next request must be refused."""
        return self.unanswered >= self._limits.unanswered

    @property
    def has_place(self) -> bool:
        """Whether the limits permit that another request is processed now."""
        return self.begun - min(self.late, self._limits.late) < self._limits.turns


class Address(Group):
    """The requests of one client address, grouped by session cookie."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self.by_cookie = OrderedDict[str, Group]()
        #: Whether a request has arrived since the last iteration of the event loop.
        self.has_arrived = False
        self._passing: asyncio.Handle | None = None
        self._passing_since = 0.0

    def begin_waiting(self) -> None:
        """Begins the turns of waiting requests once no new request has arrived during an iteration of the event loop.

        Begins them after ``MAX_ARRIVALS_S`` at the latest. If they began at once, their threads would delay the event
        loop while it accepts connections.
        """
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
        """Begins the turns of waiting requests while the limits permit it, one request of each session cookie in
        rotation."""
        while self.has_place:
            ready = (key for key, group in self.by_cookie.items() if group.waiting and group.has_place)
            if (cookie := next(ready, None)) is None:
                return
            self.by_cookie.move_to_end(cookie)
            turn, _ = self.by_cookie[cookie].waiting.popitem(last=False)
            turn.begin()


class Turn:
    """The permission of one request to be processed.

    A request waits for its turn and is then processed. It gives up the turn during a call to a lab, and may have to
    wait again afterwards.
    """

    def __init__(self, address: Address, group: Group) -> None:
        self.loop = asyncio.get_running_loop()
        self._groups = group, address
        self._begins = self.loop.create_future()
        self._timer: asyncio.TimerHandle | None = None
        self.is_over = self._is_late = False
        #: The number of the request's tasks that are calling a lab.
        self._absent = 0

    def wait(self, *, first: bool = False) -> asyncio.Future[None]:
        """Adds the request to the queue and returns a future that is done when the request may continue.

        The request may continue when its turn begins. It also may when it no longer needs a turn: when it ends, or when
        another of its tasks calls a lab. If ``first`` is true, the request is queued before others with the same
        cookie.
        """
        group, address = self._groups
        self._begins = self.loop.create_future()
        group.waiting[self] = None
        group.waiting.move_to_end(self, last=not first)
        address.begin_waiting()
        return self._begins

    def begin(self) -> None:
        """Begins the turn: the future that ``wait`` returned becomes done.

        If the turn lasts longer than ``TURN_S``, the request is late, and another turn may begin (``Limits``).
        """
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
        """Gives up the turn permanently. May be called more than once."""
        self.is_over = True
        self._leave()

    @asynccontextmanager
    async def left(self) -> AsyncIterator[None]:
        """Context manager for a call to a lab: gives up the turn before the call, and waits for it again afterwards."""
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


#: The turn of the request that the current code handles; None outside requests.
current_turn: ContextVar[Turn | None] = ContextVar("turn", default=None)
