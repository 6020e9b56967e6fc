"""The state and counters that a lab reports, and which parts of Netmodes are missing according to them.

All values can be encoded as JSON: a web process without a lab receives them in messages.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from dashboard.core.experiments.engine_kind import EngineKind

#: A lab without a heartbeat for this time is missing.
SILENT_S = 15.0
#: The reconciler passes every 30 s; after this time without a pass it hangs.
PASS_OVERDUE_S = 120.0


class Part(StrEnum):
    """A part that must work for Netmodes to be ready."""

    DATABASE = "database"
    LAB = "lab"
    ENGINE = "engine"


@dataclass(frozen=True, slots=True)
class Missing:
    """A part that is missing. ``reason`` contains no details of the machine. ``since`` is in seconds since the epoch, 0
    if it is unknown."""

    part: Part
    reason: str
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class LabStatus:
    """The state of a lab.

    ``engine_since`` is when ``engine_answers`` last changed, or when the lab started. ``engine_startable`` is true if
    Netmodes can start the engine when a user asks for it. ``private_engine`` is the version of the dockerd that private
    hosts run; empty if it is not installed. ``passed_at`` is when the reconciler's last pass ended. ``ended`` is the
    name of a task of the lab that ended unexpectedly; empty if none did.
    """

    engine: str
    private: bool
    engine_answers: bool
    engine_since: float
    passed_at: float
    ended: str = ""
    engine_kind: EngineKind = EngineKind.DOCKER
    private_engine: str = ""
    engine_startable: bool = False


@dataclass(frozen=True, slots=True)
class Distribution:
    """A histogram. ``counts[i]`` is the number of values that are at most ``bounds[i]`` and above the previous bound.
    The last count is the number of values above all bounds. ``total`` is the sum of the values."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float


@dataclass(frozen=True, slots=True)
class Launches:
    """A histogram of launch durations, for the arms of one mode whose launches had the same outcome."""

    mode: str
    outcome: str
    seconds: Distribution


@dataclass(frozen=True, slots=True)
class LabMetrics:
    """Counters of a lab since its process started.

    ``commit_s`` is the time from the moment when a journal entry is appended until it is committed. ``database_s`` is
    the duration of database calls, including the wait for a thread. ``blocks``, ``claims`` and ``wakeups`` are counts
    by outcome. A wake-up is a message that something in the database has changed. Its outcomes are ``woken`` (a pass
    followed), ``missed`` (a pass found a change without a wake-up) and ``dropped`` (could not be sent).
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
        """The number of journal entries in memory that are not committed yet."""
        return self.entries_appended - self.entries_written - self.entries_given_up


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The state and the counters of a lab at the time ``at``, in seconds since the epoch."""

    at: float
    status: LabStatus
    metrics: LabMetrics


def missing_parts(heartbeat: Heartbeat | None, now: float, *, without: Part = Part.ENGINE) -> tuple[Missing, ...]:
    """Returns the parts that are missing, with reasons; empty if the lab and the engine work.

    Before the first heartbeat, only the part ``without`` is returned. A process with a lab of its own passes the
    engine, because this lab has no heartbeat until the engine answers. Other processes pass the lab.
    """
    if heartbeat is None:
        reason = "No Docker Engine has answered yet." if without is Part.ENGINE else "No lab has started yet."
        return (Missing(without, reason),)
    status = heartbeat.status
    if now - heartbeat.at > SILENT_S:
        return (Missing(Part.LAB, "The lab does not respond.", heartbeat.at),)
    missing: list[Missing] = []
    if status.ended:
        missing.append(Missing(Part.LAB, f"A task of the lab ended unexpectedly: {status.ended}."))
    elif now - status.passed_at > PASS_OVERDUE_S:
        missing.append(Missing(Part.LAB, "The lab hangs: its latest pass has not ended.", status.passed_at))
    if not status.engine_answers:
        missing.append(Missing(Part.ENGINE, "The Docker Engine does not answer.", status.engine_since))
    return tuple(missing)


def part_names(missing: Iterable[Missing]) -> tuple[Part, ...]:
    """Returns the missing parts, each once, in the order of ``Part``."""
    parts = {item.part for item in missing}
    return tuple(part for part in Part if part in parts)
