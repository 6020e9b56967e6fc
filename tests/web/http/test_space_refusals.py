"""A launch on a disk that is almost full."""

from __future__ import annotations

import pytest

from dashboard.core.operations.storage import DiskUsage
from dashboard.models import Experiment
from dashboard.store.operations import storage
from dashboard.web.http.database import in_database
from tests.web.asgi_client import Person, http, post_json

pytestmark = pytest.mark.django_db(transaction=True)
FORM = (("content-type", "application/x-www-form-urlencoded"),)


@pytest.fixture(autouse=True)
def _full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "disk_usage", lambda: DiskUsage(95_000_000, 5_000_000))


async def test_a_launch_is_refused_with_the_reason_and_what_to_do(me: Person) -> None:
    body = b"image=nginx&port=80&mode=none&anyway=1&title=My+long+title"
    answer = await http("POST", "/experiments/", who=me, headers=FORM, body=body, token=True)
    assert answer.status == 507
    assert "95% of the disk of the data folder is used; 5 MB is free." in answer.text
    assert "running experiments continue" in answer.text
    assert 'value="My long title"' in answer.text, "what was typed is kept"
    assert await in_database(Experiment.objects.count) == 0


async def test_the_api_refuses_in_json(me: Person) -> None:
    answer = await post_json("/api/experiments", me, {"modes": ["none"]})
    assert answer.status == 507
    assert answer.json["detail"].startswith("95% of the disk")


async def test_other_pages_and_errors_are_as_before(me: Person) -> None:
    assert (await http("GET", "/", who=me)).status == 200
    assert (await http("GET", "/experiments/nobody/", who=me)).status == 404
