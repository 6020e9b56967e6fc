"""Async views that wait."""

from __future__ import annotations

import asyncio

import pytest

from dashboard.asgi import http as django
from dashboard.web.http import turns
from dashboard.web.http.turns import RequestGuard
from dashboard.web.operations import health
from tests.support.polling import eventually
from tests.web import asgi_client
from tests.web.asgi_client import http

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_view_that_waits_does_not_delay_other_requests_of_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting, goes_on = [], asyncio.Event()

    async def wait() -> tuple[()]:
        waiting.append(True)
        await goes_on.wait()
        return ()

    monkeypatch.setattr(turns, "TURN_S", 1000.0)
    monkeypatch.setattr(health, "missing_now", wait)
    monkeypatch.setattr(asgi_client, "application", RequestGuard(django, 1))
    requests = [asyncio.create_task(http("GET", "/readyz")) for _ in range(3)]
    try:
        await eventually(lambda: len(waiting) == 3)
        assert (await http("GET", "/sign-in/")).status == 401
    finally:
        goes_on.set()
        answers = await asyncio.gather(*requests)
    assert [answer.text for answer in answers] == ["ready\n"] * 3
