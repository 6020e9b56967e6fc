"""Permissions of participants in each step of a session."""

from __future__ import annotations

import pytest

from dashboard.core.training.pacing import Pacing, pacing_of, step_at_offset, timer_ends, with_revealed
from dashboard.core.workshops.progress import StepRecord, step_stage
from tests.core.workshops.test_progress import DONE, WORKSHOP


@pytest.mark.parametrize(
    ("pace", "step", "gate", "expected"),
    [
        ("together", "b", "", Pacing(2, True, False)),
        ("together", "a", "c", Pacing(1, True, False)),
        ("gated", "a", "c", Pacing(3, False, False)),
        ("gated", "c", "gone", Pacing(1, False, False)),
    ],
)
def test_participants_may_go_as_far_as_the_pace_allows(pace: str, step: str, gate: str, expected: Pacing) -> None:
    assert pacing_of(WORKSHOP, pace, step, gate, locked=False) == expected


def test_with_the_instructor_a_step_is_open_even_if_earlier_ones_are_not_done() -> None:
    def stages(pacing: Pacing) -> list[str]:
        return [str(step_stage(WORKSHOP, {}, number, pacing.until, free=pacing.free)) for number in range(3)]

    assert stages(pacing_of(WORKSHOP, "together", "b", "", locked=False)) == ["run", "predict", "locked"]
    assert stages(pacing_of(WORKSHOP, "gated", "", "b", locked=False)) == ["run", "locked", "locked"]


def test_offsets_stop_at_the_first_and_the_last_step() -> None:
    assert [step_at_offset(WORKSHOP, "b", by) for by in (-5, -1, 0, 1, 5)] == ["a", "a", "b", "c", "c"]
    assert step_at_offset(WORKSHOP, "gone", 1) == "b"


def test_without_hosts_a_step_is_done_once_its_answer_is_revealed() -> None:
    before = {"a": DONE, "c": StepRecord(prediction=0)}
    after = with_revealed(before, {"a": 9.0, "c": 9.0}, {"c": "own"})
    assert after["a"] is DONE
    assert (after["c"].truth, after["c"].passed_at, after["c"].prediction) == ("own", 9.0, 0)
    assert before["c"].passed_at == 0


@pytest.mark.parametrize(("opened", "passed"), [(0.0, 9.0), (4.0, 9.0), (12.0, 12.0)])
def test_without_hosts_the_time_in_a_step_ends_with_the_reveal(opened: float, passed: float) -> None:
    assert with_revealed({"c": StepRecord(opened_at=opened)}, {"c": 9.0}, {})["c"].passed_at == passed


def test_a_timer_is_limited() -> None:
    assert timer_ends(0, 100.0) == 0
    assert timer_ends(1.5, 100.0) == 190.0
    for minutes in (-1.0, 1000.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="at most 240 minutes"):
            timer_ends(minutes, 100.0)
