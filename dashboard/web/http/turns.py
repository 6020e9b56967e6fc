"""Handshakes and requests take turns: a client that sends a thousand at once must not delay every other one."""

import asyncio
from http import HTTPStatus
from typing import Any

from dashboard.web.http.guards import Application, Receive, Scope, Send, refuse_connection

MAX_HANDSHAKES = 16
#: Requests of one address that are computed at once. Each has a thread, and threads of Python compute one at a time:
#: the event loop gets as much of that time as each of them.
MAX_REQUESTS = 4
#: Seconds after which a request leaves its turn to the next: it may wait, for example for the database.
TURN_S = 0.25
#: Requests of one address that have not been answered. More are refused.
MAX_UNANSWERED = 1024
#: The key in the scope for the function that ends the turn of a request.
END_TURN = "netmodes.end_turn"


class Turn:
    """One of several places, to be taken and given back once."""

    def __init__(self, places: asyncio.Semaphore) -> None:
        self._places = places
        self.has_begun = self._is_over = False

    async def begin(self) -> None:
        """Waits for a place."""
        await self._places.acquire()
        self.has_begun = True

    def end(self) -> None:
        """Gives the place back. Harmless when repeated."""
        if self.has_begun and not self._is_over:
            self._is_over = True
            self._places.release()


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


class Address:
    """The requests of an address."""

    def __init__(self, limit: int) -> None:
        self.places = asyncio.Semaphore(limit)
        self.unanswered = 0


class RequestGuard:
    """Handles at most ``limit`` requests of one address at once; others of this address wait for their turn."""

    def __init__(self, application: Any, limit: int = MAX_REQUESTS, most: int = MAX_UNANSWERED) -> None:
        self._application: Application = application  # Django's has narrower types
        self._limit = limit
        self._most = most
        self._addresses: dict[str, Address] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or refuses it with 503. Its turn begins when it has arrived completely, since a slow
        client must not hold a place, and ends with the response or with a call of the function at ``END_TURN``."""
        name = str((scope.get("client") or ("",))[0])
        address = self._addresses.setdefault(name, Address(self._limit))
        if address.unanswered >= self._most:
            message = "Too many requests from this address are waiting. Try again later."
            await refuse_connection(scope, receive, send, HTTPStatus.SERVICE_UNAVAILABLE, message)
            return
        address.unanswered += 1
        try:
            await self._handle(scope, receive, send, Turn(address.places))
        finally:
            address.unanswered -= 1
            if not address.unanswered:
                del self._addresses[name]

    async def _handle(self, scope: Scope, receive: Receive, send: Send, turn: Turn) -> None:
        loop = asyncio.get_running_loop()
        received: Scope | None = None
        next_message: asyncio.Future[Scope] | None = None
        is_answered = False

        async def begins() -> Scope | None:
            """Waits for the turn. The message that the client has disconnected, if it does so before."""
            nonlocal next_message
            upcoming = next_message = asyncio.ensure_future(receive())
            beginning = loop.create_task(turn.begin())
            try:
                await asyncio.wait((beginning, upcoming), return_when=asyncio.FIRST_COMPLETED)
            finally:
                if not beginning.done():
                    beginning.cancel()
            if not turn.has_begun:
                return await upcoming
            loop.call_later(TURN_S, turn.end)
            return None

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
            turn.end()
            await send(message)

        try:
            received = await receive()
            if not is_complete(received) or await begins() is None:
                scope = {**scope, END_TURN: lambda: loop.call_soon_threadsafe(turn.end)}
                await self._application(scope, receive_in_turn, send_and_end_turn)
        except asyncio.CancelledError:
            # The server cancels requests only when it stops; uvicorn would log a traceback for each.
            if not is_answered:
                await refuse_connection(scope, receive, send, HTTPStatus.SERVICE_UNAVAILABLE, "Netmodes is stopping.")
        finally:
            turn.end()
            if next_message is not None:
                next_message.cancel()


def is_complete(message: Scope) -> bool:
    """Whether a request has arrived completely with this message."""
    return message["type"] == "http.request" and not message.get("more_body", False)
