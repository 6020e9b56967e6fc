"""How somebody walks through a workshop: which steps are open, when a step is done, and what it came to.

The first time through each step opens the next one; going back is free. No clock: times are arguments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from dashboard.core.workshops.model import Judged, Step, Workshop, right_choice


@dataclass(frozen=True, slots=True)
class StepRecord:
    """What is known of one person and one step. Times in seconds since the epoch, 0 for never.

    ``prediction`` is the index of the choice; ``truth`` what was read; ``attempts`` counts presses of Check that
    failed; ``unmet`` is true once a check was seen to fail since the step was opened; ``noted`` is what was seen of
    events; ``failing`` is the last failing check, ``hints`` how many were unfolded."""

    opened_at: float = 0.0
    prediction: int | None = None
    predicted_at: float = 0.0
    truth: str = ""
    attempts: int = 0
    unmet: bool = False
    noted: Mapping[str, str] = field(default_factory=dict)
    failing: str = ""
    hints: int = 0
    passed_at: float = 0.0


EMPTY = StepRecord()
Records = Mapping[str, StepRecord]


class Stage(StrEnum):
    """Where a step stands for a person."""

    LOCKED = "locked"
    PREDICT = "predict"
    RUN = "run"
    DONE = "done"


def reached(workshop: Workshop, records: Records, until: int | None = None) -> int:
    """The number of the first step that is not done, counted from 0; that of steps if all are.

    ``until`` is a gate that somebody else keeps: no step from there on is open.
    """
    first = next(
        (number for number, step in enumerate(workshop.steps) if not records.get(step.slug, EMPTY).passed_at),
        len(workshop.steps),
    )
    return first if until is None else min(first, until)


def stage(workshop: Workshop, records: Records, number: int, until: int | None = None, *, free: bool = False) -> Stage:
    """Where a step stands. ``free``: it is open whatever was done before."""
    step = workshop.steps[number]
    record = records.get(step.slug, EMPTY)
    if record.passed_at:
        return Stage.DONE
    if (number > reached(workshop, records) and not free) or (until is not None and number >= until):
        return Stage.LOCKED
    return Stage.PREDICT if step.predict is not None and record.prediction is None else Stage.RUN


def is_done(step: Step, record: StepRecord, judged: Judged, *, pressed: bool) -> bool:
    """Whether a look ends the step. A look that nobody asked for ends it only after something has changed: where all
    is as it should be from the start there is something to be read first."""
    if step.predict is not None and record.prediction is None:
        return False
    return judged.ok and (pressed or (record.unmet and bool(step.checks)))


@dataclass(frozen=True, slots=True)
class Line:
    """One step in the summary. ``right`` is None where nothing was predicted or the truth is not known."""

    step: Step
    predicted: str
    truth: str
    right: bool | None
    attempts: int
    hints: int
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Summary:
    """What a walk came to."""

    lines: tuple[Line, ...]
    done: int
    asked: int
    right: int
    attempts: int
    started_at: float
    finished_at: float


def truth_in_words(step: Step, truth: str) -> str:
    """The choice that is true, or what was read where no choice says it."""
    if step.predict is None:
        return ""
    index = right_choice(step.predict, truth)
    return step.predict.choices[index] if index is not None else truth


def summarise(workshop: Workshop, records: Records) -> Summary:
    """Every step with what was predicted and what was true."""
    lines = []
    for step in workshop.steps:
        record = records.get(step.slug, EMPTY)
        predicted, right = "", None
        if step.predict is not None and record.prediction is not None and record.prediction < len(step.predict.choices):
            predicted = step.predict.choices[record.prediction]
            index = right_choice(step.predict, record.truth)
            known = index is not None or bool(record.truth)
            right = record.prediction == index if known and record.passed_at else None
        took = record.passed_at - record.opened_at if record.passed_at and record.opened_at else None
        truth = truth_in_words(step, record.truth) if record.passed_at else ""
        lines.append(Line(step, predicted, truth, right, record.attempts, record.hints, took))
    of_steps = [records[step.slug] for step in workshop.steps if step.slug in records]
    opened = [one.opened_at for one in of_steps if one.opened_at]
    whole = all(step.slug in records and records[step.slug].passed_at for step in workshop.steps)
    return Summary(
        tuple(lines),
        sum(1 for one in of_steps if one.passed_at),
        sum(1 for one in lines if one.right is not None),
        sum(1 for one in lines if one.right),
        sum(one.attempts for one in lines),
        min(opened, default=0.0),
        max((one.passed_at for one in of_steps), default=0.0) if whole else 0.0,
    )
