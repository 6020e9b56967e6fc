"""Progress in workshops is stored per person."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.core.workshops.progress import Event, StepRecord
from dashboard.models import WorkshopEvent, WorkshopProgress, WorkshopStep
from dashboard.store import workshops as store

pytestmark = pytest.mark.django_db

ME, YOU, WHERE = "user:1", "user:7", "host-network"
FULL = StepRecord(1.0, 2, 3.0, "own", 4, True, {"1": "seen"}, "a container", 2, 5.0)


def test_a_workshop_starts_once_and_continues() -> None:
    assert store.load_progress(ME, WHERE) is None
    first = store.start(ME, WHERE, "abc", 10.0)
    again = store.start(ME, WHERE, "def", 20.0)
    assert first == again
    assert (again.started_at, again.finished_at) == (10.0, 0.0)
    assert [one.kind for one in store.load_events(ME, WHERE)] == ["started"]


def test_a_step_is_loaded_as_stored() -> None:
    store.start(ME, WHERE, "abc", 10.0)
    assert store.update_step(ME, WHERE, "launch", lambda _: FULL, Event(5.0, "passed", "launch", "own")) == FULL
    progress = store.load_progress(ME, WHERE)
    assert progress is not None
    assert progress.records == {"launch": FULL}
    assert progress.step == "launch"
    assert store.update_step(ME, WHERE, "launch", lambda record: replace(record, attempts=5)).attempts == 5
    assert [one.kind for one in store.load_events(ME, WHERE)] == ["started", "passed"]


def test_an_unchanged_step_is_not_written() -> None:
    store.start(ME, WHERE, "abc", 10.0)
    store.update_step(ME, WHERE, "launch", lambda record: record)
    assert not WorkshopStep.objects.exists()


def test_progress_is_separate_per_person_and_deleted_completely() -> None:
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


def test_the_finish_is_recorded_once() -> None:
    store.start(ME, WHERE, "abc", 10.0)
    store.mark_finished(ME, WHERE, 99.0)
    store.mark_finished(ME, WHERE, 100.0)
    progress = store.load_progress(ME, WHERE)
    assert progress is not None
    assert progress.finished_at == 99.0
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


def test_invalid_noted_events_are_ignored() -> None:
    store.start(ME, WHERE, "abc", 10.0)
    store.update_step(ME, WHERE, "launch", lambda _: FULL)
    for invalid in ("", "[]", "null", "{"):
        WorkshopStep.objects.update(noted=invalid)
        progress = store.load_progress(ME, WHERE)
        assert progress is not None
        assert progress.records["launch"].noted == {}
