"""The predictions of a session, and the true answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.core.training.predictions import (
    Score,
    counted_predictions,
    has_everyone_answered,
    histogram,
    is_late,
    score_of,
    session_truth,
    without_late_predictions,
)
from dashboard.core.workshops.progress import StepRecord
from tests.core.workshops.test_progress import WORKSHOP

A, B, C = WORKSHOP.steps


def test_every_answer_counts_once_and_nothing_is_shown_before_the_reveal() -> None:
    found = histogram(C, [0, 1, 1, 7, -1], "own", revealed=False)
    assert found is not None
    assert [(one.count, one.right) for one in found.choices] == [(1, None), (2, None)]
    assert (found.answered, found.truth) == (3, "")
    assert histogram(A, [0], "", revealed=True) is None


def test_the_reveal_shows_the_reading_of_the_kernel() -> None:
    found = histogram(C, [0, 1, 1], "own", revealed=True)
    assert found is not None
    assert [one.right for one in found.choices] == [False, True]
    assert (found.truth, found.read) == ("its own", True)
    fixed = histogram(B, [0], "", revealed=True)
    assert fixed is not None
    assert (fixed.truth, fixed.read) == ("two", False)


def test_a_step_that_was_not_run_has_no_truth_and_a_reading_without_a_choice_is_shown() -> None:
    unknown = histogram(C, [0], "", revealed=True)
    assert unknown is not None
    assert (unknown.truth, [one.right for one in unknown.choices]) == ("", [None, None])
    other = histogram(C, [0], "something else", revealed=True)
    assert other is not None
    assert (other.truth, [one.right for one in other.choices]) == ("something else", [False, False])


def test_the_truth_of_a_session_is_the_most_frequent_reading() -> None:
    assert session_truth(["", "own", "machine", "own", ""]) == "own"
    assert session_truth(["machine", "own"]) == "machine"
    assert session_truth(["", ""]) == ""


def test_scores_count_only_known_truths() -> None:
    records = {
        "b": StepRecord(prediction=1, passed_at=1.0),
        "c": StepRecord(prediction=0, truth="own"),
    }
    assert score_of(WORKSHOP.steps, records, frozenset()) == Score(1, 1)
    assert score_of(WORKSHOP.steps, records, frozenset({"c"})) == Score(1, 2)
    assert score_of(WORKSHOP.steps, {"c": StepRecord(prediction=0, passed_at=1.0)}, frozenset()) == Score(0, 0)


def test_a_reading_before_the_step_was_run_judges_no_prediction() -> None:
    before = StepRecord(prediction=0, truth="own", failing="no container web")
    assert score_of(WORKSHOP.steps, {"c": before}, frozenset({"c"})) == Score(0, 0)
    done = replace(before, truth="machine", failing="", passed_at=1.0)
    assert score_of(WORKSHOP.steps, {"c": done}, frozenset({"c"})) == Score(1, 1)


@pytest.mark.parametrize(
    ("predicted", "revealed", "late"), [(5.0, 0.0, False), (5.0, 6.0, False), (5.0, 5.0, False), (5.0, 4.0, True)]
)
def test_only_predictions_before_the_reveal_count(predicted: float, revealed: float, late: bool) -> None:
    record = StepRecord(prediction=1, predicted_at=predicted, passed_at=9.0)
    assert is_late(record, revealed) is late
    assert counted_predictions([record, StepRecord()], revealed) == ([] if late else [1])
    counting = without_late_predictions({"b": record}, {"b": revealed} if revealed else {})
    assert score_of(WORKSHOP.steps, counting, frozenset()) == (Score(0, 0) if late else Score(1, 1))
    assert counting["b"].passed_at == 9.0


@pytest.mark.parametrize(
    ("people", "answered", "everyone"),
    [
        ({"ada", "bob"}, {"ada", "bob"}, True),
        ({"ada", "bob"}, {"ada"}, False),
        ({"ada"}, {"ada", "removed"}, True),
        ({"ada"}, {"removed"}, False),
        (set(), set(), False),
    ],
)
def test_everyone_has_answered_only_if_each_participant_has(
    people: set[str], answered: set[str], everyone: bool
) -> None:
    assert has_everyone_answered(people, answered) is everyone
