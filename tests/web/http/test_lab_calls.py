"""Requests that wait for a lab, and others of the same address."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from dashboard.asgi import http as django
from dashboard.core.operations.deployment import LabFacts
from dashboard.lab.supervisor import LabUnavailableError
from dashboard.web.http import turn_queue
from dashboard.web.http.turn_queue import ADDRESS, COOKIE
from dashboard.web.http.turns import RequestGuard
from dashboard.web.service import service
from tests.support.polling import eventually
from tests.web import asgi_client
from tests.web.asgi_client import Person, abandon, http, sign_in

pytestmark = pytest.mark.django_db(transaction=True)


class HangingLab:
    """A lab that answers each call with an error; while ``hangs``, only when the test releases ``answers``."""

    facts = LabFacts()

    def __init__(self) -> None:
        self.hangs = False
        self.calls = self.most = 0
        self.answers = asyncio.Semaphore(0)

    def heartbeat(self) -> None:
        return

    async def call(self, *_arguments: Any) -> None:
        self.calls += 1
        self.most = max(self.most, self.calls)
        try:
            if self.hangs:
                await self.answers.acquire()
        finally:
            self.calls -= 1
        raise LabUnavailableError("the lab hangs")


@pytest.fixture
async def lab(monkeypatch: pytest.MonkeyPatch) -> HangingLab:
    monkeypatch.setattr(turn_queue, "TURN_S", 1000.0)
    hanging = HangingLab()
    monkeypatch.setattr(service, "_remote", hanging)
    return hanging


@pytest.fixture
def guard(monkeypatch: pytest.MonkeyPatch) -> RequestGuard:
    guard = RequestGuard(django)
    monkeypatch.setattr(asgi_client, "application", guard)
    return guard


async def people(count: int, lab: HangingLab) -> list[Person]:
    """Browsers with a session each. The lab hangs afterwards."""
    browsers = [await sync_to_async(sign_in)() for _ in range(count)]
    lab.hangs, lab.most = True, 0
    return browsers


async def test_requests_that_wait_for_a_hanging_lab_do_not_delay_sign_ins_of_their_address(lab: HangingLab) -> None:
    browsers = await people(3, lab)
    requests = [asyncio.create_task(http("GET", "/lans/", who=browser)) for browser in browsers for _ in range(16)]
    try:
        await eventually(lambda: lab.calls == ADDRESS.calls)
        assert (await asyncio.wait_for(http("GET", "/sign-in/?token=wrong"), 20)).status == 401
        assert (await asyncio.wait_for(http("GET", "/reports/", who=browsers[0]), 20)).status == 200
    finally:
        for _ in requests:
            lab.answers.release()
        answers = await asyncio.gather(*requests)
    assert {answer.status for answer in answers} == {200}
    assert lab.most == ADDRESS.calls
    assert all("the lab hangs" in answer.text for answer in answers)


async def test_one_browser_has_half_of_the_calls_of_its_address(lab: HangingLab) -> None:
    browser, other = await people(2, lab)
    requests = [asyncio.create_task(http("GET", "/lans/", who=browser)) for _ in range(COOKIE.calls + 4)]
    try:
        await eventually(lambda: lab.calls == COOKIE.calls)
        requests.append(asyncio.create_task(http("GET", "/lans/", who=other)))
        await eventually(lambda: lab.calls == COOKIE.calls + 1)
    finally:
        for _ in requests:
            lab.answers.release()
        await asyncio.gather(*requests)


async def test_a_client_that_disconnects_during_a_call_leaves_nothing_taken(
    lab: HangingLab, guard: RequestGuard
) -> None:
    [browser] = await people(1, lab)
    for _ in range(COOKIE.calls + 1):
        await abandon("GET", "/lans/", lambda: lab.calls == 1, who=browser)
        assert lab.calls == 0
    assert guard._addresses == {}
