"""Handshakes and requests take turns: a client that sends a thousand at once must not delay every other one."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.conf import settings

from dashboard.core.training.rate_limit import client_key
from dashboard.web.http.guards import Application, Receive, Scope, Send, refuse_connection

MAX_HANDSHAKES = 16
#: Seconds after which a request leaves its turn to the next: it may wait, for example for the database.
TURN_S = 0.25
#: Characters of a session cookie that are compared; Django's have 32.
MAX_COOKIE = 64
#: The key in the scope for the function that waits for a place among the requests in async views.
BEGIN_VIEW = "netmodes.begin_view"


@dataclass(frozen=True, slots=True)
class Limits:
    """How many requests are handled at once. Each has a thread, and threads of Python compute one at a time: the event
    loop gets as much of that time as each of them.

    ``turns``: requests that are computed. ``late``: more of them, after ``TURN_S``; a request that finds no such place
    keeps its turn. ``views``: requests in async views, which may wait for a lab. ``unanswered``: all requests, those
    that wait included; more are refused.
    """

    turns: int
    late: int
    views: int
    unanswered: int


ADDRESS = Limits(turns=4, late=12, views=32, unanswered=1536)
#: For the requests of an address with the same session cookie, or without one: the others of a class get the rest.
COOKIE = Limits(turns=2, late=6, views=16, unanswered=1024)


class Turn:
    """One place of each semaphore, to be taken and given back once."""

    def __init__(self, *places: asyncio.Semaphore) -> None:
        self._places = places
        self._taken: list[asyncio.Semaphore] = []
        self.has_begun = self._is_over = False

    async def begin(self) -> None:
        """Waits for the places, one after the other."""
        for place in self._places:
            await place.acquire()
            self._taken.append(place)
            if self._is_over:
                self.end()
                return
        self.has_begun = True

    def end(self) -> None:
        """Gives the places back, also if ``begin`` was cancelled. Harmless when repeated."""
        self._is_over = True
        while self._taken:
            self._taken.pop().release()


class HandshakeGuard:
    """Handles at most ``limit`` handshakes of websockets at once; others wait for their turn."""

    def __init__(self, application: Application, limit: int = MAX_HANDSHAKES) -> None:
        self._application = application
        self._places = asyncio.Semaphore(limit)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a websocket on. Its turn ends with the first message to the browser, which accepts or refuses it."""
        turn = Turn(self._places)
        await turn.begin()

        async def send_and_end_turn(message: Scope) -> None:
            await send(message)
            turn.end()

        try:
            await self._application(scope, receive, send_and_end_turn)
        finally:
            turn.end()


class Group:
    """The requests of an address, or those of them with the same session cookie."""

    def __init__(self, limits: Limits) -> None:
        self.turns, self.late, self.views = map(asyncio.Semaphore, (limits.turns, limits.late, limits.views))
        self.unanswered = 0
        self._most = limits.unanswered
        #: The groups of an address, by cookie.
        self.by_cookie: dict[str, Group] = {}

    @property
    def is_full(self) -> bool:
        """Whether the next request is refused."""
        return self.unanswered >= self._most


class Places:
    """The places of a request in its groups: it has a turn, then it is late or in an async view."""

    def __init__(self, groups: Sequence[Group]) -> None:
        self.turn = Turn(*(group.turns for group in groups))
        self._late = Turn(*(group.late for group in groups))
        self._view = Turn(*(group.views for group in groups))
        self._timer: asyncio.TimerHandle | None = None
        self._leaving: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Waits for the turn."""
        await self.turn.begin()
        self._timer = asyncio.get_running_loop().call_later(TURN_S, self._expire)

    def _expire(self) -> None:
        self._leaving = asyncio.get_running_loop().create_task(self._leave())

    async def _leave(self) -> None:
        await self._late.begin()
        self.turn.end()

    async def begin_view(self) -> None:
        """Ends the turn and waits until the async view may begin."""
        self._end_turn()
        await self._view.begin()

    def _end_turn(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._leaving is not None:
            self._leaving.cancel()
        self.turn.end()
        self._late.end()

    def end(self) -> None:
        """Gives all places back. Harmless when repeated."""
        self._end_turn()
        self._view.end()


class RequestGuard:
    """Limits the requests of each address that are handled at once, and those of it with the same session cookie."""

    def __init__(self, application: Any, limits: Limits = ADDRESS, of_cookie: Limits = COOKIE) -> None:
        self._application: Application = application  # Django's has narrower types
        self._limits = limits
        self._of_cookie = of_cookie
        self._addresses: dict[str, Group] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or refuses it with 503. Its turn begins when it has arrived completely, since a slow
        client must not hold a place, and ends with the response or with a call of the function at ``BEGIN_VIEW``."""
        name, cookie = client_key(str((scope.get("client") or ("",))[0])), session_cookie(scope)
        address = self._addresses.setdefault(name, Group(self._limits))
        group = address.by_cookie.setdefault(cookie, Group(self._of_cookie))
        if address.is_full or group.is_full:
            if not group.unanswered:
                del address.by_cookie[cookie]
            message = "Too many requests from this address are waiting. Try again later."
            await refuse_connection(scope, receive, send, HTTPStatus.SERVICE_UNAVAILABLE, message)
            return
        address.unanswered += 1
        group.unanswered += 1
        try:
            # Of a cookie with many requests, only those with a place of the cookie wait for one of the address.
            await self._handle(scope, receive, send, Places((group, address)))
        finally:
            address.unanswered -= 1
            group.unanswered -= 1
            if not group.unanswered:
                del address.by_cookie[cookie]
            if not address.unanswered:
                del self._addresses[name]

    async def _handle(self, scope: Scope, receive: Receive, send: Send, places: Places) -> None:
        loop = asyncio.get_running_loop()
        received: Scope | None = None
        next_message: asyncio.Future[Scope] | None = None
        is_answered = False

        async def begins() -> Scope | None:
            """Waits for the turn. The message that the client has disconnected, if it does so before."""
            nonlocal next_message
            upcoming = next_message = asyncio.ensure_future(receive())
            beginning = loop.create_task(places.begin())
            try:
                await asyncio.wait((beginning, upcoming), return_when=asyncio.FIRST_COMPLETED)
            finally:
                if not beginning.done():
                    beginning.cancel()
            return None if places.turn.has_begun else await upcoming

        async def receive_in_turn() -> Scope:
            nonlocal received
            if received is not None:
                message, received = received, None
                return message
            if next_message is not None:
                return await next_message
            message = await receive()
            return (await begins() if is_complete(message) else None) or message

        async def send_and_end_turn(message: Scope) -> None:
            nonlocal is_answered
            is_answered = True
            places.end()
            await send(message)

        try:
            received = await receive()
            if not is_complete(received) or await begins() is None:
                scope = {**scope, BEGIN_VIEW: places.begin_view}
                await self._application(scope, receive_in_turn, send_and_end_turn)
        except asyncio.CancelledError:
            # The server cancels requests only when it stops; uvicorn would log a traceback for each.
            if not is_answered:
                await refuse_connection(scope, receive, send, HTTPStatus.SERVICE_UNAVAILABLE, "Netmodes is stopping.")
        finally:
            places.end()
            if next_message is not None:
                next_message.cancel()


def is_complete(message: Scope) -> bool:
    """Whether a request has arrived completely with this message."""
    return message["type"] == "http.request" and not message.get("more_body", False)


def session_cookie(scope: Scope) -> str:
    """The session cookie of a request, which nothing has checked; empty without one."""
    prefix = f"{settings.SESSION_COOKIE_NAME}=".encode()
    for name, value in scope.get("headers", ()):
        if name == b"cookie":
            for cookie in value.split(b";"):
                if (text := cookie.strip()).startswith(prefix):
                    return str(text.removeprefix(prefix)[:MAX_COOKIE].decode("latin-1"))
    return ""
