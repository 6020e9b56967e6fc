"""``session-report/1``: what became of a class, as types. ``docs/session-report.md`` explains it.

Times are seconds; moments seconds since the epoch, 0 for never. A figure is None where there is none, or where it was
withheld (``core.training.results.anonymous``).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChoiceReport:
    """One answer: how many gave it, and their share of all who answered. ``right`` None: the truth is not known."""

    text: str
    count: int | None
    share: float | None
    right: bool | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What looks at kernels said: the word that was read, the answer that says the same (empty where none does), and
    how many looks said it."""

    reading: str
    words: str
    looks: int | None


@dataclass(frozen=True, slots=True)
class FailingCheck:
    """What a check expected when it failed, how often it did, and with how many people."""

    sentence: str
    count: int | None
    people: int | None


@dataclass(frozen=True, slots=True)
class StepReport:
    """One step. ``answered`` predicted; of ``known`` of them the truth is known, and ``right`` were right. ``source``
    is ``kernel``, ``workshop`` or empty; ``about`` says what was read. ``attempts`` are checks that failed; ``hints``
    those that were unfolded; ``hands`` and ``questions`` are asking for help. ``failing``: what failed most."""

    slug: str
    number: int
    title: str
    question: str
    choices: tuple[ChoiceReport, ...]
    answered: int | None
    known: int | None
    right: int | None
    share_right: float | None
    truth: str
    source: str
    about: str
    evidence: tuple[Evidence, ...]
    revealed_at: float
    opened: int | None
    done: int | None
    median_s: float | None
    p90_s: float | None
    attempts: int | None
    failing: tuple[FailingCheck, ...]
    hints: int | None
    hands: int | None
    questions: int | None


@dataclass(frozen=True, slots=True)
class CellReport:
    """One person in one step. ``state``: locked (never opened), predict, run or done; ``seconds`` from when it was
    opened until it was done. ``truth`` is what was read on this person's host, else what the class read."""

    step: str
    state: str
    seconds: float | None
    attempts: int
    predicted: str
    truth: str
    right: bool | None
    hints: int
    hands: int
    questions: int
    failing: str


@dataclass(frozen=True, slots=True)
class PersonReport:
    """One person."""

    seat: str
    name: str
    group: int
    joined_at: float
    left_at: float
    done: int
    answered: int
    known: int
    right: int
    attempts: int
    hints: int
    hands: int
    questions: int
    cells: tuple[CellReport, ...]


@dataclass(frozen=True, slots=True)
class SessionReport:
    """``session-report/1``. ``took_s`` runs from the first who joined to the end. ``anonymous``: nobody is in it, and
    figures are rounded."""

    id: str
    title: str
    workshop: str
    workshop_title: str
    created_at: float
    closed_at: float
    took_s: float
    pace: str
    hosts: str
    team_size: int
    joined: int | None
    steps: tuple[StepReport, ...]
    people: tuple[PersonReport, ...]
    anonymous: bool = False
    schema: str = "session-report/1"
