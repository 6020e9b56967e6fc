"""Fixtures of sessions on the web."""

from __future__ import annotations

import time

import pytest
from channels.db import database_sync_to_async

from dashboard.web.training import join_views
from tests.web.asgi_client import person
from tests.web.training.session_clients import TwoSessions, join, new, participant_id, sign_in_as


@pytest.fixture
def at_one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stops the clock of the rate limits: no token is restored while a slow machine sends requests."""
    moment = time.time()
    monkeypatch.setattr(join_views, "shared_clock", lambda: moment)


@pytest.fixture
async def sessions() -> TwoSessions:
    """Two sessions, with participants."""
    row, other = await new(), await new("rival")
    ada, bob = (await join(row.code, "Ada"))[1], (await join(row.code, "Bob"))[1]
    outsider = (await join(other.code, "Outsider"))[1]
    ada_id = await database_sync_to_async(participant_id)("Ada")
    return TwoSessions(row, other, await person(), await sign_in_as("rival"), ada, bob, outsider, ada_id)
