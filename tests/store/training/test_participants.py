"""Participants: join once, are identified by a token, move to another device with a link, are removed for good."""

from __future__ import annotations

import pytest

from dashboard.models import AuditEntry, Participant
from dashboard.store import workshops as workshop_store
from dashboard.store.operations.audit import PendingEntry, pending
from dashboard.store.training import participants
from dashboard.store.training import sessions as training_sessions
from dashboard.store.training.participants import JoinRefusedError
from tests.lab.training_builders import NOW, again, instructor, participant, session

pytestmark = pytest.mark.django_db


def test_a_token_opens_its_own_participant_in_its_own_session() -> None:
    one, other = session(), session()
    ada, token = participant(one)
    bob, _ = participant(one, "Bob")
    assert participants.by_token(one.id, token) == ada
    assert participants.by_token(other.id, token) is None
    assert participants.by_token(one.id, "") is None
    assert participants.by_token(one.id, "x" * 22) is None
    assert (ada.admitted, ada.group, bob.group) == (True, 1, 2)
    assert token not in str(list(Participant.objects.values())), "only its digest is kept"
    walk = workshop_store.load_progress(ada.person, "host-network")
    assert walk is not None
    assert walk.started_at == NOW


def test_teams_are_filled_one_by_one_and_the_place_of_a_removed_participant_is_free() -> None:
    row = session(hosts="team", team_size=2, max_participants=3)
    people = [participant(row, name)[0] for name in ("a", "b", "c")]
    assert [one.group for one in people] == [1, 1, 2]
    with pytest.raises(JoinRefusedError, match="All 3 places"):
        participant(row, "d")
    assert participants.remove(row.id, [people[0].id], NOW)[0] == (people[0].id,)
    assert participant(row, "d")[0].group == 1


def test_a_newcomer_does_not_get_the_runs_of_a_removed_participant() -> None:
    row = session(hosts="person", max_participants=2)
    ada, _ = participant(row, "Ada")
    participant(row, "Bob")
    assert participants.remove(row.id, [ada.id], NOW)[0] == (ada.id,)
    assert participant(row, "Eve")[0].group == 3


@pytest.mark.parametrize(("name", "taken"), [("ADA", True), ("Ada ", True), ("Ad", False)])
def test_a_name_is_unique_within_a_session(name: str, taken: bool) -> None:
    row = session()
    participant(row, "Ada")
    participant(session(), "Ada")
    if taken:
        with pytest.raises(JoinRefusedError, match="choose another name"):
            participant(row, name.strip())
    else:
        participant(row, name)


def test_closed_and_expired_sessions_refuse_newcomers() -> None:
    row = session(hours=1)
    with pytest.raises(JoinRefusedError, match="expired"):
        participant(row, now=NOW + 3601)
    training_sessions.close(row.id, instructor(), NOW)
    with pytest.raises(JoinRefusedError, match="over"):
        participant(row)
    with pytest.raises(JoinRefusedError, match="over"):
        participants.join("nothing", "Ada", NOW)


def test_newcomers_wait_where_admission_is_required() -> None:
    row = session()
    training_sessions.change(row.id, instructor(), NOW, admission_required=True)
    late, token = participant(again(row), "Late")
    assert not late.admitted
    assert not participants.admit("another", late.id, NOW)
    assert participants.admit(row.id, late.id, NOW)
    found = participants.by_token(row.id, token)
    assert found is not None
    assert found.admitted
    participant(row, "Later")
    assert len(participants.admit_all(row.id, NOW)) == 1


def test_a_link_moves_a_participant_once() -> None:
    row = session()
    ada, token = participant(row)
    first = participants.make_link(row.id, ada.id)
    second = participants.make_link(row.id, ada.id)
    assert first is not None
    assert second is not None
    assert participants.resume(first, NOW) is None, "a new link voids the previous one"
    assert participants.by_link(second) == ada
    moved = participants.resume(second, NOW)
    assert moved is not None
    assert moved[0] == ada
    assert participants.by_token(row.id, token) is None, "the old device is out"
    assert participants.by_token(row.id, moved[1]) == ada
    assert participants.resume(second, NOW) is None, "a link is used once"
    assert participants.by_link(second) is None
    assert participants.resume("", NOW) is None
    assert participants.by_link("x" * 22) is None


def test_a_removed_participant_has_no_valid_token_or_link() -> None:
    row = session()
    ada, token = participant(row)
    link = participants.make_link(row.id, ada.id)
    assert link is not None
    assert participants.remove("another", [ada.id], NOW) == ((), ())
    assert participants.remove(row.id, [ada.id], NOW)[0] == (ada.id,)
    assert participants.by_token(row.id, token) is None
    assert participants.resume(link, NOW) is None
    assert participants.make_link(row.id, ada.id) is None


def test_a_participant_can_be_renamed_to_a_free_name() -> None:
    row = session()
    ada, token = participant(row)
    participant(row, "Bob")
    participants.rename(row.id, ada.id, "Ada L.")
    found = participants.by_token(row.id, token)
    assert found is not None
    assert found.name == "Ada L."
    with pytest.raises(JoinRefusedError, match="is taken"):
        participants.rename(row.id, ada.id, "BOB")


def test_renaming_is_in_the_audit_trail_and_reading_names_is_not() -> None:
    row = session()
    ada, _token = participant(row)
    with pending(PendingEntry(action="rename", object=row.id)):
        assert participants.names_by_group(row.id) == {ada.group: (ada.name,)}
        assert not AuditEntry.objects.exists()
        participants.rename(row.id, ada.id, "Ada L.")
        assert [(one.action, one.outcome) for one in AuditEntry.objects.all()] == [("rename", "done")]


def test_a_raised_hand_keeps_its_time() -> None:
    row = session()
    ada, _ = participant(row)
    for now in (5.0, 9.0):
        participants.raise_hand(row.id, ada.id, now, up=True)
    assert Participant.objects.get().hand_raised_at == 5.0
    participants.raise_hand("another", ada.id, 10.0, up=False)
    assert Participant.objects.get().hand_raised_at == 5.0
    participants.raise_hand(row.id, ada.id, 10.0, up=False)
    assert Participant.objects.get().hand_raised_at == 0.0
    participants.mark_seen(row.id, {ada.id}, 77.0)
    assert Participant.objects.get().seen_at == 77.0


def test_several_are_removed_at_once_and_empty_groups_are_named() -> None:
    row, other = session(hosts="team", team_size=2), session()
    people = [participant(row, name)[0].id for name in ("a", "b", "c", "d", "e")]
    stranger, _ = participant(other)
    removed, empty = participants.remove(row.id, [people[0], people[2], people[3], stranger.id, "?"], NOW)
    assert set(removed) == {people[0], people[2], people[3]}
    assert empty == (2,)
    assert participants.remove(row.id, people[:1], NOW) == ((), ())
    assert participants.get(other.id, stranger.id).removed_at == 0.0  # type: ignore[union-attr]
