"""The types of ``session-report/1``, explained in ``docs/sessions.md``.

Durations are seconds; times are seconds since the epoch, 0 for never. A figure is None where it does not exist or was
withheld (``core.training.results.anonymous``).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChoiceReport:
    """One answer: how many gave it, and their share of all answers. ``right`` None: the truth is unknown."""

    text: str
    count: int | None
    share: float | None
    right: bool | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """A reading of kernels: what was read, the answer with the same meaning (may be empty), and how many
    observations (``looks``) read it."""

    reading: str
    words: str
    looks: int | None


@dataclass(frozen=True, slots=True)
class FailingCheck:
    """A failed check: its expectation, how often it failed, and for how many participants."""

    sentence: str
    count: int | None
    people: int | None


@dataclass(frozen=True, slots=True)
class StepReport:
    """One step. ``answered`` counts predictions, ``known`` those with a known truth, ``right`` the right ones.
    ``source`` of the truth is ``kernel``, ``workshop`` or empty; ``about`` describes what was read. ``attempts`` counts
    failed checks, ``hints`` opened hints, ``hands`` and ``questions`` requests for help. ``failing``: the most frequent
    failures."""

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
    """One participant in one step. ``state``: locked (never opened), predict, run or done; ``seconds`` from opening to
    finishing it. ``truth`` is the reading from this participant's host, otherwise the most frequent reading of all
    participants."""

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
    """One participant; ``seat`` is the id."""

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
    """The document ``session-report/1``. ``took_s`` runs from the first joining to the end. ``anonymous``: without
    participants, with rounded figures."""

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
