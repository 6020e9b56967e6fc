"""What a class has predicted, what is true by the kernel's evidence, and who was right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from dashboard.core.workshops.model import Step, right_choice
from dashboard.core.workshops.progress import Records


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer and how many gave it. ``right`` is None as long as nothing is revealed or known."""

    text: str
    count: int
    right: bool | None = None


@dataclass(frozen=True, slots=True)
class Histogram:
    """The answers of a class to one question. ``truth`` in words, empty where it is not known or not yet shown;
    ``read`` tells that the kernel said it, and not the workshop."""

    step: str
    question: str
    choices: tuple[Choice, ...]
    answered: int
    truth: str = ""
    read: bool = False
    revealed: bool = False


def histogram(step: Step, answers: Iterable[int], truth: str, *, revealed: bool) -> Histogram | None:
    """What was predicted; None where nothing is asked. ``truth`` is what was read (see ``class_truth``)."""
    if step.predict is None:
        return None
    counts = Counter(one for one in answers if 0 <= one < len(step.predict.choices))
    right = right_choice(step.predict, truth) if revealed else None
    known = revealed and (right is not None or bool(truth))
    choices = tuple(
        Choice(text, counts[number], number == right if known else None)
        for number, text in enumerate(step.predict.choices)
    )
    said = (step.predict.choices[right] if right is not None else truth) if known else ""
    read = known and step.predict.answer is None
    return Histogram(step.slug, step.predict.question, choices, counts.total(), said, read, revealed)


def class_truth(truths: Iterable[str]) -> str:
    """What the kernel said, from the looks of everybody who ran it: what was read most often, and of these what was
    read first; empty if nobody has run it."""
    counts = Counter(one for one in truths if one)
    return counts.most_common(1)[0][0] if counts else ""


@dataclass(frozen=True, slots=True)
class Score:
    """How many predictions were right, of how many whose truth is known."""

    right: int
    of: int


def score_of(steps: Iterable[Step], records: Records, shown: frozenset[str]) -> Score:
    """Of the steps that are done or whose answer was ``shown``."""
    right = of = 0
    for step in steps:
        record = records.get(step.slug)
        if step.predict is None or record is None or record.prediction is None:
            continue
        if not record.passed_at and step.slug not in shown:
            continue
        truth = right_choice(step.predict, record.truth)
        if truth is None and not record.truth:
            continue
        of += 1
        right += record.prediction == truth
    return Score(right, of)
