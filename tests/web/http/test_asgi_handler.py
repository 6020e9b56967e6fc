"""Browsers that disconnect during a request."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from asgiref.sync import AsyncToSync
from django.core.signals import request_finished
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from dashboard.web.http.asgi_handler import RequestHandler

HANGS_S = 20.0


class InterruptedHandler(RequestHandler):
    """Is cancelled where asgiref leaves the executor of a thread that is about to quit. The moment lasts microseconds:
    the thread has returned from an async view, but has not reported it yet."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = asyncio.Event()

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        """Never returns a response."""
        quit_already = ThreadPoolExecutor(1)
        quit_already.shutdown()
        AsyncToSync.executors.current = quit_already
        self.entered.set()
        await asyncio.Event().wait()
        raise AssertionError("it waits until it is cancelled")


async def test_a_disconnect_while_a_thread_works_ends_the_request_without_an_error() -> None:
    handler, ended = InterruptedHandler(), []
    asked = iter([{"type": "http.request", "body": b""}])

    async def receive() -> dict[str, Any]:
        if first := next(asked, None):
            return first
        await handler.entered.wait()
        return {"type": "http.disconnect"}

    async def send(message: Mapping[str, Any]) -> None:
        raise AssertionError(f"the browser is gone, but was sent {message}")

    def end(**_given: Any) -> None:
        ended.append(True)

    scope = {"type": "http", "method": "GET", "path": "/readyz", "headers": [(b"host", b"localhost")]}
    request_finished.connect(end)
    try:
        async with asyncio.timeout(HANGS_S):
            await handler(scope, receive, send)
    finally:
        request_finished.disconnect(end)
    assert ended == [True]
