"""Requests without a turn: during calls to a lab, and after they have taken too long."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from dashboard.web.http import turn_queue
from dashboard.web.http.turns import RequestGuard, release_turn
from tests.support.polling import eventually
from tests.web.http.guarded_pages import Pages, request_guard, requested, unanswered

pytestmark = pytest.mark.usefixtures("long_turns")


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
async def test_a_class_behind_one_address_is_served_while_one_member_keeps_a_thousand_requests_open(
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
                await asyncio.wait_for(asyncio.gather(*others), 20)
        assert answers == [200] * 120
        assert pages.most <= 16
