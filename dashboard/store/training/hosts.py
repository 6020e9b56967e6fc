"""Private hosts of groups: their desired state, and the state that the lab records. Every function is one short
transaction."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.db import connection, transaction

from dashboard.core.machines.placement import MachineOffer
from dashboard.core.training.capacity import HostLimits
from dashboard.core.training.host_plan import DesiredState, HostRecord, HostStage, shown_state
from dashboard.core.training.session import HostsFor, number_of_group, session_of_group
from dashboard.models import GroupHost, Participant, TrainingSession
from dashboard.store.machines import here
from dashboard.store.training import host_placement
from dashboard.store.write_lock import writing


class NoHostError(Exception):
    """A group cannot have a private host, or its host is not ready. ``str()`` is a sentence for the user."""


class QuotaError(Exception):
    """The group's quota does not allow this run. ``str()`` is a sentence for the user."""


def is_over(session: TrainingSession, now: float) -> bool:
    """Whether a session is closed or has expired."""
    return _is_past(session.closed_at, session.expires_at, now)


def _is_past(closed_at: float, expires_at: float, now: float) -> bool:
    return bool(closed_at) or now >= expires_at


#: The columns of a session that the lab of a machine may read (``store.operations.machine_roles``).
_SESSION_COLUMNS = ("hosts", "closed_at", "expires_at", "ttl_s", "idle_s", "memory_mb", "pids", "cpus")
#: The columns that ``_record`` takes. Creating model instances would cost more processor time than the query.
_COLUMNS = (
    *("group", "wanted", "state", "host", "since", "used_at", "is_moved"),
    *(f"session__{name}" for name in _SESSION_COLUMNS if name != "hosts"),
)


def _record(row: Sequence[Any], now: float) -> HostRecord:
    """Converts a row with the columns ``_COLUMNS`` to a HostRecord."""
    group, wanted, state, host, since, used_at, is_moved, *session = row
    closed_at, expires_at, ttl_s, idle_s, memory_mb, pids, cpus = session
    return HostRecord(
        group=group,
        desired=DesiredState(wanted),
        stage=HostStage(state),
        host=host,
        since=since,
        used_at=used_at,
        ttl_s=ttl_s,
        idle_s=idle_s,
        over=_is_past(closed_at, expires_at, now),
        limits=HostLimits(memory_mb, pids, cpus),
        is_moved=is_moved,
    )


def load_all(now: float) -> tuple[HostRecord, ...]:
    """The records of all hosts of this machine. Omits hosts that have been stopped as requested."""
    rows = GroupHost.objects.filter(machine=here()).exclude(
        wanted=DesiredState.STOPPED, state=HostStage.STOPPED, host=""
    )
    return tuple(_record(row, now) for row in rows.values_list(*_COLUMNS))


@dataclass(frozen=True, slots=True)
class FoundHost:
    """The desired and the current state of a group's host. ``reason`` explains the current state. ``host`` is the id of
    the host, empty if none exists."""

    desired: DesiredState
    stage: HostStage
    host: str
    reason: str


@cache
def _statement_to_find() -> str:
    """The SQL of ``find``. It is compiled once, because compiling takes more processor time than the query, and pages
    call ``find`` often."""
    rows = GroupHost.objects.filter(pk="").values_list("wanted", "state", "host", "reason")
    return rows.query.sql_with_params()[0]


def find(group: str) -> FoundHost | None:
    """The group's host; None if it was never requested."""
    with connection.cursor() as cursor:
        cursor.execute(_statement_to_find(), (group,))
        row = cursor.fetchone()
    if row is None:
        return None
    wanted, state, host, reason = row
    return FoundHost(DesiredState(wanted), HostStage(state), host, reason)


def has_open_sessions(now: float) -> bool:
    """Whether an open session uses private hosts. If so, the lab prepares the template for hosts before a host is
    requested. On a machine that has joined the installation, only sessions with a host on that machine count."""
    sessions = TrainingSession.objects.filter(closed_at=0.0, expires_at__gt=now)
    if here() is not None:  # a machine that has joined gets hosts only when they are requested
        sessions = sessions.filter(group_hosts__machine=here())
    return sessions.exclude(hosts=HostsFor.NONE).exists()


def machine_of_group(group: str) -> str | None:
    """The machine of a group's host; None for the installation's own machine."""
    return GroupHost.objects.filter(pk=group).values_list("machine_id", flat=True).first()


def request(group: str, now: float, offers: Sequence[MachineOffer] = ()) -> bool:
    """Requests a host for the group. Returns True if the host waits for a machine, which
    ``host_placement.place_waiting`` assigns. A failed host is started again if it has kept its files. Otherwise it
    stays failed until it is reset. ``offers`` are the machines to choose from, empty in an installation with one
    machine. Raises NoHostError if the group cannot have a host."""
    with writing():
        return _request(group, now, HostStage.UNPLACED if offers else HostStage.QUEUED) == HostStage.UNPLACED


def _request(group: str, now: float, first: HostStage) -> str:
    """Stores the request for a group's host and returns the state of the host. ``first`` is the initial state of a new
    host."""
    session = TrainingSession.objects.only(*_SESSION_COLUMNS).filter(pk=session_of_group(group)).first()
    if session is None or session.hosts == HostsFor.NONE:
        raise NoHostError("This session has no private hosts.")
    if is_over(session, now):
        raise NoHostError("The session is over, or its code has expired: its hosts are removed.")
    defaults = {"session": session, "since": now, "used_at": now, "state": first}
    row, created = GroupHost.objects.select_for_update().get_or_create(group=group, defaults=defaults)
    if created:
        return row.state
    if row.wanted == DesiredState.STOPPED:
        row.wanted, row.used_at = DesiredState.RUNNING, now
        if row.state == HostStage.STOPPED:
            row.state, row.since, row.reason = HostStage.QUEUED if row.host else first, now, ""
    if row.state == HostStage.FAILED and row.host:  # it has kept its files
        row.state, row.reason = HostStage.QUEUED, ""
    row.save(update_fields=["wanted", "used_at", "state", "since", "reason"])
    return row.state


def reset(group: str, now: float, offers: Sequence[MachineOffer] = ()) -> None:
    """Requests that the group's host is replaced with a new one. A group without a host waits for one, as after
    ``request``. Raises NoHostError if the group cannot have a host."""
    first = HostStage.UNPLACED if offers else HostStage.QUEUED
    with writing():
        if offers:
            host_placement.take_turn()
        _request(group, now, first)
        touch({group: now})
        row = GroupHost.objects.select_for_update().get(pk=group)
        if row.host:
            set_desired(group, DesiredState.RESET)
            return
        if row.state in {HostStage.FAILED, HostStage.STOPPED}:  # occupies no capacity: others may have taken its place
            row.state, row.since, row.reason = first, now, ""
        row.wanted, row.is_moved = DesiredState.RUNNING, False
        row.save()
        if offers:
            host_placement.place_waiting(offers, now)


def request_first(group: str, now: float, offers: Sequence[MachineOffer] = ()) -> bool:
    """Requests a host like ``request`` if the group has never had one. Otherwise does nothing and returns False.

    A group whose host was stopped counts as new if none of its current participants can have used that host. That is
    the case if all of them joined after the host was last used.
    """
    row = GroupHost.objects.filter(pk=group).first()
    is_first = row is None or (_is_stopped(row) and not _has_user_of(row))
    return is_first and request(group, now, offers)


def _is_stopped(row: GroupHost) -> bool:
    return row.wanted == DesiredState.STOPPED and row.state == HostStage.STOPPED and not row.host


def _has_user_of(row: GroupHost) -> bool:
    """Whether a current participant of the group had already joined when the host was last used."""
    group = Participant.objects.filter(session=row.session_id, group=number_of_group(row.group), removed_at=0.0)
    return group.filter(joined_at__lte=row.used_at).exists()


def set_desired(group: str, desired: DesiredState) -> bool:
    """Stores the desired state of a group's host. Returns False if the group has no host."""
    return GroupHost.objects.filter(pk=group).update(wanted=str(desired)) > 0


def note(group: str, **fields: Any) -> None:
    """Sets the columns ``fields`` in the row of the group's host, unless the host was moved to another machine in the
    meantime."""
    GroupHost.objects.filter(pk=group, machine=here()).update(**fields)


def note_end(group: str, was: DesiredState, stage: HostStage, desired: DesiredState, reason: str, now: float) -> None:
    """Records that a group's host is gone, with ``stage`` and ``reason``. Changes the desired state to ``desired`` if
    it is still ``was``, so that a newer desired state is not overwritten."""
    with transaction.atomic():
        note(group, state=str(stage), host="", socket="", reason=reason, since=now)
        GroupHost.objects.filter(pk=group, machine=here(), wanted=was).update(wanted=str(desired))


def touch(used: Mapping[str, float]) -> None:
    """Stores when the hosts of these groups were last used. A time before the stored one is ignored."""
    with transaction.atomic():
        for group, at in used.items():
            GroupHost.objects.filter(pk=group, used_at__lt=at).update(used_at=at)


def states_of(session: str, absent: Collection[str] = ()) -> dict[str, tuple[str, str]]:
    """The state of each host of a session, and the reason for the state, by group. ``absent`` are the names of machines
    that do not respond. Hosts on these machines are ``unreachable``, unless they are stopped."""
    rows = GroupHost.objects.filter(session_id=session).values_list("group", "state", "reason", "machine_id")
    return {
        group: shown_state(HostStage(state), reason, machine or "", absent) for group, state, reason, machine in rows
    }


def state_of(group: str, absent: Collection[str] = ()) -> tuple[HostStage, str]:
    """The state of a group's host, and the reason for the state. The state is ``stopped`` if the host was never
    requested. ``absent`` is used as in ``states_of``."""
    row = GroupHost.objects.filter(pk=group).first()
    if row is None:
        return HostStage.STOPPED, ""
    return shown_state(HostStage(row.state), row.reason, row.machine_id or "", absent)
