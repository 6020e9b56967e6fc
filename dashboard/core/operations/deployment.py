"""Rules of the team deployment: roles of processes, when a lab is unavailable, timeouts of remote calls.

No clock: times are arguments, in seconds.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from dashboard.core.experiments.messages import EngineRef
from dashboard.core.operations.heartbeat import SILENT_S, Heartbeat

#: A lab without pages prints this, with the name of its engine, when it accepts calls.
LAB_READY = "The lab of Netmodes is running"
#: The interval of a lab's heartbeats, and the silence after which pages treat the lab as unavailable.
HEARTBEAT_S = 2.0
UNAVAILABLE_S = 7.0
#: A lab with an older heartbeat is not healthy.
HEALTHY_S = 15.0
#: How long a web process waits for the result of a remote call, and the pauses between two reads of its row.
CALL_TIMEOUT_S = 60.0
FIRST_PAUSE_S = 0.05
MAX_PAUSE_S = 0.5
#: Unread results and rows of ended processes are deleted after this time.
RETENTION_S = 600.0

NO_LAB = "No lab has started yet. Run ./netmodes up --role lab on the Docker machine."
LAB_UNAVAILABLE = "The lab on the Docker machine does not respond. Containers keep running. Try again in a moment."
CALL_TIMED_OUT = "The lab on the Docker machine did not respond in time. Try again in a moment."
ENGINE_UNAVAILABLE = "No Docker Engine answers."


class Role(StrEnum):
    """The role of a process: serve pages (``web``), drive Docker (``lab``), or both (``all``)."""

    ALL = "all"
    WEB = "web"
    LAB = "lab"

    @property
    def serves(self) -> bool:
        """Whether it serves browsers."""
        return self is not Role.LAB

    @property
    def drives(self) -> bool:
        """Whether it uses Docker and the kernel."""
        return self is not Role.WEB


def parse_role(text: str) -> Role:
    """The role with this name; ValueError with a message for the user."""
    try:
        return Role(text)
    except ValueError:
        raise ValueError(f"Unknown role “{text[:40]}”: choose all, web or lab.") from None


@dataclass(frozen=True, slots=True)
class LabFacts:
    """A lab as pages show it: its engine, or the ``problem`` why it has none. ``heartbeat`` has the state and the
    counters for ``/readyz`` and ``/metrics``; its ``at`` is by the clock of the lab's machine."""

    engine: EngineRef | None = None
    problem: str = ""
    heartbeat: Heartbeat | None = None


@dataclass(frozen=True, slots=True)
class LastHeartbeat:
    """The newest heartbeat of a lab: its number, when this process first saw it, and the facts in it."""

    number: int
    at: float
    facts: LabFacts = LabFacts()


def receive(before: LastHeartbeat | None, number: int, age_s: float, facts: LabFacts, now: float) -> LastHeartbeat:
    """The last heartbeat after a read of the lab's row.

    The row's age compares the clocks of two machines: it counts only in the first read, and only if it is large.
    """
    if before is not None and before.number == number:
        return LastHeartbeat(number, before.at, facts)
    is_old = before is None and age_s > HEALTHY_S
    return LastHeartbeat(number, now - age_s if is_old else now, facts)


def current_facts(last: LastHeartbeat | None, now: float) -> LabFacts:
    """The facts about the lab; without an engine if the lab is unavailable."""
    if last is None:
        return LabFacts(None, NO_LAB)
    return LabFacts(None, LAB_UNAVAILABLE) if is_unavailable(last, now) else last.facts


def local_heartbeat(last: LastHeartbeat | None, now: float, epoch: float) -> Heartbeat | None:
    """The last heartbeat by this machine's clock (``epoch`` is ``now`` in seconds of the epoch); that of an unavailable
    lab is older than ``SILENT_S``."""
    if last is None or last.facts.heartbeat is None:
        return None
    silent_s = now - last.at
    if is_unavailable(last, now):
        silent_s = max(silent_s, SILENT_S + 1.0)
    return replace(last.facts.heartbeat, at=epoch - silent_s)


def is_unavailable(last: LastHeartbeat | None, now: float) -> bool:
    """Whether the lab never started, has ended, or is silent for too long."""
    return last is None or last.number == 0 or now - last.at > UNAVAILABLE_S


def next_pause(pause_s: float) -> float:
    """The pause after this one between two reads of a call's row."""
    return min(pause_s * 1.5, MAX_PAUSE_S)
