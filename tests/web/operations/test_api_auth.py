"""Who may call the API."""

from __future__ import annotations

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


def test_a_call_without_a_session_is_refused() -> None:
    assert Client().get("/api/experiments").status_code in {302, 401}


def test_only_json_is_written(owner: Client) -> None:
    answer = owner.post("/api/experiments", {"modes": "host"})
    assert answer.status_code == 415
    assert "application/json" in answer.json()["detail"]
