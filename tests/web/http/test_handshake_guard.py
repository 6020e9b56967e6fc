"""Handshakes of websockets take turns."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from dashboard.web.http.handshake_guard import HandshakeGuard
from tests.support.polling import eventually


class Handshakes:
    """An application in which a websocket is accepted when the test wants it, and then stays open."""

    def __init__(self) -> None:
        self.begun = 0
        self.accepts = asyncio.Semaphore(0)

    def has_begun(self, count: int) -> bool:
        return self.begun == count

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        self.begun += 1
        await self.accepts.acquire()
        if scope["fails"]:
            raise ConnectionError("the browser is gone")
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": "a snapshot"})
        await asyncio.Event().wait()


async def ignore(_message: Any = None) -> Any:
    return None


@pytest.mark.parametrize("fails", [False, True])
async def test_open_websockets_and_failed_handshakes_leave_their_turns_to_others(fails: bool) -> None:
    application = Handshakes()
    guard = HandshakeGuard(application, 2)
    sockets = [asyncio.create_task(guard({"fails": fails}, ignore, ignore)) for _ in range(5)]
    try:
        for begun in (2, 3, 4, 5):
            await eventually(partial(application.has_begun, begun))
            application.accepts.release()
        assert guard._turns._value < 2
        application.accepts.release()
        await eventually(lambda: guard._turns._value == 2)
    finally:
        for socket in sockets:
            socket.cancel()
        await asyncio.gather(*sockets, return_exceptions=True)
    assert guard._turns._value == 2
