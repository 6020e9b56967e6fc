"""Who may do what in which step of a class: together with the instructor, or at one's own pace up to a gate."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from dashboard.core.workshops.model import Workshop
from dashboard.core.workshops.progress import EMPTY, Records, StepRecord

LONGEST_TIMER_S = 4 * 3600.0


class Pace(StrEnum):
    """``together``: the instructor's step and those before it are open. ``gated``: each step opens the next one, up
    to the gate."""

    TOGETHER = "together"
    GATED = "gated"


@dataclass(frozen=True, slots=True)
class Pacing:
    """How far people may go now. ``until`` is the number of the first step that is closed; ``free``: what is open
    does not depend on what was done before."""

    until: int
    free: bool
    locked: bool


def pacing_of(workshop: Workshop, pace: str, step: str, gate: str, *, locked: bool) -> Pacing:
    """From the session's row. A step or gate that is not there any more is the first step."""
    together = pace == Pace.TOGETHER
    last = workshop.index(step if together else gate)
    return Pacing(until=(0 if last is None else last) + 1, free=together, locked=locked)


def step_beside(workshop: Workshop, step: str, by: int) -> str:
    """The slug of the step so many further on, or back; the first and the last are the ends."""
    at = workshop.index(step) or 0
    return workshop.steps[min(max(at + by, 0), len(workshop.steps) - 1)].slug


def with_revealed(records: Records, revealed: Collection[str], truths: Mapping[str, str], at: float) -> Records:
    """What somebody has done, where nobody has a host: a step is done once its answer was shown."""
    seen = dict(records)
    for slug in revealed:
        record: StepRecord = seen.get(slug, EMPTY)
        if not record.passed_at:
            seen[slug] = replace(record, passed_at=at, truth=record.truth or truths.get(slug, ""))
    return seen


def timer_ends(minutes: float, now: float) -> float:
    """When a timer ends; 0 for none. ValueError for one that is too long or no number."""
    if not 0 <= minutes * 60 <= LONGEST_TIMER_S:  # not a number is in no interval
        raise ValueError(f"A timer runs for at most {LONGEST_TIMER_S / 60:g} minutes.")
    return now + minutes * 60 if minutes else 0.0
