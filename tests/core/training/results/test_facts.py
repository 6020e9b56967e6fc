"""The facts of a session: true answers and reveals by time, and which steps count as done."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.core.training.results.facts import Reading, counted_records, stage_of
from dashboard.core.workshops.progress import Event, StepRecord, StepStage
from tests.core.training_builders import END, SESSION, A, B, C, facts_of, person, record
from tests.core.workshops.test_progress import WORKSHOP


def test_the_truth_is_what_most_looks_had_said_by_then() -> None:
    looks = (Reading(10, "own"), Reading(20, "machine"), Reading(30, "machine"))
    facts = replace(SESSION, readings={C: looks})
    assert [facts.truth(C, until) for until in (5, 10, 25, 30, None)] == ["", "own", "own", "machine", "machine"]
    assert facts.truths() == {C: "machine"}
    assert facts.truth(A) == ""


def test_an_answer_is_shown_once_and_a_class_ends_when_it_was_closed_or_is_looked_at() -> None:
    events = (Event(10, "revealed", "", B), Event(20, "revealed", "", B), Event(30, "step", "", C))
    assert facts_of(events=events).reveals() == {B: 10}
    assert (facts_of(closed=50.0).ends_at, facts_of(closed=0.0).ends_at) == (50.0, END)


@pytest.mark.parametrize(
    ("joined", "left", "done"),
    [(1000, 0, 1500), (1000, 1400, 0), (1000, 1600, 1500), (1700, 0, 1700)],
)
def test_what_counts_as_done_where_nobody_has_a_host(joined: float, left: float, done: float) -> None:
    one = person("Ada", {B: record(1200, 1)}, joined=joined, left=left)
    events = (Event(1500, "revealed", "", B),)
    looking = facts_of(one, events=events, hosts="none")
    assert counted_records(looking, one, {B: "x"})[B].passed_at == done
    assert counted_records(facts_of(one, events=events), one, {}) is one.records, "with hosts it is what was checked"


def test_how_far_somebody_came() -> None:
    a, b = WORKSHOP.steps[:2]
    table = [
        (a, StepRecord(), StepStage.LOCKED),
        (a, StepRecord(opened_at=1), StepStage.RUN),
        (b, StepRecord(opened_at=1), StepStage.PREDICT),
        (b, StepRecord(prediction=0), StepStage.RUN),
        (b, StepRecord(passed_at=2), StepStage.DONE),
    ]
    assert [stage_of(step, one) for step, one, _stage in table] == [stage for _step, _one, stage in table]
