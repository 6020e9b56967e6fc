"""Async views that wait."""

from __future__ import annotations

import asyncio

import pytest

from dashboard.asgi import http as django
from dashboard.web.http import turns
from dashboard.web.http.turns import Limits, RequestGuard
from dashboard.web.operations import health
from tests.support.polling import eventually
from tests.web import asgi_client
from tests.web.asgi_client import http

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_view_that_waits_does_not_delay_other_requests_of_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting, goes_on = [], asyncio.Event()
    limits = Limits(turns=1, late=1, views=3, unanswered=100)

    async def wait() -> tuple[()]:
        waiting.append(True)
        await goes_on.wait()
        return ()

    monkeypatch.setattr(turns, "TURN_S", 1000.0)
    monkeypatch.setattr(health, "missing_now", wait)
    monkeypatch.setattr(asgi_client, "application", RequestGuard(django, limits, limits))
    requests = [asyncio.create_task(http("GET", "/readyz")) for _ in range(3)]
    try:
        await eventually(lambda: len(waiting) == 3)
        assert (await http("GET", "/join/")).status == 200, "joining is not an async view"
    finally:
        goes_on.set()
        answers = await asyncio.gather(*requests)
    assert [answer.text for answer in answers] == ["ready\n"] * 3


async def test_async_views_of_an_address_begin_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting, goes_on = [], asyncio.Semaphore(0)
    limits = Limits(turns=1, late=1, views=2, unanswered=100)

    async def wait() -> tuple[()]:
        waiting.append(True)
        await goes_on.acquire()
        return ()

    monkeypatch.setattr(turns, "TURN_S", 1000.0)
    monkeypatch.setattr(health, "missing_now", wait)
    monkeypatch.setattr(asgi_client, "application", RequestGuard(django, limits, limits))
    requests = [asyncio.create_task(http("GET", "/readyz")) for _ in range(5)]
    for ended in range(3):
        await eventually(lambda: len(waiting) == 2 + ended)  # noqa: B023 - awaited at once
        assert (await http("GET", "/join/")).status == 200
        assert len(waiting) == 2 + ended, "the other views wait, and a page that is not one does not"
        goes_on.release()
    for _ in range(2):
        goes_on.release()
    answers = await asyncio.gather(*requests)
    assert [answer.text for answer in answers] == ["ready\n"] * 5
