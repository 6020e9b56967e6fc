"""Which steps of a session are open: together with the instructor, or at the participants' own pace up to a gate."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from dashboard.core.workshops.model import Workshop
from dashboard.core.workshops.progress import EMPTY, Records, StepRecord

MAX_TIMER_S = 4 * 3600.0


class Pace(StrEnum):
    """``together``: the instructor's step and those before it are open. ``gated``: each finished step opens the next
    one, up to the gate."""

    TOGETHER = "together"
    GATED = "gated"


@dataclass(frozen=True, slots=True)
class Pacing:
    """Which steps are open. ``until`` is the number of the first step that is closed; ``free``: open steps can be done
    in any order."""

    until: int
    free: bool
    locked: bool


def pacing_of(workshop: Workshop, pace: str, step: str, gate: str, *, locked: bool) -> Pacing:
    """The pacing of a session. A step or gate that no longer exists counts as the first step."""
    together = pace == Pace.TOGETHER
    last = workshop.index(step if together else gate)
    return Pacing(until=(0 if last is None else last) + 1, free=together, locked=locked)


def step_at_offset(workshop: Workshop, step: str, offset: int) -> str:
    """The slug of the step ``offset`` steps after (or before) this one, limited to the first and the last step."""
    number = (workshop.index(step) or 0) + offset
    return workshop.steps[min(max(number, 0), len(workshop.steps) - 1)].slug


def with_revealed(records: Records, revealed: Collection[str], truths: Mapping[str, str], at: float) -> Records:
    """The records of a participant without a host: a step counts as done once its answer is revealed."""
    counted = dict(records)
    for slug in revealed:
        record: StepRecord = counted.get(slug, EMPTY)
        if not record.passed_at:
            counted[slug] = replace(record, passed_at=at, truth=record.truth or truths.get(slug, ""))
    return counted


def timer_ends(minutes: float, now: float) -> float:
    """When a timer ends; 0 for none. Raises ValueError if it is too long or not a number."""
    if not 0 <= minutes * 60 <= MAX_TIMER_S:  # false for NaN
        raise ValueError(f"A timer runs for at most {MAX_TIMER_S / 60:g} minutes.")
    return now + minutes * 60 if minutes else 0.0
