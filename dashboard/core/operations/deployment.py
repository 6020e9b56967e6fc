"""Rules for deployments in which the web and the lab are separate processes: roles of processes, when a lab is
unavailable, timeouts of remote calls.

No clock is read: times are arguments, in seconds.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from dashboard.core.experiments.messages import EngineRef
from dashboard.core.operations.heartbeat import SILENT_S, Heartbeat
from dashboard.core.operations.machines import SERVER

#: A lab without pages prints this, with the name of its engine, when it accepts calls.
LAB_READY = "The lab of Netmodes is running"
#: The interval of a lab's heartbeats, and the silence after which pages treat the lab as unavailable.
HEARTBEAT_S = 2.0
UNAVAILABLE_S = 7.0
#: How long a web process waits for the result of a remote call.
CALL_TIMEOUT_S = 60.0

NO_LAB = "No lab has started yet. Run ./netmodes up --role lab on the Docker machine."
NO_LAB_ON = "The lab of the machine {0} is not connected. Run ./netmodes lab on {0}."
LAB_UNAVAILABLE = "The lab on the Docker machine does not respond. Containers keep running. Try again in a moment."
CALL_TIMED_OUT = "The lab on the Docker machine did not respond in time. Try again in a moment."
CALL_LOST = "The connection to the lab on the Docker machine was interrupted. Try again in a moment."
REVOKED = "Nothing can be done on the Docker machine: its access was revoked on the page Machines."
ENGINE_UNAVAILABLE = "No Docker Engine answers."
NATS_EXAMPLE = "nats://web:secret@nats.example.org:4222"
NATS_UNUSED = "Role all does not use NATS. Choose --role web or --role lab, or remove NATS_URL."
NATS_NOT_INSTALLED = "The package nats-py is not installed. Install Netmodes with the extra “team”."
REDIS_UNUSED = (
    "Netmodes uses NATS instead of Redis. Remove REDIS_URL, and set NATS_URL for the roles web and lab, e.g. "
    f"{NATS_EXAMPLE}."
)


class Role(StrEnum):
    """The role of a process: serve pages (``web``), drive Docker (``lab``), or both (``all``)."""

    ALL = "all"
    WEB = "web"
    LAB = "lab"

    @property
    def drives(self) -> bool:
        """Whether a process of this role uses Docker and the kernel."""
        return self is not Role.WEB


def parse_role(text: str) -> Role:
    """Returns the role with this name. Raises ValueError with a message for the user."""
    try:
        return Role(text)
    except ValueError:
        raise ValueError(f"Unknown role “{text[:40]}”: choose all, web or lab.") from None


@dataclass(frozen=True, slots=True)
class LabFacts:
    """A lab as pages show it. ``problem`` is the reason why the lab has no ``engine``. ``heartbeat`` has the state and
    the counters for ``/readyz`` and ``/metrics``; its times are those of the lab's clock."""

    engine: EngineRef | None = None
    problem: str = ""
    heartbeat: Heartbeat | None = None


@dataclass(frozen=True, slots=True)
class HeartbeatMessage:
    """A heartbeat as web processes receive it.

    ``lab`` is the name to which calls are sent: the name of the machine, and a suffix that changes at each start and at
    each lost connection. ``has_ended`` marks the last heartbeat. ``version`` is the lab's version of Netmodes.
    ``capacity`` is the number of private hosts with the default limits that the machine can hold.

    ``since`` is when the lab took over its machine, by the clock of the database. After a failover of the database, two
    labs of one machine may send heartbeats. The one that took over later counts.
    """

    lab: str
    facts: LabFacts
    has_ended: bool = False
    version: str = ""
    since: float = 0.0
    capacity: int = 0


@dataclass(frozen=True, slots=True)
class LastHeartbeat:
    """The newest heartbeat of a lab. ``at`` is when it arrived, by the receiver's ``time.monotonic()``."""

    message: HeartbeatMessage
    at: float

    @property
    def facts(self) -> LabFacts:
        """The facts that the heartbeat contains."""
        return self.message.facts


def ends_calls(last: LastHeartbeat | None, received: HeartbeatMessage) -> bool:
    """Whether calls to the lab that sent ``last`` will get no reply, according to the heartbeat ``received``. That lab
    has ended or lost its connection, or another lab has taken over."""
    return last is not None and (received.has_ended or received.lab != last.message.lab)


def is_late(last: LastHeartbeat | None, received: HeartbeatMessage, now: float) -> bool:
    """Whether the heartbeat ``received`` comes from a lab that was replaced by the lab that sent ``last``. A replaced
    lab reports that it ends, or it does not know yet that it has lost the machine."""
    if last is None or received.lab == last.message.lab:
        return False
    return received.has_ended or (received.since < last.message.since and not is_unavailable(last, now))


def may_serve(confirmed_at: float, now: float) -> bool:
    """Whether a lab may send heartbeats and handle calls. ``confirmed_at`` is when it last confirmed that it holds its
    lock in the database. Without a recent confirmation, another lab may have taken over."""
    return now - confirmed_at <= UNAVAILABLE_S


def about(sentence: str, machine: str) -> str:
    """Returns the sentence with “the machine NAME” in place of “the Docker machine”. It is unchanged if ``machine`` is
    ``SERVER``."""
    return sentence if machine == SERVER else sentence.replace("the Docker machine", f"the machine {machine}")


def current_facts(last: LastHeartbeat | None, now: float, machine: str = SERVER) -> LabFacts:
    """Returns the facts about a machine's lab. If the lab is unavailable, the facts contain the reason in place of an
    engine."""
    if last is None:
        return LabFacts(None, NO_LAB if machine == SERVER else NO_LAB_ON.format(machine))
    return LabFacts(None, about(LAB_UNAVAILABLE, machine)) if is_unavailable(last, now) else last.facts


def local_heartbeat(last: LastHeartbeat | None, now: float, epoch: float) -> Heartbeat | None:
    """Returns the last heartbeat with its times converted to the clock of ``epoch``; None before the first one.

    Both ``now`` and ``epoch`` are the current time. ``now`` is by the monotonic clock of ``LastHeartbeat.at``,
    ``epoch`` in seconds since the epoch. If the lab is unavailable, ``at`` of the result is older than ``SILENT_S``, so
    that ``missing_parts`` reports the lab as missing.
    """
    if last is None or last.facts.heartbeat is None:
        return None
    silent_s = now - last.at
    if is_unavailable(last, now):
        silent_s = max(silent_s, SILENT_S + 1.0)
    heartbeat = last.facts.heartbeat
    status, later_s = heartbeat.status, epoch - silent_s - heartbeat.at
    since, passed_at = status.engine_since + later_s, status.passed_at + later_s
    return replace(heartbeat, at=epoch - silent_s, status=replace(status, engine_since=since, passed_at=passed_at))


def is_unavailable(last: LastHeartbeat | None, now: float) -> bool:
    """Whether the lab never started, has ended, or has been silent for too long."""
    return last is None or last.message.has_ended or now - last.at > UNAVAILABLE_S


def messaging_problem(role: Role, nats_url: str, redis_url: str, *, is_installed: bool) -> str:
    """Returns why a process with this role cannot start with these URLs of NATS and Redis, and what to do. Empty if it
    can. ``is_installed`` is true if the NATS client is installed."""
    if redis_url and not nats_url:
        return REDIS_UNUSED
    if role is Role.ALL:
        return NATS_UNUSED if nats_url else ""
    if not nats_url:
        return f"The role {role} needs NATS. Set NATS_URL, e.g. {NATS_EXAMPLE}."
    return "" if is_installed else NATS_NOT_INSTALLED
