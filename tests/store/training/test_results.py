"""Facts, report and replay of a session in the database; links to the results of one participant."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from dashboard.core.training.results.replay import build_replay
from dashboard.core.training.results.report import build_report
from dashboard.core.workshops.progress import Event
from dashboard.models import Experiment, Participant, Share, TrainingSession
from dashboard.store import experiments as experiment_store
from dashboard.store import workshops as workshop_store
from dashboard.store.reports import shares as report_shares
from dashboard.store.training import participants, session_state
from dashboard.store.training import results as session_results
from dashboard.store.training import sessions as training_sessions
from tests.lab.training_builders import NOW, again, instructor, participant, session, workshop
from tests.support.specs import make_spec

pytestmark = pytest.mark.django_db
SHOP = workshop()
LAUNCH = SHOP.steps[1]
END = NOW + 3600


@pytest.fixture
def row() -> TrainingSession:
    """Ada did the second step, Bob failed twice and asks for help, Cleo was removed, Dan waits for admission."""
    made = session(hosts="person")
    names = ("Ada", "Bob", "Cleo")
    ada, bob, cleo = (participant(made, name, NOW + number)[0] for number, name in enumerate(names))
    training_sessions.go_to(made.id, instructor(), NOW + 10, LAUNCH.slug)
    for number, one in enumerate((ada, bob, cleo)):
        session_state.mark_opened(made, one.id, LAUNCH.slug, NOW + 20)
        session_state.answer(made, one.id, LAUNCH.slug, number % 2, "said", NOW + 30 + number)
    passed = Event(NOW + 80, "passed", LAUNCH.slug, "machine")
    workshop_store.update_step(
        ada.person, made.workshop, LAUNCH.slug, lambda one: replace(one, passed_at=NOW + 80, truth="machine"), passed
    )
    for failed in range(2):
        workshop_store.update_step(
            bob.person,
            made.workshop,
            LAUNCH.slug,
            lambda one: replace(one, attempts=one.attempts + 1, failing="a container runs"),
            Event(NOW + 90 + failed, "checked", LAUNCH.slug, "a container runs"),
        )
    participants.raise_hand(made.id, bob.id, NOW + 95, up=True, step=LAUNCH.slug)
    participants.raise_hand(made.id, bob.id, NOW + 96, up=True, step=LAUNCH.slug)
    session_state.add_message(made.id, bob.id, LAUNCH.slug, "Why?", NOW + 95, from_instructor=False)
    session_state.add_message(made.id, None, LAUNCH.slug, "Read the text", NOW + 99, from_instructor=True)
    participants.raise_hand(made.id, bob.id, NOW + 98, up=False)
    participants.remove(made.id, [cleo.id], NOW + 100)
    training_sessions.change(made.id, instructor(), NOW + 101, admission_required=True)
    participant(again(made), "Dan", NOW + 102)
    training_sessions.reveal(made.id, instructor(), NOW + 110, LAUNCH.slug)
    training_sessions.close(made.id, instructor(), END)
    return again(made)


def test_every_cell_of_the_report_follows_from_the_stored_rows(row: TrainingSession) -> None:
    report = session_results.report_of(row, SHOP, END)
    assert [one.name for one in report.people] == ["Ada", "Bob", "Cleo"], "only admitted participants are included"
    ada, bob, cleo = (one.cells[1] for one in report.people)
    assert LAUNCH.predict is not None
    said = LAUNCH.predict.choices
    right = LAUNCH.predict.values.index("machine")
    assert (ada.state, ada.seconds, ada.predicted, ada.right) == ("done", 60.0, said[0], right == 0)
    assert (bob.state, bob.attempts, bob.failing, bob.hands, bob.questions) == ("run", 2, "a container runs", 1, 1)
    assert (bob.predicted, bob.truth) == (said[1], said[right])
    assert (cleo.state, cleo.predicted) == ("run", said[0])
    assert report.people[2].left_at == NOW + 100
    one = report.steps[1]
    assert [choice.count for choice in one.choices][:2] == [2, 1]
    assert (one.truth, one.source, one.revealed_at) == (said[right], "kernel", NOW + 110)
    assert [(seen.reading, seen.looks) for seen in one.evidence] == [("machine", 1)]
    assert (one.attempts, one.failing[0].sentence, one.failing[0].count) == (2, "a container runs", 2)
    shown = session_state.histogram_of(row, SHOP, LAUNCH.slug)
    assert shown is not None
    assert [(choice.text, choice.count, choice.right) for choice in one.choices] == [
        (choice.text, choice.count, choice.right) for choice in shown.choices
    ], "as the session saw it"
    assert report.took_s == END - NOW


def test_the_replay_contains_events_and_comparisons(row: TrainingSession) -> None:
    experiment = experiment_store.create_experiment(make_spec("host", "none"))
    Experiment.objects.filter(pk=experiment).update(title="Side by side")
    TrainingSession.objects.filter(pk=row.id).update(closed_at=0.0)
    training_sessions.mirror(row.id, instructor(), NOW + 50, experiment)
    training_sessions.close(row.id, instructor(), END)
    facts = session_results.load_facts(again(row), SHOP, END)
    mirrors = session_results.mirrors_of(facts, included=True)
    assert [one.title for one in mirrors.values()] == ["Side by side"]
    assert json.loads(mirrors[experiment].track)["v"] == 1
    track = build_replay(facts, SHOP, mirrors, anonymous=False)
    texts = track["texts"]
    assert isinstance(texts, list)
    for told in ("Ada joins", "Bob raises a hand", "Bob asks: Why?", "To all: Read the text", "Cleo leaves"):
        assert told in texts
    left_out = session_results.mirrors_of(facts, included=False)[experiment]
    assert (left_out.track, bool(left_out.reason)) == (b"", True)


def test_a_comparison_that_does_not_fit_leaves_the_room_for_smaller_ones(
    row: TrainingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = [experiment_store.create_experiment(make_spec("host"), instructor()) for _ in range(3)]
    facts = session_results.load_facts(row, SHOP, END)
    facts = replace(facts, events=tuple(Event(NOW, "mirror", "", key) for key in shown))
    tracks = iter([b"x" * 11, b"x" * 6, b"x" * 4])
    monkeypatch.setattr(session_results, "MAX_TRACKS_BYTES", 10)
    monkeypatch.setattr(session_results, "encode_recording", lambda _: next(tracks))
    mirrors = session_results.mirrors_of(facts, included=True)
    assert [len(mirrors[key].track) for key in shown] == [0, 6, 4]
    assert [bool(mirrors[key].reason) for key in shown] == [True, False, False]


def test_a_results_link_shows_one_participant_until_a_newer_link(row: TrainingSession) -> None:
    ada = Participant.objects.get(name="Ada")
    first = participants.make_results_link(row.id, ada.pk) or ""
    found = participants.by_results_link(first)
    assert found is not None
    assert (found.id, participants.by_results_link(first)) == (ada.pk, found), "it is not used up"
    second = participants.make_results_link(row.id, ada.pk) or ""
    assert (participants.by_results_link(first), len(second)) == (None, 22)
    assert first not in repr(list(Participant.objects.values()))
    assert second not in repr(list(Participant.objects.values()))
    assert participants.by_link(second) is None, "it does not move the participant"
    for wrong in ("", "x" * 22, "x" * 1000):
        assert participants.by_results_link(wrong) is None
    assert participants.make_results_link(row.id, Participant.objects.get(name="Cleo").pk) is None, "she was removed"
    assert participants.make_results_link(row.id, Participant.objects.get(name="Dan").pk) is None, "he was not admitted"
    participants.remove(row.id, [ada.pk], END)
    assert participants.by_results_link(second) is None


def test_a_shared_link_belongs_to_one_session_and_is_deleted_with_it(row: TrainingSession) -> None:
    token = report_shares.create_for_session(row.id, b"<!doctype html>", expires_at=None)
    other = report_shares.create_for_session(session("rival").id, b"other", expires_at=None)
    assert report_shares.open_share(token) == b"<!doctype html>"
    (link,) = report_shares.shares_of_session(row.id)
    assert (link.views, link.live) == (1, True)
    assert not report_shares.revoke(link.id, session="another")
    assert report_shares.revoke(link.id, session=row.id)
    assert report_shares.open_share(token) is None
    assert report_shares.open_share(other) == b"other"
    assert training_sessions.delete(row.id, instructor())
    assert [one.pk for one in Share.objects.all()] == [link.id + 1]


def test_a_participant_without_progress_is_in_the_report(row: TrainingSession) -> None:
    ada = Participant.objects.get(name="Ada")
    workshop_store.delete_progress(participants.person_of(ada.pk), row.workshop)
    facts = session_results.load_facts(row, SHOP, END)
    assert build_report(facts, SHOP).people[0].done == 0


def test_absences_and_returns_are_recorded_once() -> None:
    made = session()
    ada, bob = (participant(made, name)[0] for name in ("Ada", "Bob"))
    participants.note_presence(made.id, {ada.id, bob.id}, {}, NOW + 1)
    participants.note_presence(made.id, set(), {ada.id: NOW + 20}, NOW + 32)
    participants.note_presence(made.id, set(), {ada.id: NOW + 21}, NOW + 33)
    participants.note_presence(made.id, {ada.id, bob.id}, {}, NOW + 60)
    participants.note_presence("another", set(), {ada.id: NOW + 70}, NOW + 82)
    facts = session_results.load_facts(made, SHOP, END)
    told = {
        one.name: [(event.kind, event.at) for event in one.events if event.kind != "started"]
        for one in facts.participants
    }
    assert told == {"Ada": [("away", NOW + 20), ("back", NOW + 60)], "Bob": []}
    participants.remove(made.id, [bob.id], NOW + 90)
    participants.note_presence(made.id, set(), {bob.id: NOW + 90}, NOW + 102)
    training_sessions.close(made.id, instructor(), END)
    participants.note_presence(made.id, set(), {ada.id: END}, END)
    assert sum(len(one.events) for one in session_results.load_facts(again(made), SHOP, END).participants) == 4
    texts = build_replay(facts, SHOP, {}, anonymous=False)["texts"]
    assert isinstance(texts, list)
    assert [one for one in texts if one.startswith("Ada")] == ["Ada joins", "Ada is away", "Ada is back"]
