"""The facts of a session: true answers and reveals by time, and which steps count as done."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.core.training.results.facts import Reading, counted_records, stage_of
from dashboard.core.workshops.progress import Event, StepRecord, StepStage
from tests.core.training_builders import END, SESSION, A, B, C, facts_of, person, record
from tests.core.workshops.test_progress import WORKSHOP


def test_the_truth_is_the_most_frequent_reading_until_then() -> None:
    looks = (Reading(10, "own"), Reading(20, "machine"), Reading(30, "machine"))
    facts = replace(SESSION, readings={C: looks})
    assert [facts.truth(C, until) for until in (5, 10, 25, 30, None)] == ["", "own", "own", "machine", "machine"]
    assert facts.truths() == {C: "machine"}
    assert facts.truth(A) == ""


def test_an_answer_is_revealed_once_and_a_session_ends_when_it_is_closed_or_queried() -> None:
    events = (Event(10, "revealed", "", B), Event(20, "revealed", "", B), Event(30, "step", "", C))
    assert facts_of(events=events).reveals() == {B: 10}
    assert (facts_of(closed=50.0).ends_at, facts_of(closed=0.0).ends_at) == (50.0, END)


@pytest.mark.parametrize(
    ("joined", "left", "done"),
    [(1000, 0, 1500), (1000, 1400, 0), (1000, 1600, 1500), (1700, 0, 1700)],
)
def test_steps_count_as_done_in_a_session_without_hosts(joined: float, left: float, done: float) -> None:
    one = person("Ada", {B: record(1200, 1)}, joined=joined, left=left)
    events = (Event(1500, "revealed", "", B),)
    looking = facts_of(one, events=events, hosts="none")
    assert counted_records(looking, one, {B: "x"})[B].passed_at == done
    assert counted_records(facts_of(one, events=events), one, {}) is one.records, "with hosts it is what was checked"


def test_the_stage_of_a_participant_follows_from_the_record() -> None:
    a, b = WORKSHOP.steps[:2]
    table = [
        (a, StepRecord(), StepStage.LOCKED),
        (a, StepRecord(opened_at=1), StepStage.RUN),
        (b, StepRecord(opened_at=1), StepStage.PREDICT),
        (b, StepRecord(prediction=0), StepStage.RUN),
        (b, StepRecord(passed_at=2), StepStage.DONE),
    ]
    assert [stage_of(step, one) for step, one, _stage in table] == [stage for _step, _one, stage in table]
