"""Handshakes of websockets and requests of an address take turns."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

from dashboard.web.http import turns
from dashboard.web.http.turns import END_TURN, HandshakeGuard, RequestGuard
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
        assert guard._places._value < 2
        application.accepts.release()
        await eventually(lambda: guard._places._value == 2)
    finally:
        for socket in sockets:
            socket.cancel()
        await asyncio.gather(*sockets, return_exceptions=True)
    assert guard._places._value == 2


@pytest.fixture(autouse=True)
def long_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns that do not expire during a test."""
    monkeypatch.setattr(turns, "TURN_S", 1000.0)


class Pages:
    """An application that computes each page until the test lets it go on."""

    def __init__(self) -> None:
        self.begun = Counter[str]()
        self.goes_on = asyncio.Event()
        self.end_turns: list[Callable[[], object]] = []

    def has_begun(self, address: str, count: int) -> bool:
        return self.begun[address] == count

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        address = scope["client"][0]
        while (message := await receive()).get("more_body"):
            pass
        if message["type"] == "http.disconnect":
            return
        self.begun[address] += 1
        self.end_turns.append(scope[END_TURN])
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


async def incomplete() -> Any:
    await asyncio.Event().wait()


@asynccontextmanager
async def requested(
    guard: RequestGuard, count: int, address: str = "a", receive: Any = None, send: Any = ignore, path: str = "/"
) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Requests of an address while the block runs."""
    scope = {"type": "http", "client": (address, 1), "path": path}
    tasks = [asyncio.create_task(guard(scope, receive or Client().receive, send)) for _ in range(count)]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("path", ["/", "/fails"])
async def test_an_address_gets_few_pages_at_once_and_another_one_does_not_wait(path: str) -> None:
    pages = Pages()
    guard = RequestGuard(pages, 2)
    async with requested(guard, 5, path=path) as tasks:
        await eventually(partial(pages.has_begun, "a", 2))
        async with requested(guard, 1, "b"):
            await eventually(partial(pages.has_begun, "b", 1))
        assert unanswered(guard) == 5
        assert pages.begun["a"] == 2
        pages.goes_on.set()
        await asyncio.wait(tasks)
        assert pages.begun["a"] == 5
    assert guard._addresses == {}


async def test_an_incomplete_request_has_no_turn() -> None:
    pages = Pages()
    guard = RequestGuard(pages, 1)
    async with requested(guard, 3, receive=incomplete):
        await eventually(lambda: unanswered(guard) == 3)
        async with requested(guard, 1):
            await eventually(partial(pages.has_begun, "a", 1))


async def test_a_client_that_does_not_read_has_no_turn() -> None:
    pages = Pages()
    pages.goes_on.set()
    guard = RequestGuard(pages, 1)

    async def stall(_message: Any) -> None:
        await asyncio.Event().wait()

    async with requested(guard, 3, send=stall):
        await eventually(partial(pages.has_begun, "a", 3))


async def test_a_view_that_waits_leaves_its_turn_to_others() -> None:
    pages = Pages()
    guard = RequestGuard(pages, 1)
    async with requested(guard, 2) as tasks:
        await eventually(partial(pages.has_begun, "a", 1))
        await asyncio.to_thread(pages.end_turns[0])
        await eventually(partial(pages.has_begun, "a", 2))
        pages.goes_on.set()
        await asyncio.wait(tasks)
    async with requested(guard, 3):
        await eventually(partial(pages.has_begun, "a", 5))


async def test_a_request_is_refused_while_too_many_of_its_address_are_unanswered() -> None:
    pages = Pages()
    guard = RequestGuard(pages, 1, 3)
    answers: list[Any] = []

    async def keep(message: Any) -> None:
        answers.append(message)

    async with requested(guard, 3):
        await eventually(lambda: unanswered(guard) == 3)
        async with requested(guard, 1, send=keep) as tasks:
            await asyncio.wait(tasks)
        assert answers[0]["status"] == 503
        assert b"Too many requests from this address" in answers[1]["body"]
        async with requested(guard, 1, "b"):
            await eventually(partial(pages.has_begun, "b", 1))


async def test_a_client_that_disconnects_while_it_waits_is_forgotten() -> None:
    pages = Pages()
    guard = RequestGuard(pages, 1)
    client = Client()
    async with requested(guard, 1):
        await eventually(partial(pages.has_begun, "a", 1))
        async with requested(guard, 1, receive=client.receive) as tasks:
            await eventually(lambda: unanswered(guard) == 2)
            client.is_gone.set()
            await asyncio.wait(tasks)
        assert unanswered(guard) == 1
        pages.goes_on.set()
    assert guard._addresses == {}
    assert pages.begun["a"] == 1


async def test_requests_without_an_answer_get_a_sentence_when_the_server_stops() -> None:
    pages = Pages()
    guard = RequestGuard(pages, 1)
    answers: list[Any] = []

    async def keep(message: Any) -> None:
        answers.append(message)

    async with requested(guard, 2, send=keep) as tasks:
        await eventually(lambda: unanswered(guard) == 2 and pages.has_begun("a", 1))
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert [task.exception() for task in tasks] == [None, None]
    assert [answer["status"] for answer in answers[::2]] == [503, 503]
    assert {answer["body"] for answer in answers[1::2]} == {b"Netmodes is stopping.\n"}


async def test_a_request_that_takes_long_leaves_its_turn_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TURN_S", 0.01)
    pages = Pages()
    guard = RequestGuard(pages, 1)
    async with requested(guard, 3):
        await eventually(partial(pages.has_begun, "a", 3))
        pages.goes_on.set()


async def test_a_body_in_parts_has_no_turn_before_it_is_complete() -> None:
    pages = Pages()
    guard = RequestGuard(pages, 1)
    rest, client = asyncio.Event(), Client()

    async def receive() -> Any:
        if not rest.is_set():
            await rest.wait()
            return {"type": "http.request", "body": b"a", "more_body": True}
        return await client.receive()

    async with requested(guard, 1, receive=receive) as tasks:
        async with requested(guard, 1):
            await eventually(partial(pages.has_begun, "a", 1))
            rest.set()
            pages.goes_on.set()
        await asyncio.wait(tasks)
    assert pages.begun["a"] == 2
