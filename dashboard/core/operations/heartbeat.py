"""What a lab tells of itself, and what is missing where it tells nothing, or nothing good.

All of it can be encoded: a web process without a lab of its own reads it from the lab's heartbeat.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

#: A lab that has said nothing for so long is away.
SILENT_S = 15.0
#: A pass comes every 30 s; one that is so much overdue does not come any more.
PASS_OVERDUE_S = 120.0


class Part(StrEnum):
    """What must be there so that somebody can work."""

    DATABASE = "database"
    LAB = "lab"
    ENGINE = "engine"


@dataclass(frozen=True, slots=True)
class Missing:
    """A part that is missing: one sentence that tells nothing of the machine, and since when (0: not known)."""

    part: Part
    reason: str
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class Vitals:
    """How a lab is. ``engine_since``: since when its engine answers, or does not; ``engine_problem`` says why not, in
    the words for people who are signed in. ``passed_at``: when it last compared all that is wanted with what is real.
    ``ended`` names a part of the lab that has ended by itself."""

    engine: str
    private: bool
    engine_answers: bool
    engine_since: float
    passed_at: float
    engine_problem: str = ""
    ended: str = ""


@dataclass(frozen=True, slots=True)
class Distribution:
    """How often a value was in each bucket: ``counts[i]`` at most ``bounds[i]`` and more than the bound before; the
    last one counts what is more than all bounds. ``total`` is their sum."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float

    @property
    def count(self) -> int:
        """How many values."""
        return sum(self.counts)


@dataclass(frozen=True, slots=True)
class Launches:
    """Arms of one mode with one outcome, by the seconds that it took."""

    mode: str
    outcome: str
    seconds: Distribution


@dataclass(frozen=True, slots=True)
class LabFigures:
    """What a lab has counted since its process began.

    ``commit_s``: from an entry's moment until it is in the database. ``database_s``: from a call of the database until
    its answer, with the wait for its turn. ``blocks`` by outcome, ``claims`` by verdict, ``wakeups`` by what became of
    them: ``woken`` (a pass because of one), ``missed`` (a pass found what none had told of), ``dropped`` (one that
    could not be handed on).
    """

    entries_appended: int
    entries_written: int
    entries_given_up: int
    write_failures: int
    commit_s: Distribution
    database_s: Distribution
    launches: tuple[Launches, ...] = ()
    blocks: tuple[tuple[str, int], ...] = ()
    claims: tuple[tuple[str, int], ...] = ()
    wakeups: tuple[tuple[str, int], ...] = ()

    @property
    def entries_waiting(self) -> int:
        """Entries that are in memory only: nothing of them is acknowledged yet."""
        return self.entries_appended - self.entries_written - self.entries_given_up


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A lab at one moment, ``at`` in seconds of the epoch."""

    at: float
    vitals: Vitals
    figures: LabFigures


def missing_of(beat: Heartbeat | None, now: float, *, without: Part = Part.ENGINE) -> tuple[Missing, ...]:
    """What is missing of lab and engine. ``without`` is what is missing where no lab has said anything yet: in a
    process that has its own, that is the engine, for which it waits."""
    if beat is None:
        reason = "No Docker Engine has answered yet." if without is Part.ENGINE else "No lab has been heard of yet."
        return (Missing(without, reason),)
    vitals = beat.vitals
    if now - beat.at > SILENT_S:
        return (Missing(Part.LAB, "The lab has not been heard of.", beat.at),)
    missing: list[Missing] = []
    if vitals.ended:
        missing.append(Missing(Part.LAB, f"A part of the lab has ended: {vitals.ended}."))
    elif now - vitals.passed_at > PASS_OVERDUE_S:
        missing.append(Missing(Part.LAB, "The lab does not come to the end of its work.", vitals.passed_at))
    if not vitals.engine_answers:
        missing.append(Missing(Part.ENGINE, "The Docker Engine does not answer.", vitals.engine_since))
    return tuple(missing)


def parts_missing(missing: Iterable[Missing]) -> tuple[Part, ...]:
    """Their names, each once, in the order of ``Part``."""
    names = {one.part for one in missing}
    return tuple(part for part in Part if part in names)
