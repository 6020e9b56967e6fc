"""The predictions of a session's participants: their distribution, the correct answer, and scores."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from dashboard.core.workshops.model import Step, correct_choice
from dashboard.core.workshops.progress import Records, StepRecord


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer, and how many participants gave it. ``right`` is None until the correct answer is revealed, or if it
    is unknown."""

    text: str
    count: int
    right: bool | None = None


@dataclass(frozen=True, slots=True)
class Histogram:
    """The answers to the question of one step. ``truth`` is the correct answer as text, empty if it is unknown or not
    revealed. ``read`` is true if ``truth`` is known and was read from the kernel, not fixed by the workshop."""

    step: str
    question: str
    choices: tuple[Choice, ...]
    answered: int
    truth: str = ""
    read: bool = False
    revealed: bool = False


def histogram(step: Step, answers: Iterable[int], truth: str, *, revealed: bool) -> Histogram | None:
    """Counts the predictions for each choice; None if the step asks no question. ``answers`` are indexes of choices;
    ``truth`` is the result that was read from the kernel (see ``session_truth``)."""
    if step.predict is None:
        return None
    counts = Counter(answer for answer in answers if 0 <= answer < len(step.predict.choices))
    right = correct_choice(step.predict, truth) if revealed else None
    known = revealed and (right is not None or bool(truth))
    choices = tuple(
        Choice(text, counts[number], number == right if known else None)
        for number, text in enumerate(step.predict.choices)
    )
    shown_truth = (step.predict.choices[right] if right is not None else truth) if known else ""
    read = known and step.predict.answer is None
    return Histogram(step.slug, step.predict.question, choices, counts.total(), shown_truth, read, revealed)


def is_late(record: StepRecord, revealed_at: float) -> bool:
    """Whether the prediction was made after the answer was revealed at the time ``revealed_at``, 0 for never. With such
    a prediction a participant with a host can go on, but it does not count."""
    return 0 < revealed_at < record.predicted_at


def counted_predictions(records: Iterable[StepRecord], revealed_at: float) -> list[int]:
    """Returns the predictions of one step that are not late (``is_late``), from the records of all participants."""
    return [one.prediction for one in records if one.prediction is not None and not is_late(one, revealed_at)]


def without_late_predictions(records: Records, revealed: Mapping[str, float]) -> Records:
    """Returns a participant's records without the predictions that are late (``is_late``). ``revealed`` has the time of
    the reveal by step."""
    return {
        slug: replace(record, prediction=None) if is_late(record, revealed.get(slug, 0.0)) else record
        for slug, record in records.items()
    }


def has_everyone_answered(people: Collection[str], answered: Collection[str]) -> bool:
    """Whether all participants in ``people`` are among those who ``answered``; False if ``people`` is empty."""
    return bool(people) and set(people) <= set(answered)


def session_truth(readings: Iterable[str]) -> str:
    """Returns the most frequent of the results that were read from the kernels of participants' hosts (``readings``).
    If several are equally frequent, returns the earliest; if there are none, an empty text."""
    counts = Counter(reading for reading in readings if reading)
    return counts.most_common(1)[0][0] if counts else ""


@dataclass(frozen=True, slots=True)
class Score:
    """The number of right predictions (``right``) out of those whose correct answer is known (``of``)."""

    right: int
    of: int


def score_of(steps: Iterable[Step], records: Records, revealed: frozenset[str]) -> Score:
    """Counts the right predictions in steps that are done or revealed. A prediction whose right answer was not read on
    the participant's host (``StepRecord.counted_truth``) does not count."""
    right = of = 0
    for step in steps:
        record = records.get(step.slug)
        if step.predict is None or record is None or record.prediction is None:
            continue
        if not record.passed_at and step.slug not in revealed:
            continue
        truth = correct_choice(step.predict, record.counted_truth)
        if truth is None and not record.counted_truth:
            continue
        of += 1
        right += record.prediction == truth
    return Score(right, of)
