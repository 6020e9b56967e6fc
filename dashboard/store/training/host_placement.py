"""Chooses the machine of each group's private host. Web processes do this one at a time, so that together they do not
overcommit a machine."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from dashboard.core.machines.placement import Demand, MachineOffer, Placement, place
from dashboard.core.training.capacity import HostLimits, share
from dashboard.core.training.host_plan import DesiredState, HostStage
from dashboard.models import ClaimRun, Experiment, GroupHost, Installation, MeasurementRun
from dashboard.store.experiments import unsettled
from dashboard.store.measurements.runs import LIVE
from dashboard.store.operations.audit import audited
from dashboard.store.write_lock import writing

MOVING = "Your host is being created again on another machine; your steps are then repeated on it."


@dataclass(frozen=True, slots=True)
class MovedHosts:
    """The number of hosts that were moved to another machine. ``refused`` is the reason why the remaining hosts were
    not moved, empty if all were."""

    count: int
    refused: str = ""


def take_turn() -> None:
    """Waits until no other process places hosts, and keeps others waiting until this transaction ends. Requires a
    transaction."""
    Installation.objects.select_for_update().first()


def _held() -> QuerySet[GroupHost]:
    """A query for the hosts that occupy capacity of a machine, even if they do not run yet."""
    ended = Q(state__in=[HostStage.STOPPED, HostStage.FAILED], host="")
    return GroupHost.objects.exclude(ended).exclude(state=HostStage.UNPLACED).select_related("session")


def _demand(row: GroupHost, *, placed: bool = True) -> Demand:
    limits = HostLimits(row.session.memory_mb, row.session.pids, row.session.cpus)
    machine = (row.machine_id or "") if placed else None
    labels = frozenset(row.session.machine_labels.split())
    return Demand(row.group, share(limits), row.session_id, labels, machine)


def _unplaced(now: float) -> QuerySet[GroupHost]:
    rows = GroupHost.objects.filter(state=HostStage.UNPLACED, wanted=DesiredState.RUNNING)
    return rows.filter(session__closed_at=0.0, session__expires_at__gt=now).select_related("session")


def _kept(offers: Sequence[MachineOffer], without: Collection[str] = ()) -> list[Demand]:
    """The demand of each existing host whose machine responds: such a host keeps its machine. Hosts of the groups in
    ``without`` are omitted."""
    present = {offer.name for offer in offers if offer.present}
    return [_demand(row) for row in _held() if (row.machine_id or "") in present and row.group not in without]


def place_waiting(offers: Sequence[MachineOffer], now: float) -> int:
    """Assigns machines to the waiting hosts, in order of arrival, and returns the number of hosts that got a machine.
    For each of the other hosts, stores why it got none."""
    if not _unplaced(now).exists():
        return 0
    with writing():
        take_turn()
        waiting = list(_unplaced(now).order_by("since", "group"))
        if not waiting:
            return 0
        placement = place(offers, [*_kept(offers), *(_demand(row, placed=False) for row in waiting)])
        _store(waiting, placement, "", now)
    return sum(1 for row in waiting if row.group in placement.machines)


def _store(rows: Sequence[GroupHost], placement: Placement, reason: str, now: float, **more: Any) -> None:
    """Stores the new machine of each placed host, together with ``reason`` and the columns in ``more``. For each host
    without a machine, stores why it has none."""
    placed = defaultdict[str, list[str]](list)
    refused = defaultdict[str, list[str]](list)
    for row in rows:
        machine = placement.machines.get(row.group)
        if machine is not None:
            placed[machine].append(row.group)
        elif row.reason != placement.refused[row.group]:
            refused[placement.refused[row.group]].append(row.group)
    for machine, groups in placed.items():
        changed = {"machine": machine or None, "state": HostStage.QUEUED, "reason": reason, "since": now, "socket": ""}
        GroupHost.objects.filter(pk__in=groups).update(**changed, **more)
    for why, groups in refused.items():
        GroupHost.objects.filter(pk__in=groups).update(reason=why)


@audited
def move(session: str, owner_id: int, now: float, machine: str, offers: Sequence[MachineOffer]) -> MovedHosts:
    """Moves a session's hosts from ``machine`` to other machines, where they are created anew. The runs on these hosts
    are recorded as stopped. A host that fits on no other machine stays. Raises ValueError if no host is moved, or if
    ``machine`` responds and is not drained."""
    source = next((offer for offer in offers if offer.name == machine), None)
    if source is not None and source.present and not source.draining:
        raise ValueError("This machine responds and is not drained. Drain it before you move its hosts.")
    with writing():
        take_turn()
        here = GroupHost.objects.filter(session=session, session__owner_id=owner_id, session__closed_at=0.0)
        ended = Q(wanted=DesiredState.STOPPED) | Q(state=HostStage.UNPLACED)
        chosen = here.filter(machine=machine or None).exclude(ended).select_related("session").order_by("group")
        # Waits for a launch that holds the lock of a row; that run is moved as well. A later launch finds no ready
        # host.
        moving = list(chosen.select_for_update(of=("self",)))
        groups = {row.group for row in moving}
        others = [offer for offer in offers if offer.name != machine]
        placement = place(others, [*_kept(others, groups), *(_demand(row, placed=False) for row in moving)])
        refused = next(iter(placement.refused.values()), "")
        if not placement.machines.keys() & groups:
            raise ValueError(refused or "This session has no hosts on this machine.")
        moved = [row for row in moving if row.group in placement.machines]
        for row in moved:
            _hand_over(row, placement.machines[row.group])
        _store(moved, placement, MOVING, now, is_moved=True, wanted=DesiredState.RUNNING)
    return MovedHosts(len(groups & placement.machines.keys()), refused)


def _hand_over(row: GroupHost, machine: str) -> None:
    """Assigns the unfinished runs of a host to its new ``machine``, whose lab then records that they have stopped.
    Ended runs stay assigned to the machine on which they ran."""
    if not row.host:
        return
    # Also by group and machine, because a machine's lab can write any id to ``row.host``.
    on_host = Q(machine=row.machine_id, host=row.host, group=row.group)
    experiments = list(unsettled(row.machine_id).filter(on_host).values_list("pk", flat=True))
    Experiment.objects.filter(pk__in=experiments).update(machine=machine or None)
    assign_measurements(experiments, machine or None)
    for model in (MeasurementRun, ClaimRun):
        model._default_manager.filter(on_host, state__in=LIVE).update(machine=machine or None)


def assign_measurements(experiments: Collection[str], machine: str | None) -> None:
    """Assigns the measurements of these experiments to ``machine``, on which the experiments run. Otherwise the lab of
    ``machine`` could not delete the experiments, because it cannot change rows of other machines."""
    rows = MeasurementRun.objects.filter(Q(experiment__in=experiments) | Q(source__in=experiments))
    rows.exclude(machine=machine).update(machine=machine)


def groups_by_machine(session: str) -> dict[str, list[str]]:
    """The groups of a session that have a host, by the machine of the host. The installation's own machine has an empty
    name."""
    groups: dict[str, list[str]] = {}
    rows = _held().filter(session=session).exclude(wanted=DesiredState.STOPPED)
    for name, group in rows.order_by("machine", "since", "group").values_list("machine_id", "group"):
        groups.setdefault(name or "", []).append(group)
    return groups


def count_hosts(machine: str) -> int:
    """The number of private hosts of groups on a machine; at 0 the machine can be upgraded."""
    return _held().filter(machine=machine).count()
