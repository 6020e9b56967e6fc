"""Applications behind the guard of requests, and requests of an address."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from django.conf import settings

from dashboard.web.http.turn_queue import Limits
from dashboard.web.http.turns import RequestGuard


async def ignore(_message: Any = None) -> Any:
    return None


def request_guard(
    application: Any, turns: int = 1, *, late: int = 100, calls: int = 100, most: int = 100
) -> RequestGuard:
    """A guard with the same limits for an address and for a cookie."""
    limits = Limits(turns, late, calls, most)
    return RequestGuard(application, limits, limits)


class Pages:
    """An application that computes each page until the test lets it go on."""

    def __init__(self) -> None:
        self.begun = Counter[str]()
        self.goes_on = asyncio.Event()

    def has_begun(self, address: str, count: int) -> bool:
        return self.begun[address] == count

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        address = scope["client"][0]
        while (message := await receive()).get("more_body"):
            pass
        if message["type"] == "http.disconnect":
            return
        self.begun[address] += 1
        await self.goes_on.wait()
        if scope["path"] == "/fails":
            raise ConnectionError("the browser is gone")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"page"})


class Client:
    """What a server receives from a client: a complete request, then nothing until it disconnects."""

    def __init__(self) -> None:
        self.has_sent = False
        self.is_gone = asyncio.Event()

    async def receive(self) -> Any:
        if not self.has_sent:
            self.has_sent = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.is_gone.wait()
        return {"type": "http.disconnect"}


def unanswered(guard: RequestGuard) -> int:
    """The number of requests of address ``a`` that have no answer."""
    address = guard._addresses.get("a")
    return address.unanswered if address is not None else 0


@asynccontextmanager
async def requested(
    guard: RequestGuard,
    count: int,
    address: str = "a",
    receive: Any = None,
    send: Any = ignore,
    path: str = "/",
    cookie: str = "",
) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Requests of an address while the block runs."""
    headers = [(b"cookie", f"csrftoken=t; {settings.SESSION_COOKIE_NAME}={cookie}".encode())] if cookie else []
    scope = {"type": "http", "client": (address, 1), "path": path, "headers": headers}
    tasks = [asyncio.create_task(guard(scope, receive or Client().receive, send)) for _ in range(count)]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
