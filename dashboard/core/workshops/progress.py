"""Progress in a workshop: which steps are open, when a step is done, and the summary at the end.

A finished step opens the next one; going back is always allowed. No clock is read: times are arguments.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from dashboard.core.workshops.model import Step, StepJudgement, Workshop, correct_choice


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at the time ``at``.

    The kinds of a participant's events are started, predicted, did (ran a command with its button), checked (a check
    failed), hint, passed, finished, hand (raised it), lowered (the hand), away and back (the connection), asked (a
    question) and told (a hint to this participant). The kinds of a session's events are those of the model
    ``SessionEvent``, and told (a hint to all).
    """

    at: float
    kind: str
    step: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class StepRecord:
    """The recorded progress of one person in one step. Times are seconds since the epoch, 0 for never.

    ``prediction`` is the index of a choice. ``truth`` is the result of the prediction's ``reading`` on this person's
    host. ``attempts`` counts how often Check was pressed and a check failed. ``unmet`` is true once a check has failed
    since the step was opened. ``noted`` maps the index of a check to the event that the check has observed. ``failing``
    is the expectation of the first check that failed when the step was last judged, empty if all held. ``hints`` is the
    number of opened hints.
    """

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

    @property
    def counted_truth(self) -> str:
        """``truth`` if all checks held when the step was last judged. Otherwise empty: what was read may be the state
        before the step's commands were run."""
        return self.truth if self.passed_at or not self.failing else ""


EMPTY = StepRecord()
Records = Mapping[str, StepRecord]


class StepStage(StrEnum):
    """The stage of a step for one person."""

    LOCKED = "locked"
    PREDICT = "predict"
    RUN = "run"
    DONE = "done"


def current_step(workshop: Workshop, records: Records, until: int | None = None) -> int:
    """Returns the index of the first step that is not done; the number of steps if all are done.

    ``until`` is the instructor's gate: steps from this index on are closed, so that the result is at most ``until``.
    """
    first = next(
        (number for number, step in enumerate(workshop.steps) if not records.get(step.slug, EMPTY).passed_at),
        len(workshop.steps),
    )
    return first if until is None else min(first, until)


def step_stage(
    workshop: Workshop, records: Records, number: int, until: int | None = None, *, free: bool = False
) -> StepStage:
    """Returns the stage of the step with the index ``number``. An unfinished step is locked if its index is ``until``
    or higher. If ``free`` is true, a step is open even if earlier steps are not done."""
    step = workshop.steps[number]
    record = records.get(step.slug, EMPTY)
    if record.passed_at:
        return StepStage.DONE
    if (number > current_step(workshop, records) and not free) or (until is not None and number >= until):
        return StepStage.LOCKED
    return StepStage.PREDICT if step.predict is not None and record.prediction is None else StepStage.RUN


def is_done(step: Step, record: StepRecord, judgement: StepJudgement, *, pressed: bool) -> bool:
    """Whether the step is done with this judgement. All checks must hold, and the step's question must be answered.

    ``pressed`` is true if the participant pressed Check. If it is false, the step was judged automatically. Such a
    judgement completes a step only if a check has failed before: if all checks hold from the start, the participant has
    to read the text and press Check.
    """
    if step.predict is not None and record.prediction is None:
        return False
    return judgement.ok and (pressed or (record.unmet and bool(step.checks)))


@dataclass(frozen=True, slots=True)
class SummaryLine:
    """One step in the summary. ``right`` is None if the step is not done, has no prediction, or its right answer is
    unknown. ``truth`` is the right answer as text, empty if it is unknown or the step is not done. ``seconds`` is the
    time from opening the step to finishing it, None if it is unknown."""

    step: Step
    predicted: str
    truth: str
    right: bool | None
    attempts: int
    hints: int
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Summary:
    """The result of a workshop. ``done`` counts finished steps. ``asked`` counts predictions whose right answer is
    known, and ``right`` those that were right. ``finished_at`` is 0 until all steps are done."""

    lines: tuple[SummaryLine, ...]
    done: int
    asked: int
    right: int
    attempts: int
    started_at: float
    finished_at: float


def predicted_in(step: Step, record: StepRecord) -> str:
    """Returns the text of the predicted choice; empty without a prediction, and if the step no longer has the
    choice."""
    asked, number = step.predict, record.prediction
    return asked.choices[number] if asked is not None and number is not None and number < len(asked.choices) else ""


def describe_truth(step: Step, truth: str) -> str:
    """Returns the text of the right choice, or ``truth`` if no choice matches; empty if the step asks no question."""
    if step.predict is None:
        return ""
    index = correct_choice(step.predict, truth)
    return step.predict.choices[index] if index is not None else truth


def summarise(workshop: Workshop, records: Records) -> Summary:
    """Computes the summary of a workshop from the records of its steps."""
    lines = []
    for step in workshop.steps:
        record = records.get(step.slug, EMPTY)
        predicted, right = predicted_in(step, record), None
        if step.predict is not None and predicted:
            index = correct_choice(step.predict, record.truth)
            known = index is not None or bool(record.truth)
            right = record.prediction == index if known and record.passed_at else None
        seconds = record.passed_at - record.opened_at if record.passed_at and record.opened_at else None
        truth = describe_truth(step, record.truth) if record.passed_at else ""
        lines.append(SummaryLine(step, predicted, truth, right, record.attempts, record.hints, seconds))
    step_records = [records.get(step.slug, EMPTY) for step in workshop.steps]
    done = sum(1 for record in step_records if record.passed_at)
    return Summary(
        lines=tuple(lines),
        done=done,
        asked=sum(1 for line in lines if line.right is not None),
        right=sum(1 for line in lines if line.right),
        attempts=sum(line.attempts for line in lines),
        started_at=min((record.opened_at for record in step_records if record.opened_at), default=0.0),
        finished_at=max((record.passed_at for record in step_records), default=0.0) if done == len(lines) else 0.0,
    )
