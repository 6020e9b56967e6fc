"""How far somebody has come survives, per person, and is written once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.core.workshops.progress import StepRecord
from dashboard.models import WorkshopEvent, WorkshopProgress, WorkshopStep
from dashboard.store import workshops as store
from dashboard.store.workshops import Event

pytestmark = pytest.mark.django_db

ME, YOU, WHERE = "user:1", "seat:7", "host-network"
FULL = StepRecord(1.0, 2, 3.0, "own", 4, True, {"1": "seen"}, "a container", 2, 5.0)


def test_a_walk_begins_once_and_goes_on() -> None:
    assert store.load_progress(ME, WHERE) is None
    first = store.start(ME, WHERE, "abc", 10.0)
    again = store.start(ME, WHERE, "def", 20.0)
    assert first == again
    assert (again.started_at, again.finished_at) == (10.0, 0.0)
    assert [one.kind for one in store.load_events(ME, WHERE)] == ["started"]


def test_a_step_comes_back_as_it_was_written() -> None:
    store.start(ME, WHERE, "abc", 10.0)
    assert store.update_step(ME, WHERE, "launch", lambda _: FULL, Event(5.0, "passed", "launch", "own")) == FULL
    walk = store.load_progress(ME, WHERE)
    assert walk is not None
    assert walk.records == {"launch": FULL}
    assert walk.step == "launch"
    assert store.update_step(ME, WHERE, "launch", lambda record: replace(record, attempts=5)).attempts == 5
    assert [one.kind for one in store.load_events(ME, WHERE)] == ["started", "passed"]


def test_what_does_not_change_is_not_written() -> None:
    store.start(ME, WHERE, "abc", 10.0)
    store.update_step(ME, WHERE, "launch", lambda record: record)
    assert not WorkshopStep.objects.exists()


def test_people_are_apart_and_forgetting_takes_everything_along() -> None:
    for person in (ME, YOU):
        store.start(person, WHERE, "abc", 10.0)
        store.update_step(person, WHERE, "launch", lambda _: FULL)
    store.start(ME, "bridge-and-dns", "abc", 10.0)
    assert set(store.load_all_progress(ME)) == {WHERE, "bridge-and-dns"}
    store.delete_progress(ME, WHERE)
    assert store.load_progress(ME, WHERE) is None
    assert set(store.load_all_progress(YOU)) == {WHERE}
    assert WorkshopStep.objects.count() == 1
    with pytest.raises(WorkshopProgress.DoesNotExist):
        store.update_step(ME, WHERE, "launch", lambda record: record)


def test_the_end_is_written_once() -> None:
    store.start(ME, WHERE, "abc", 10.0)
    store.mark_finished(ME, WHERE, 99.0)
    store.mark_finished(ME, WHERE, 100.0)
    walk = store.load_progress(ME, WHERE)
    assert walk is not None
    assert walk.finished_at == 99.0
    assert [one.kind for one in store.load_events(ME, WHERE)] == ["started", "finished"]
    store.mark_finished(YOU, WHERE, 1.0)


def test_events_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MAX_EVENTS", 3)
    store.start(ME, WHERE, "abc", 10.0)
    for number in range(10):
        store.update_step(
            ME, WHERE, "launch", lambda record: record, Event(1.0, "did", "launch", f"{number} " + "x" * 1000)
        )
    assert WorkshopEvent.objects.count() == 3
    assert all(len(one.detail) <= 400 for one in store.load_events(ME, WHERE))


def test_what_was_noted_of_events_may_be_spoiled() -> None:
    store.start(ME, WHERE, "abc", 10.0)
    store.update_step(ME, WHERE, "launch", lambda _: FULL)
    for spoiled in ("", "[]", "null", "{"):
        WorkshopStep.objects.update(noted=spoiled)
        walk = store.load_progress(ME, WHERE)
        assert walk is not None
        assert walk.records["launch"].noted == {}
