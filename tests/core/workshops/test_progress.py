"""Progress through a workshop: stages, completion and the summary."""

from __future__ import annotations

import pytest

from dashboard.core.workshops.checks.check_types import Check, Finding
from dashboard.core.workshops.model import Prediction, Step, StepJudgement, Workshop
from dashboard.core.workshops.progress import (
    StepRecord,
    current_step,
    describe_truth,
    is_done,
    predicted_in,
    step_stage,
    summarise,
)
from dashboard.core.workshops.truth_readings import Reading

GUESS = Prediction("?", ("one", "two"), 1)
READ = Prediction("?", ("the machine's", "its own"), None, Reading("namespace", {}), ("machine", "own"))
CHECK = (Check("removed", {}),)
WORKSHOP = Workshop(
    "w",
    "W",
    "About.",
    (
        Step("a", "A", "Text.", checks=CHECK),
        Step("b", "B", "Text.", checks=CHECK, predict=GUESS),
        Step("c", "C", "Text.", checks=CHECK, predict=READ),
    ),
)
DONE = StepRecord(opened_at=1.0, passed_at=5.0)
GOOD, BAD = (StepJudgement((Finding(ok, "e", "o"),), {}) for ok in (True, False))


def stages(records: dict[str, StepRecord], until: int | None = None) -> list[str]:
    return [str(step_stage(WORKSHOP, records, number, until)) for number in range(3)]


def test_each_step_unlocks_the_next_and_earlier_ones_stay_open() -> None:
    assert stages({}) == ["run", "locked", "locked"]
    assert stages({"a": DONE}) == ["done", "predict", "locked"]
    assert stages({"a": DONE, "b": StepRecord(prediction=0)}) == ["done", "run", "locked"]
    assert stages({"a": DONE, "b": DONE}) == ["done", "done", "predict"]
    assert stages({"b": DONE}) == ["run", "done", "locked"]
    assert current_step(WORKSHOP, {"a": DONE, "b": DONE, "c": DONE}) == 3


def test_no_step_after_the_instructors_gate_is_open() -> None:
    assert stages({"a": DONE, "b": DONE}, until=2) == ["done", "done", "locked"]
    assert stages({}, until=0) == ["locked", "locked", "locked"]
    assert current_step(WORKSHOP, {"a": DONE}, until=5) == 1


@pytest.mark.parametrize(
    ("step", "record", "judged", "pressed", "done"),
    [
        (0, StepRecord(), GOOD, True, True),
        (0, StepRecord(), BAD, True, False),
        (0, StepRecord(), GOOD, False, False),  # the checks held from the start, and the text is still to be read
        (0, StepRecord(unmet=True), GOOD, False, True),
        (0, StepRecord(unmet=True), BAD, False, False),
        (1, StepRecord(), GOOD, True, False),  # nothing was predicted
        (1, StepRecord(prediction=0), GOOD, True, True),
    ],
)
def test_a_step_is_done_once_it_is_predicted_and_its_checks_hold(
    step: int, record: StepRecord, judged: StepJudgement, pressed: bool, done: bool
) -> None:
    assert is_done(WORKSHOP.steps[step], record, judged, pressed=pressed) is done


def test_a_step_without_checks_needs_a_press() -> None:
    step = Step("a", "A", "Text.")
    assert not is_done(step, StepRecord(unmet=True), StepJudgement((), {}), pressed=False)
    assert is_done(step, StepRecord(), StepJudgement((), {}), pressed=True)


@pytest.mark.parametrize(("prediction", "words"), [(None, ""), (0, "one"), (1, "two"), (2, ""), (99, "")])
def test_a_prediction_beyond_the_choices_does_not_count(prediction: int | None, words: str) -> None:
    record = StepRecord(opened_at=1.0, prediction=prediction, passed_at=2.0)
    assert predicted_in(WORKSHOP.steps[1], record) == words
    assert predicted_in(WORKSHOP.steps[0], StepRecord(prediction=0)) == ""
    line = summarise(WORKSHOP, {"b": record}).lines[1]
    assert (line.predicted, line.right) == (words, words == "two" if words else None)


def test_the_summary_compares_predictions_with_the_truth() -> None:
    records = {
        "a": StepRecord(opened_at=10.0, passed_at=20.0, attempts=2, hints=1),
        "b": StepRecord(opened_at=20.0, prediction=1, passed_at=30.0),
        "c": StepRecord(opened_at=30.0, prediction=0, truth="own", passed_at=45.0, attempts=1),
    }
    summary = summarise(WORKSHOP, records)
    assert [(one.predicted, one.truth, one.right) for one in summary.lines] == [
        ("", "", None),
        ("two", "two", True),
        ("the machine's", "its own", False),
    ]
    assert [one.seconds for one in summary.lines] == [10.0, 10.0, 15.0]
    assert (summary.done, summary.asked, summary.right, summary.attempts) == (3, 2, 1, 3)
    assert (summary.started_at, summary.finished_at) == (10.0, 45.0)


def test_an_unfinished_step_reveals_no_truth() -> None:
    summary = summarise(WORKSHOP, {"b": StepRecord(opened_at=1.0, prediction=1)})
    assert [(one.truth, one.right) for one in summary.lines] == [("", None)] * 3
    assert (summary.done, summary.finished_at) == (0, 0.0)
    assert summarise(WORKSHOP, {}).started_at == 0.0


def test_a_truth_without_a_choice_is_the_reading() -> None:
    assert describe_truth(WORKSHOP.steps[2], "own") == "its own"
    assert describe_truth(WORKSHOP.steps[2], "::1") == "::1"
    assert describe_truth(WORKSHOP.steps[0], "x") == ""
    record = StepRecord(opened_at=1.0, prediction=0, truth="::1", passed_at=2.0)
    assert summarise(WORKSHOP, {"c": record}).lines[2].right is False
