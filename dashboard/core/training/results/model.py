"""The types of ``session-report/1``, explained in ``docs/sessions.md``.

Durations are seconds; times are seconds since the epoch, 0 for never. A figure is None where it does not exist or was
withheld (``core.training.results.anonymous``).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChoiceReport:
    """One answer: how many participants gave it, and their share of all answers, from 0 to 1. ``right`` is None if the
    correct answer is unknown."""

    text: str
    count: int | None
    share: float | None
    right: bool | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """A value that was read from kernels to find the correct answer of a step. ``reading`` is the value, and ``looks``
    the number of observations that gave it. ``words`` is the text of the choice that this value makes correct, empty if
    it makes no choice correct.

    In an anonymous report, the value is left out: ``reading`` has the same text as ``words``."""

    reading: str
    words: str
    looks: int | None


@dataclass(frozen=True, slots=True)
class FailingCheck:
    """A failed check: the sentence that states its expectation, how often it failed, and for how many participants."""

    sentence: str
    count: int | None
    people: int | None


@dataclass(frozen=True, slots=True)
class StepReport:
    """The figures of one step.

    ``answered`` counts predictions, ``known`` those whose correct answer is known, ``right`` the right ones. ``truth``
    is the correct answer. ``source`` is ``kernel`` if it was read from a kernel, ``workshop`` if the workshop fixes it,
    and empty if it is unknown. ``about`` describes what is read.

    ``opened`` and ``done`` count participants. ``median_s`` and ``p90_s`` are the median and the 90th percentile of the
    times from opening the step to finishing it. ``attempts`` counts failed checks; ``failing`` has the most frequent
    ones. ``hints`` counts opened hints. ``hands`` and ``questions`` count requests for help.
    """

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
    """One participant in one step.

    ``state`` is locked (never opened), predict, run or done. ``seconds`` is the time from opening the step to finishing
    it. ``predicted`` is empty if the participant did not predict before the reveal. ``truth`` is the correct answer. If
    the workshop does not fix it, it follows from what was read from this participant's host. If nothing was read there,
    it follows from the most frequent reading of all hosts.
    """

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
    """One participant. ``seat`` is the participant's id."""

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
    """The document ``session-report/1``. ``took_s`` is the time from the first joining to the end of the session. If
    ``anonymous`` is true, the report has no participants, and its figures are rounded."""

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
