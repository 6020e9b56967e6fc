"""The state of a session: answers, what participants may see, messages, and the progress grid."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dashboard.core.experiments.messages import encode
from dashboard.core.training.session import HelpReason, group_key
from dashboard.models import Answer, WorkshopStep
from dashboard.store import workshops as workshop_store
from dashboard.store.training import hosts as group_host_store
from dashboard.store.training import participants, session_state
from dashboard.store.training import sessions as training_sessions
from tests.lab.training_builders import NOW, again, instructor, participant, session, workshop

pytestmark = pytest.mark.django_db
SHOP = workshop()
LAUNCH = SHOP.steps[1]


def test_only_the_first_answer_counts_and_is_in_the_progress() -> None:
    row = session()
    ada, _ = participant(row)
    assert session_state.answer(row, ada.id, "launch", 1, "one", NOW) == 1
    assert session_state.answer(row, ada.id, "launch", 0, "nought", NOW + 1) == 1
    assert Answer.objects.count() == 1
    walk = workshop_store.load_progress(ada.person, row.workshop)
    assert walk is not None
    assert walk.records["launch"].prediction == 1
    assert [one.kind for one in workshop_store.load_events(ada.person, row.workshop)] == ["started", "predicted"]


def test_the_shared_state_contains_nothing_about_single_participants() -> None:
    row = session()
    ada, _ = participant(row, "Ada-the-secret")
    training_sessions.write_notes(row.id, instructor(), "notes-that-nobody-sees")
    training_sessions.go_to(row.id, instructor(), NOW, "launch")
    session_state.answer(row, ada.id, "launch", 1, "x", NOW)
    session_state.add_message(row.id, ada.id, "", "question-of-one", NOW, from_instructor=False)
    session_state.add_message(row.id, None, "", "to everybody", NOW, from_instructor=True)
    state = session_state.state_of(again(row), SHOP, {ada.id})
    text = encode(state).decode()
    for secret in ("secret", "notes-that", "question-of", row.code, row.id, ada.id):
        assert secret not in text
    assert (state.step, state.number, state.answered, state.participants, state.present) == ("launch", 2, 1, 1, 1)
    assert state.histogram is None, "nothing is shown before the reveal"
    assert state.hint is not None
    assert state.hint.text == "to everybody"


def test_only_admitted_participants_count_as_present() -> None:
    row = session()
    ada, bob, away = (participant(row, name)[0].id for name in ("Ada", "Bob", "Away"))
    training_sessions.change(row.id, instructor(), NOW, admission_required=True)
    late = participant(again(row), "Late")[0].id
    participants.remove(row.id, [bob], NOW)
    state = session_state.state_of(again(row), SHOP, {ada, bob, late, "stranger"})
    assert (state.present, state.participants) == (1, 2)
    participants.admit(row.id, late, NOW)
    state = session_state.state_of(again(row), SHOP, {ada, away, late})
    assert (state.present, state.participants) == (3, 3)


def test_the_revealed_truth_is_the_reading_of_the_kernel() -> None:
    row = session(hosts="person")
    people = [participant(row, name)[0] for name in "abc"]
    training_sessions.go_to(row.id, instructor(), NOW, "launch")
    for number, one in enumerate(people):
        session_state.answer(row, one.id, "launch", number % 2, "x", NOW)
    for one in people[1:]:
        workshop_store.update_step(one.person, row.workshop, "launch", lambda record: replace(record, truth="machine"))
    assert session_state.histogram_of(again(row), SHOP, "launch") is not None
    peek = session_state.histogram_of(again(row), SHOP, "launch", peek=True)
    training_sessions.reveal(row.id, instructor(), NOW, "launch")
    found = session_state.state_of(again(row), SHOP, ()).histogram
    assert found is not None
    assert peek == found
    assert (found.truth, found.read, found.answered) == ("The network of this machine", True, 3)
    assert sum(one.count for one in found.choices) == 3
    assert session_state.histogram_of(row, SHOP, "gone") is None


def test_the_state_before_the_run_is_not_the_revealed_truth() -> None:
    row = session(hosts="person")
    people = [participant(row, name)[0] for name in "abc"]
    for one in people:
        session_state.answer(row, one.id, "stop", 0, "x", NOW)
        workshop_store.update_step(
            one.person, row.workshop, "stop", lambda record: replace(record, truth="running", failing="web is removed")
        )
    training_sessions.reveal(row.id, instructor(), NOW, "stop")
    unknown = session_state.histogram_of(again(row), SHOP, "stop")
    assert unknown is not None
    assert (unknown.truth, unknown.revealed, [one.right for one in unknown.choices]) == ("", True, [None, None])
    assert session_state.readings(row, ["stop"]) == {}
    workshop_store.update_step(
        people[0].person,
        row.workshop,
        "stop",
        lambda record: replace(record, truth="gone", failing="", passed_at=NOW + 9),
    )
    known = session_state.histogram_of(again(row), SHOP, "stop")
    assert known is not None
    assert (known.truth, [one.right for one in known.choices]) == ("Nothing at all", [True, False])
    assert session_state.readings(row, ["stop"]) == {"stop": [(NOW + 9, "gone")]}


def test_without_hosts_a_reveal_completes_the_step_for_all() -> None:
    row = session(scores=True)
    ada, _ = participant(row)
    session_state.answer(row, ada.id, "launch", 0, "x", NOW)
    training_sessions.reveal(row.id, instructor(), NOW, "launch", "machine")
    walk = workshop_store.load_progress(ada.person, row.workshop)
    records = session_state.records_of(again(row), walk)
    assert records["launch"].passed_at == NOW
    assert LAUNCH.predict is not None
    found = session_state.progress_grid(again(row), SHOP, NOW, ())
    assert found.people[0].row.done == 1
    score = found.people[0].score
    assert score is not None
    assert (score.right, score.of) == (1, 1)
    with_hosts = session(hosts="person")
    training_sessions.reveal(with_hosts.id, instructor(), NOW, "launch", "machine")
    assert session_state.records_of(again(with_hosts), None) == {}, "with hosts everybody runs it"


def test_without_hosts_the_time_of_a_step_in_the_grid_ends_with_the_reveal() -> None:
    row = session()
    ada, _ = participant(row)
    session_state.mark_opened(row, ada.id, "launch", NOW)
    training_sessions.reveal(row.id, instructor(), NOW + 180, "launch")
    cell = session_state.progress_grid(again(row), SHOP, NOW + 2700, ()).people[0].row.cells[1]
    assert (cell.step, cell.seconds) == ("launch", 180.0)


def test_with_hosts_an_answer_after_the_reveal_does_not_count() -> None:
    row = session(hosts="person", scores=True)
    ada, cleo = participant(row, "Ada")[0], participant(row, "Cleo", NOW + 1)[0]
    session_state.answer(row, ada.id, "launch", 0, "x", NOW)
    training_sessions.reveal(row.id, instructor(), NOW + 10, "launch")
    session_state.answer(row, cleo.id, "launch", 0, "x", NOW + 20)
    for one in (ada, cleo):
        workshop_store.update_step(
            one.person, row.workshop, "launch", lambda record: replace(record, truth="machine", passed_at=NOW + 30)
        )
    found = session_state.histogram_of(again(row), SHOP, "launch")
    assert found is not None
    assert [one.count for one in found.choices] == [1, 0]
    grid = session_state.progress_grid(again(row), SHOP, NOW + 40, ())
    scores = [one.score for one in grid.people]
    assert [(score.right, score.of) for score in scores if score is not None] == [(1, 1), (0, 0)]
    assert [one.row.done for one in grid.people] == [1, 1]


def test_the_grid_shows_who_needs_help_and_no_removed_participants() -> None:
    row = session(hosts="person")
    names = ("fine", "stuck", "hand", "gone")
    people = {name: participant(row, name, NOW + number)[0] for number, name in enumerate(names)}
    training_sessions.change(row.id, instructor(), NOW, admission_required=True)
    participant(again(row), "late")
    participants.remove(row.id, [people["gone"].id], NOW)
    participants.raise_hand(row.id, people["hand"].id, NOW, up=True)
    for one in people.values():
        session_state.mark_opened(row, one.id, "prepare", NOW)
    session_state.mark_opened(row, people["fine"].id, "prepare", NOW + 50)
    workshop_store.update_step(
        people["stuck"].person,
        row.workshop,
        "prepare",
        lambda record: replace(record, attempts=2, failing="a container named web"),
    )
    found = session_state.progress_grid(again(row), SHOP, NOW + 60, {people["fine"].id})
    assert [(one.participant.name, one.present) for one in found.people] == [
        ("fine", True),
        ("stuck", False),
        ("hand", False),
    ]
    assert [(one.participant.name, one.row.needs) for one in found.asking] == [
        ("hand", (HelpReason.HAND,)),
        ("stuck", (HelpReason.FAILS,)),
    ]
    assert [one.participant.name for one in found.by_urgency] == ["hand", "stuck", "fine"]
    assert [one.row.newest.step for one in found.by_urgency] == 3 * ["prepare"]
    assert [one.name for one in found.waiting] == ["late"]
    cell = found.people[1].row.cells[0]
    assert (cell.attempts, cell.failing, cell.seconds) == (2, "a container named web", 60.0)
    assert found.people[0].score is None
    assert WorkshopStep.objects.get(progress__person=people["fine"].person).opened_at == NOW
    training_sessions.close(row.id, instructor(), NOW + 60)
    closed = session_state.progress_grid(again(row), SHOP, NOW + 86400, ())
    assert (closed.asking, closed.people[1].row.cells[0]) == ((), cell), "time ends with the session"


def test_the_states_of_several_participants_are_those_of_each_in_as_many_queries(
    monkeypatch: pytest.MonkeyPatch,
    django_assert_num_queries: Any,
) -> None:
    monkeypatch.setattr(session_state, "SHOWN_MESSAGES", 3)
    row, other = session(hosts="person"), session()
    people = [participant(row, name)[0] for name in ("Ada", "Bob", "Cyd", "Dan", "Eve")]
    ids = [one.id for one in people]
    stranger = participant(other)[0].id
    for number, to in enumerate([ids[0], None, ids[1], ids[0], None, ids[0], ids[2]]):
        session_state.add_message(row.id, to, "", f"{number}", NOW + number, from_instructor=number % 2 == 0)
    session_state.add_message(other.id, None, "", "in another session", NOW, from_instructor=True)
    for one, state in zip(people, ("ready", "failed"), strict=False):
        group_host_store.request(group_key(row.id, one.group), NOW)
        group_host_store.note(group_key(row.id, one.group), state=state, reason=state, host=one.name)
    participants.raise_hand(row.id, ids[2], NOW, up=True)
    participants.remove(row.id, [ids[3]], NOW)
    with django_assert_num_queries(4):
        found = session_state.participant_states(row.id, [*ids, stranger])
    assert found == {key: session_state.participant_state(row.id, key) for key in ids if key != ids[3]}
    assert [one.text for one in found[ids[0]].messages] == ["3", "4", "5"]
    assert (found[ids[0]].host, found[ids[1]].host_text, found[ids[2]].hand) == ("ready", "failed", True)
    assert [found[key].host_can_start for key in ids[:3]] == [False, True, False]
    with django_assert_num_queries(4):
        session_state.participant_states(row.id, ids[:2])
    assert session_state.participant_states(row.id, ids[:1]) == {ids[0]: found[ids[0]]}
    assert session_state.participant_states(row.id, ids[3:4]) == {}
    assert session_state.participant_states(row.id, []) == {}


def test_messages_reach_their_participants_and_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    row = session()
    ada, bob = participant(row, "Ada")[0], participant(row, "Bob")[0]
    session_state.add_message(row.id, ada.id, "launch", "why?", NOW, from_instructor=False)
    session_state.add_message(row.id, ada.id, "launch", "because", NOW + 1, from_instructor=True)
    session_state.add_message(row.id, None, "", "break", NOW + 2, from_instructor=True)
    assert [one.text for one in session_state.messages_of(row.id, ada.id)] == ["why?", "because", "break"]
    assert [one.text for one in session_state.messages_of(row.id, bob.id)] == ["break"]
    monkeypatch.setattr(session_state, "MAX_MESSAGES", 2)
    with pytest.raises(ValueError, match="at most 2 messages are stored"):
        session_state.add_message(row.id, ada.id, "", "again", NOW, from_instructor=False)
    state = session_state.participant_state(row.id, bob.id)
    assert state is not None
    assert (state.name, state.hand, len(state.messages)) == ("Bob", False, 1)
    participants.remove(row.id, [bob.id], NOW)
    assert session_state.participant_state(row.id, bob.id) is None
