"""Handshakes of websockets and requests of an address take turns."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import pytest

from dashboard.web.http import turn_queue
from dashboard.web.http.turns import HandshakeGuard
from tests.support.polling import eventually
from tests.web.http.guarded_pages import Client, Pages, ignore, request_guard, requested, unanswered

pytestmark = pytest.mark.usefixtures("long_turns")


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


async def incomplete() -> Any:
    await asyncio.Event().wait()


@pytest.mark.parametrize("path", ["/", "/fails"])
async def test_an_address_gets_few_pages_at_once_and_another_one_does_not_wait(path: str) -> None:
    pages = Pages()
    guard = request_guard(pages, 2)
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


class LoopPass:
    """Ends with the next pass of the event loop."""

    def __await__(self) -> Generator[None]:
        yield


@pytest.mark.parametrize(("longest_s", "begun"), [(1000.0, 0), (-1.0, 2)])
async def test_no_request_begins_while_others_of_its_address_arrive_one_by_one(
    monkeypatch: pytest.MonkeyPatch, longest_s: float, begun: int
) -> None:
    monkeypatch.setattr(turn_queue, "MAX_ARRIVALS_S", longest_s)
    pages = Pages()
    guard = request_guard(pages, 2)
    async with AsyncExitStack() as stack:
        for _ in range(20):
            await stack.enter_async_context(requested(guard, 1))
            await LoopPass()
        assert pages.begun["a"] == begun
        await eventually(partial(pages.has_begun, "a", 2))


async def test_an_incomplete_request_has_no_turn() -> None:
    pages = Pages()
    guard = request_guard(pages)
    async with requested(guard, 3, receive=incomplete):
        await eventually(lambda: unanswered(guard) == 3)
        async with requested(guard, 1):
            await eventually(partial(pages.has_begun, "a", 1))


async def test_a_client_that_does_not_read_has_no_turn() -> None:
    pages = Pages()
    pages.goes_on.set()
    guard = request_guard(pages)

    async def stall(_message: Any) -> None:
        await asyncio.Event().wait()

    async with requested(guard, 3, send=stall):
        await eventually(partial(pages.has_begun, "a", 3))


async def test_a_request_is_refused_while_too_many_of_its_address_are_unanswered() -> None:
    pages = Pages()
    guard = request_guard(pages, most=3)
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
    guard = request_guard(pages)
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
    guard = request_guard(pages)
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


@pytest.mark.parametrize(
    ("first", "second", "is_same"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.8", False),
    ],
)
async def test_the_addresses_of_an_ipv6_network_take_turns_together(first: str, second: str, is_same: bool) -> None:
    pages = Pages()
    guard = request_guard(pages)
    async with requested(guard, 1, first):
        await eventually(partial(pages.has_begun, first, 1))
        async with requested(guard, 1, second):
            await eventually(lambda: sum(group.unanswered for group in guard._addresses.values()) == 2)
            assert len(guard._addresses) == (1 if is_same else 2)
            if not is_same:
                await eventually(partial(pages.has_begun, second, 1))
    assert guard._addresses == {}


async def test_a_body_in_parts_has_no_turn_before_it_is_complete() -> None:
    pages = Pages()
    guard = request_guard(pages)
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
