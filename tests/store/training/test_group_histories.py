"""What the participants of a group have done."""

from __future__ import annotations

import pytest

from dashboard.core.training.session import HostsFor
from dashboard.core.workshops.progress import Event, StepRecord
from dashboard.store import workshops as workshop_store
from dashboard.store.training import group_histories, participants
from tests.lab.training_builders import NOW, participant, session, workshop

pytestmark = pytest.mark.django_db


def test_the_members_of_a_team_have_a_history_each_and_others_are_not_in_it() -> None:
    row = session(hosts=HostsFor.TEAM, team_size=2)
    people = [participant(row, name)[0] for name in ("Ada", "Bob", "Cleo")]
    for number, person in enumerate(people):
        workshop_store.start(person.person, row.workshop, "", NOW)
        event = Event(NOW + number, "did", "launch", f"line {number}")
        workshop_store.update_step(
            person.person, row.workshop, "launch", lambda _record: StepRecord(passed_at=NOW), event
        )
    slug, digest, histories = group_histories.load(f"{row.id}-1")
    assert (slug, digest) == ("host-network", workshop().digest)
    done = [[each.detail for each in found.events if each.kind == "did"] for found in histories]
    assert sorted(done) == [["line 0"], ["line 1"]]
    assert histories[0].records["launch"].passed_at == NOW
    participants.remove(row.id, [people[1].id], NOW)
    assert len(group_histories.load(f"{row.id}-1")[2]) == 1
    assert group_histories.load(f"{row.id}-9") == (slug, digest, ())
