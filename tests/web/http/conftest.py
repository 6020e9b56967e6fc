"""Turns of requests that do not end during a test."""

import pytest

from dashboard.web.http import turn_queue


@pytest.fixture
def long_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prevents turns from expiring during a test."""
    monkeypatch.setattr(turn_queue, "TURN_S", 1000.0)
