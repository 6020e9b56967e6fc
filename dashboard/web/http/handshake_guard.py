"""Opens few websockets at the same time: a client that opens a thousand must not delay every other request."""

import asyncio

from dashboard.web.http.guards import Application, Receive, Scope, Send

MAX_HANDSHAKES = 16


class HandshakeGuard:
    """Handles at most ``limit`` handshakes at once; others wait for their turn."""

    def __init__(self, application: Application, limit: int = MAX_HANDSHAKES) -> None:
        self._application = application
        self._turns = asyncio.Semaphore(limit)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a websocket on. Its turn ends with the first message to the browser, which accepts or refuses it."""
        await self._turns.acquire()
        has_turn = True

        def end_turn() -> None:
            nonlocal has_turn
            if has_turn:
                has_turn = False
                self._turns.release()

        async def send_and_end_turn(message: Scope) -> None:
            await send(message)
            end_turn()

        try:
            await self._application(scope, receive, send_and_end_turn)
        finally:
            end_turn()
