"""Removing several participants at once."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from channels.db import database_sync_to_async

from dashboard.models import GroupHost, Participant, TrainingSession
from dashboard.store.training import hosts as group_host_store
from dashboard.store.training import participants
from tests.lab.training_builders import NOW, again, session
from tests.web.asgi_client import Answer, Person, http, person

pytestmark = pytest.mark.django_db(transaction=True)
FORM = ("content-type", "application/x-www-form-urlencoded")


@database_sync_to_async
def crowd(owner: Person, count: int) -> tuple[TrainingSession, list[str]]:
    """A session of this instructor whose places are all taken, each participant with a host."""
    row = session(hosts="person", max_participants=count)
    people = [participants.join(row.id, f"P{number}", NOW)[0] for number in range(count)]
    for one in people:
        group_host_store.request(f"{row.id}-{one.group}", NOW)
    return row, [one.id for one in people]


async def remove(row: TrainingSession, who: Person, *chosen: str, **more: str) -> Answer:
    body = urlencode([("participant", key) for key in chosen] + list(more.items()))
    return await http(
        "POST", f"/sessions/{row.id}/console/removal/", who=who, headers=(FORM,), body=body.encode(), token=True
    )


@database_sync_to_async
def active(row: TrainingSession) -> list[str]:
    return list(Participant.objects.filter(session=row, removed_at=0.0).values_list("id", flat=True))


@database_sync_to_async
def running_hosts() -> list[str]:
    return list(GroupHost.objects.filter(wanted="running").values_list("group", flat=True))


@pytest.fixture
async def owner(monkeypatch: pytest.MonkeyPatch) -> Person:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    return await person()


async def test_places_that_a_flood_took_are_free_again_and_newcomers_wait(owner: Person) -> None:
    row, people = await crowd(owner, 8)
    page = await http("GET", f"/sessions/{row.id}/console/removal/", who=owner)
    assert page.status == 200
    assert page.text.count('name="participant"') == 8
    assert "0 places are free" in page.text
    answer = await remove(row, owner, *people[1:], admission="yes")
    assert (answer.status, answer["location"]) == (302, f"/sessions/{row.id}/console/")
    assert await active(row) == people[:1]
    fresh = await database_sync_to_async(again)(row)
    assert fresh.admission_required
    assert await running_hosts() == [f"{row.id}-1"]
    joined, _token = await database_sync_to_async(participants.join)(row.id, "Late", NOW)
    assert not joined.admitted


async def test_an_empty_selection_or_removed_participants_are_refused(owner: Person) -> None:
    row, people = await crowd(owner, 2)
    answer = await remove(row, owner)
    assert (answer.status, "Select the participants" in answer.text) == (400, True)
    assert (await remove(row, owner, people[0])).status == 302
    answer = await remove(row, owner, people[0])
    assert (answer.status, "already been removed" in answer.text) == (409, True)
    assert await active(row) == people[1:]


async def test_participants_of_other_sessions_stay(owner: Person) -> None:
    row, _ = await crowd(owner, 1)
    other, others = await crowd(owner, 1)
    assert (await remove(row, owner, *others)).status == 409
    assert await active(other) == others
