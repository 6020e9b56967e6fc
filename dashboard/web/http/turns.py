"""Limits how many websocket handshakes and requests are processed at the same time; the others wait for their turn.

So a client that sends a thousand at once does not delay other clients.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from django.conf import settings

from dashboard.core.training.rate_limit import client_key
from dashboard.web.http.guards import Application, Receive, Scope, Send, refuse_connection
from dashboard.web.http.turn_queue import ADDRESS, COOKIE, Address, Group, Limits, Turn, current_turn

MAX_HANDSHAKES = 16
#: The number of characters by which session cookies are compared. Django's cookies have 32.
MAX_COOKIE = 64


class HandshakeGuard:
    """ASGI layer that processes at most ``limit`` websocket handshakes at the same time. Further handshakes wait."""

    def __init__(self, application: Application, limit: int = MAX_HANDSHAKES) -> None:
        self._application = application
        self._places = asyncio.Semaphore(limit)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Waits for a turn and passes the websocket on.

        The turn ends after the first message to the browser, which accepts or refuses the handshake.
        """
        await self._places.acquire()
        has_turn = True

        def end() -> None:
            nonlocal has_turn
            if has_turn:
                has_turn = False
                self._places.release()

        async def send_and_end_turn(message: Scope) -> None:
            await send(message)
            end()

        try:
            await self._application(scope, receive, send_and_end_turn)
        finally:
            end()


@asynccontextmanager
async def release_turn() -> AsyncIterator[None]:
    """Context manager or decorator for a call to a lab: during the call, the current request has no turn.

    Does nothing outside requests.
    """
    turn = current_turn.get()
    if turn is None or turn.is_over or turn.loop is not asyncio.get_running_loop():
        yield
    else:
        async with turn.left():
            yield


class RequestGuard:
    """ASGI layer that limits the requests processed at the same time, for each client address and for each of its
    session cookies."""

    def __init__(self, application: Any, limits: Limits = ADDRESS, of_cookie: Limits = COOKIE) -> None:
        self._application: Application = application  # Django's has narrower types
        self._limits = limits
        self._of_cookie = of_cookie
        self._addresses: dict[str, Address] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Waits for the request's turn and passes the request on. Refuses it with 503 if too many requests are waiting.

        The turn begins when the request has arrived completely, because a slow client must not hold a turn. It ends
        when the response begins. Within ``release_turn``, the request has no turn.
        """
        name, cookie = client_key(str((scope.get("client") or ("",))[0])), session_cookie(scope)
        address = self._addresses.setdefault(name, Address(self._limits))
        group = address.by_cookie.setdefault(cookie, Group(self._of_cookie))
        if address.is_full or group.is_full:
            if not group.unanswered:
                del address.by_cookie[cookie]
            message = "Too many requests from this address are waiting. Try again later."
            await refuse_connection(scope, receive, send, HTTPStatus.SERVICE_UNAVAILABLE, message)
            return
        address.unanswered += 1
        group.unanswered += 1
        address.has_arrived = True
        turn = Turn(address, group)
        current_turn.set(turn)
        try:
            await self._handle(scope, receive, send, turn)
        finally:
            turn.end()
            address.unanswered -= 1
            group.unanswered -= 1
            if not group.unanswered:
                del address.by_cookie[cookie]
            if not address.unanswered:
                del self._addresses[name]

    async def _handle(self, scope: Scope, receive: Receive, send: Send, turn: Turn) -> None:
        received: Scope | None = None
        next_message: asyncio.Future[Scope] | None = None
        is_answered = False

        async def begins() -> Scope | None:
            """Waits for the turn. Returns None or, if the client disconnects first, the message that reports this."""
            nonlocal next_message
            begins = turn.wait()
            if not begins.done():
                next_message = asyncio.ensure_future(receive())
                await asyncio.wait((begins, next_message), return_when=asyncio.FIRST_COMPLETED)
                if not begins.done():
                    return await next_message
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
                await self._application(scope, receive_in_turn, send_and_end_turn)
        except asyncio.CancelledError:
            # The server cancels requests only when it stops. Without this response, uvicorn would log a traceback for
            # each.
            if not is_answered:
                await refuse_connection(scope, receive, send, HTTPStatus.SERVICE_UNAVAILABLE, "Netmodes is stopping.")
        finally:
            if next_message is not None:
                next_message.cancel()


def is_complete(message: Scope) -> bool:
    """Returns whether ``message`` is the last part of a request."""
    return message["type"] == "http.request" and not message.get("more_body", False)


def session_cookie(scope: Scope) -> str:
    """Returns the value of a request's session cookie, which is not verified; empty if it has no such cookie."""
    prefix = f"{settings.SESSION_COOKIE_NAME}=".encode()
    for name, value in scope.get("headers", ()):
        if name == b"cookie":
            for cookie in value.split(b";"):
                if (text := cookie.strip()).startswith(prefix):
                    return str(text.removeprefix(prefix)[:MAX_COOKIE].decode("latin-1"))
    return ""
