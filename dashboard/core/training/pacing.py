"""Decides which steps of a session are open to a participant. Either the instructor sets the pace, or participants
proceed at their own pace up to a gate."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from dashboard.core.workshops.model import Workshop
from dashboard.core.workshops.progress import EMPTY, Records, StepRecord

MAX_TIMER_S = 4 * 3600.0


class Pace(StrEnum):
    """How steps open. ``together``: the instructor's step and those before it are open. ``gated``: each finished step
    opens the next one, up to the gate."""

    TOGETHER = "together"
    GATED = "gated"


@dataclass(frozen=True, slots=True)
class Pacing:
    """Which steps are open. ``until`` is the index of the first step that is closed. ``free`` is true if the open steps
    may be done in any order. ``locked`` is true if the instructor has locked all steps."""

    until: int
    free: bool
    locked: bool


def pacing_of(workshop: Workshop, pace: str, step: str, gate: str, *, locked: bool) -> Pacing:
    """Computes the pacing of a session. ``step`` is the slug of the instructor's step, ``gate`` the slug of the last
    step that may open. A slug that no longer exists counts as that of the first step."""
    together = pace == Pace.TOGETHER
    last = workshop.index(step if together else gate)
    return Pacing(until=(0 if last is None else last) + 1, free=together, locked=locked)


def step_at_offset(workshop: Workshop, step: str, offset: int) -> str:
    """Returns the slug of the step ``offset`` steps after ``step``, or before it if negative; at most the last and at
    least the first step."""
    number = (workshop.index(step) or 0) + offset
    return workshop.steps[min(max(number, 0), len(workshop.steps) - 1)].slug


def with_revealed(records: Records, revealed: Mapping[str, float], truths: Mapping[str, str]) -> Records:
    """Returns a participant's records as they count in a session without hosts: a revealed step that the participant
    has not done counts as done from the reveal on, or from when it was opened if that was later. ``revealed`` has the
    time of the reveal by step, ``truths`` the result that decides whether a prediction was right."""
    counted = dict(records)
    for slug, at in revealed.items():
        record: StepRecord = counted.get(slug, EMPTY)
        if not record.passed_at:
            truth = record.truth or truths.get(slug, "")
            counted[slug] = replace(record, passed_at=max(at, record.opened_at), truth=truth)
    return counted


def timer_ends(minutes: float, now: float) -> float:
    """Returns the time at which a timer of this length ends; 0 if ``minutes`` is 0. Raises ValueError if it is too long
    or not a number."""
    if not 0 <= minutes * 60 <= MAX_TIMER_S:  # false for NaN
        raise ValueError(f"A timer runs for at most {MAX_TIMER_S / 60:g} minutes.")
    return now + minutes * 60 if minutes else 0.0
