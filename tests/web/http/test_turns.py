"""Handshakes of websockets and requests of an address take turns."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Generator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import Any

import pytest
from django.conf import settings

from dashboard.web.http import turn_queue
from dashboard.web.http.turn_queue import Limits
from dashboard.web.http.turns import HandshakeGuard, RequestGuard, release_turn
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
    monkeypatch.setattr(turn_queue, "TURN_S", 1000.0)


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


async def incomplete() -> Any:
    await asyncio.Event().wait()


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


class Calls:
    """An application in which each request calls a lab ``at_once`` times, then is computed until the test lets it go
    on."""

    def __init__(self, at_once: int = 1) -> None:
        self.called = self.computed = self.begun = 0
        self.lab_answers, self.may_end = asyncio.Semaphore(0), asyncio.Semaphore(0)
        self._at_once = at_once

    async def _call(self) -> None:
        async with release_turn():
            self.called += 1
            await self.lab_answers.acquire()
            self.called -= 1

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        self.begun += 1
        if scope["path"] == "/calls":
            with suppress(TimeoutError):
                async with asyncio.timeout(0.01 if self._at_once == 0 else None):
                    await asyncio.gather(*(self._call() for _ in range(self._at_once or 1)))
        self.computed += 1
        await self.may_end.acquire()
        self.computed -= 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"page"})


@pytest.mark.parametrize("at_once", [1, 3])
async def test_a_request_has_no_turn_during_its_calls_and_waits_for_one_after_them(at_once: int) -> None:
    application = Calls(at_once)
    guard = request_guard(application)
    async with requested(guard, 1, path="/calls") as calls:
        await eventually(lambda: application.called == at_once)
        async with requested(guard, 1) as pages:
            await eventually(lambda: application.computed == 1)
            for _ in range(at_once):
                application.lab_answers.release()
            await eventually(lambda: application.called == 0 and len(guard._addresses["a"].by_cookie[""].waiting) == 1)
            assert application.computed == 1, "the page has the turn"
            application.may_end.release()
            await asyncio.wait(pages)
        await eventually(lambda: application.computed == 1)
        application.may_end.release()
        await asyncio.wait(calls)
    assert guard._addresses == {}


async def test_a_request_counts_again_after_a_call_that_took_too_long() -> None:
    application = Calls(at_once=0)
    guard = request_guard(application)
    async with requested(guard, 1, path="/calls") as calls:
        await eventually(lambda: application.computed == 1)
        async with requested(guard, 1):
            await eventually(lambda: unanswered(guard) == 2)
            assert application.begun == 1
            application.may_end.release()
            await asyncio.wait(calls)
            await eventually(lambda: application.begun == 2)


async def test_calls_of_an_address_have_a_limit_and_do_not_delay_other_pages() -> None:
    application = Calls()
    guard = request_guard(application, calls=2)
    async with requested(guard, 5, path="/calls") as calls:
        await eventually(lambda: application.begun == 5 and application.called == 2)
        async with requested(guard, 1) as pages:
            application.may_end.release()
            await asyncio.wait(pages)
        for _ in range(5):
            application.lab_answers.release()
            application.may_end.release()
        await asyncio.wait(calls)
    assert guard._addresses == {}


async def test_a_call_after_the_response_changes_nothing() -> None:
    async def application(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        async with release_turn():
            pass
        await send({"type": "http.response.body", "body": b"page"})

    guard = request_guard(application)
    async with requested(guard, 3) as tasks:
        await asyncio.wait(tasks)
    assert guard._addresses == {}


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


async def test_a_request_that_takes_long_leaves_its_turn_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn_queue, "TURN_S", 0.01)
    pages = Pages()
    guard = request_guard(pages)
    async with requested(guard, 3):
        await eventually(partial(pages.has_begun, "a", 3))
        pages.goes_on.set()


class SlowPages:
    """An application with pages that are computed until the test lets one go on, and others, answered at once."""

    def __init__(self) -> None:
        self.computed = self.begun = self.most = 0
        self.may_end = asyncio.Semaphore(0)

    def has_begun(self, count: int) -> bool:
        return self.begun == count

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        if scope["path"] == "/slow":
            self.begun += 1
            self.computed += 1
            self.most = max(self.most, self.computed)
            await self.may_end.acquire()
            self.computed -= 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"page"})


async def test_requests_that_take_long_are_computed_up_to_a_second_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn_queue, "TURN_S", 0.001)
    pages = SlowPages()
    guard = request_guard(pages, 2, late=3)
    async with requested(guard, 12, path="/slow") as tasks:
        for ended in range(8):
            await eventually(partial(pages.has_begun, 5 + ended))
            pages.may_end.release()
        for _ in range(4):
            pages.may_end.release()
        await asyncio.wait(tasks)
    assert pages.begun == 12
    assert pages.most == 5
    assert guard._addresses == {}


@pytest.mark.parametrize("cookie", ["one", ""])
async def test_a_class_behind_one_address_gets_in_while_one_of_it_keeps_a_thousand_requests_open(
    monkeypatch: pytest.MonkeyPatch, cookie: str
) -> None:
    """``cookie``: of the requests that stay open. Those without a cookie are limited like those of one cookie."""
    monkeypatch.setattr(turn_queue, "TURN_S", 0.001)
    pages = SlowPages()
    guard = RequestGuard(pages)
    answers: list[int] = []

    async def keep(message: Any) -> None:
        if message["type"] == "http.response.start":
            answers.append(message["status"])

    async with requested(guard, 2000, path="/slow", cookie=cookie, send=keep) as tasks:
        await eventually(lambda: sum(task.done() for task in tasks) == 976 and pages.begun >= 2)
        assert set(answers) == {503}, "the 1,024 others wait"
        answers.clear()
        for number in range(30):
            async with requested(guard, 4, cookie=f"participant{number}", send=keep) as others:
                await asyncio.wait_for(asyncio.gather(*others), 10)
        assert answers == [200] * 120
        assert pages.most <= 16


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
