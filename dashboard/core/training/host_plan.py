"""Plans what to do with the private hosts of groups, from their desired and observed states. No clock is read."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from dashboard.core.training.capacity import HostLimits, queue

#: An engine that exits this often within ``ENGINE_EXITS_S`` is not started again.
MAX_ENGINE_EXITS = 3
ENGINE_EXITS_S = 120.0


class DesiredState(StrEnum):
    """The state that a group or the instructor requests for a host."""

    RUNNING = "running"
    STOPPED = "stopped"
    RESET = "reset"


class HostStage(StrEnum):
    """The state of a group's host. ``UNPLACED`` means that no machine has room for the host; no lab acts on it.
    ``UNREACHABLE`` means that the host's machine does not respond. It is shown but never recorded."""

    UNPLACED = "unplaced"
    UNREACHABLE = "unreachable"
    QUEUED = "queued"
    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class HostRecord:
    """The recorded state of a group's host.

    ``host`` is its id, empty if it has not been created. ``over`` is true if the session is closed or expired.
    ``since`` is the time of the request for the host, which decides its place in the queue. ``used_at`` is when it was
    last used. ``ttl_s`` limits how long the host runs, ``idle_s`` how long it runs unused; 0 means no limit.
    ``is_moved`` is true if the host replaces one on another machine; the group's steps are then repeated.
    """

    group: str
    desired: DesiredState
    stage: HostStage
    host: str
    since: float
    used_at: float
    ttl_s: float
    idle_s: float
    over: bool
    limits: HostLimits
    is_moved: bool = False

    @property
    def is_waiting(self) -> bool:
        """Whether the group is in the queue for a host."""
        return self.stage is HostStage.QUEUED and self.desired is DesiredState.RUNNING and not self.over


@dataclass(frozen=True, slots=True)
class ObservedHost:
    """A host that has files on this machine. ``running`` is true if its engine runs. ``started`` is the time of the
    start, by the same clock as the times in ``HostRecord``."""

    running: bool
    started: float


class ActionKind(StrEnum):
    """What the lab does with a host."""

    START = "start"
    RESTART = "restart"  # its engine exited: the same host with a new engine
    ADOPT = "adopt"
    STOP = "stop"
    RESET = "reset"
    GIVE_UP = "give up"


@dataclass(frozen=True, slots=True)
class HostAction:
    """One action on the host of a group. ``reason`` is a sentence that participants see."""

    group: str
    kind: ActionKind
    reason: str = ""


def format_duration(seconds: float) -> str:
    """Formats a duration in hours or minutes: ``4 hours``, ``30 minutes``."""
    number, unit = (seconds / 3600, "hour") if seconds >= 3600 else (seconds / 60, "minute")
    return f"{number:.3g} {unit}{'' if number == 1 else 's'}"


def recent_exits(exits: Iterable[float], now: float) -> int:
    """Counts the exits of an engine within the last ``ENGINE_EXITS_S`` seconds."""
    return sum(1 for at in exits if now - at <= ENGINE_EXITS_S)


def plan_actions(
    records: Sequence[HostRecord],
    observed: Mapping[str, ObservedHost],
    busy: Collection[str],
    engine_exits: Mapping[str, Sequence[float]],
    now: float,
    *,
    capacity: int,
    slots: int,
) -> tuple[HostAction, ...]:
    """Returns the actions to take now.

    ``observed`` has the hosts of this machine by id. Groups in ``busy`` are skipped, because an action on their host is
    still in progress. ``engine_exits`` has the times at which each group's engine exited. ``capacity`` is the number of
    hosts that still fit, ``slots`` the number that may start now. Restarts take slots before new hosts do.
    """
    actions: list[HostAction] = []
    restarts: list[HostAction] = []
    waiting: list[tuple[float, str]] = []
    for record in records:
        if record.group in busy:
            continue
        host = observed.get(record.host) if record.host else None
        if record.desired is DesiredState.RESET and not record.over:
            actions.append(HostAction(record.group, ActionKind.RESET))
        elif reason := _stop_reason(record, host, now):
            if record.stage is not HostStage.STOPPED or record.host:
                actions.append(HostAction(record.group, ActionKind.STOP, reason))
        elif record.stage in {HostStage.FAILED, HostStage.STOPPED, HostStage.UNPLACED}:
            continue  # waits until the host is requested again
        elif host is None:
            waiting.append((record.since, record.group))
        elif not host.running:
            exits = recent_exits(engine_exits.get(record.group, ()), now)
            if exits < MAX_ENGINE_EXITS:
                restarts.append(HostAction(record.group, ActionKind.RESTART))
            else:
                reason = f"Its engine exited {exits} times within {format_duration(ENGINE_EXITS_S)}. Reset the host."
                actions.append(HostAction(record.group, ActionKind.GIVE_UP, reason))
        elif record.stage is not HostStage.READY:
            actions.append(HostAction(record.group, ActionKind.ADOPT))
    restarts = restarts[: max(0, slots)]
    starts = queue(waiting)[: max(0, min(capacity, slots - len(restarts)))]
    return (*actions, *restarts, *(HostAction(group, ActionKind.START) for group in starts))


def _stop_reason(record: HostRecord, host: ObservedHost | None, now: float) -> str:
    """Returns the reason why the host must be stopped; empty if it may run."""
    if record.over:
        return "The session is over, or its code has expired."
    if record.desired is DesiredState.STOPPED:
        return "It was stopped."
    if host is not None and record.ttl_s and now - host.started > record.ttl_s:
        return f"It was stopped after {format_duration(record.ttl_s)}, the time limit that the instructor set."
    if host is not None and record.idle_s and now - max(record.used_at, host.started) > record.idle_s:
        return f"It was stopped after {format_duration(record.idle_s)} without use."
    return ""


def shown_state(stage: HostStage, reason: str, machine: str, absent: Collection[str]) -> tuple[HostStage, str]:
    """Returns the state of a host that pages show, and its reason. They differ from the recorded ``stage`` and
    ``reason`` only if the host's machine does not respond. ``machine`` is the name of that machine, empty for the
    server's own. ``absent`` are the names of the machines that do not respond."""
    if machine not in absent or stage in {HostStage.STOPPED, HostStage.UNPLACED}:
        return stage, reason
    name = f"The machine “{machine}”" if machine else "The server's own machine"
    away = f"{name}, which holds this host, does not respond."
    wait = "Wait a moment. If it still does not respond, the instructor can move the host to another machine."
    return HostStage.UNREACHABLE, f"{away} {wait}"


def can_start(stage: HostStage, host: str) -> bool:
    """Returns whether a request starts a group's host. ``host`` is the host's id, empty if it has none. A failed host
    keeps its id only with its files."""
    return stage is HostStage.STOPPED or (stage is HostStage.FAILED and host != "")


def queue_position(group: str, records: Sequence[HostRecord]) -> int:
    """Returns the position of a group in the queue: 1 is the next one; 0 if the group does not wait."""
    order = queue([(record.since, record.group) for record in records if record.is_waiting])
    return order.index(group) + 1 if group in order else 0
