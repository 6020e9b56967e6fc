"""Queries of the machines that have joined the installation. Every function except ``register`` is one short
transaction."""

import json
import secrets
from collections.abc import Collection, Mapping
from dataclasses import asdict

from django.conf import settings
from django.db import transaction

from dashboard.core.operations.machines import SERVER, MachineFacts, MachineRecord
from dashboard.core.training.join_codes import digest_of
from dashboard.models import Installation, Machine
from dashboard.store.installation import installation_id
from dashboard.store.operations.audit import audited
from dashboard.store.operations.database_clock import shared_clock


def here() -> str | None:
    """The name of the machine on which this process runs; None for the installation's own machine. It is the value of
    ``machine`` in the rows for which this machine's lab is responsible."""
    return settings.MACHINE or None


def _record(row: Machine) -> MachineRecord:
    facts = MachineFacts(**{name: getattr(row, name) for name in MachineFacts.__dataclass_fields__})
    times = row.joined_at, row.seen_at, row.revoked_at, row.last_revoked_at, row.swarm_since
    return MachineRecord(row.name, facts, json.loads(row.labels), row.is_draining, *times)


def list_machines() -> tuple[MachineRecord, ...]:
    """All machines, including revoked ones, by name."""
    return tuple(_record(row) for row in Machine.objects.all())


def list_labels() -> tuple[str, ...]:
    """The labels of all machines that are not revoked, as sorted ``KEY=VALUE`` texts without duplicates."""
    return tuple(
        sorted(
            {
                f"{key}={value}"
                for record in list_machines()
                if not record.is_revoked
                for key, value in record.labels.items()
            }
        )
    )


def list_revoked() -> frozenset[str]:
    """The names of the revoked machines, which may not connect."""
    return frozenset(Machine.objects.filter(revoked_at__gt=0.0).values_list("pk", flat=True))


def find(name: str) -> MachineRecord | None:
    """The machine with this name; None if it has never joined."""
    row = Machine.objects.filter(pk=name).first()
    return None if row is None else _record(row)


class MachineClosedError(Exception):
    """Nothing new may start on a machine, because it is revoked or drained. ``str()`` is a sentence for the user."""


def is_revoked(name: str | None) -> bool:
    """Whether this machine is revoked, so that no lab acts on its rows. False for None, the installation's own
    machine."""
    return name is not None and Machine.objects.filter(pk=name, revoked_at__gt=0.0).exists()


def require_open(name: str | None, *, for_group: bool = False) -> None:
    """Raises MachineClosedError if this machine is revoked or drained. None, the installation's own machine, is always
    accepted. If ``for_group`` is true, a drained machine is accepted, because groups use their private hosts until
    these are moved."""
    record = find(name) if name is not None else None
    if record is None or record.accepts_work or (for_group and not record.is_revoked):
        return
    if record.is_revoked:
        raise MachineClosedError(f"The machine “{name}” was revoked: nothing starts on it. Choose another machine.")
    raise MachineClosedError(
        f"The machine “{name}” is drained: nothing new starts on it. Choose another machine, or resume this one."
    )


def register(name: str, labels: Mapping[str, str], facts: MachineFacts) -> str:
    """Adds a machine, or readmits one that was revoked, and returns its new key for NATS. Raises ValueError if a
    machine with this name has joined and is not revoked. Requires a transaction."""
    row = Machine.objects.select_for_update().filter(pk=name).first()
    if row is not None and not row.revoked_at:
        raise ValueError(
            f"A machine named “{name}” has already joined. Choose another name with --name, or revoke that machine "
            "first."
        )
    key = secrets.token_urlsafe(32)
    values = {"labels": json.dumps(dict(labels)), "key_digest": digest_of(key), **asdict(facts)}
    state = {"is_draining": False, "revoked_at": 0.0, "joined_at": shared_clock(), "seen_at": 0.0}
    Machine.objects.update_or_create(name=name, defaults={**values, **state})
    return key


def has_key(name: str, key: str) -> bool:
    """Whether ``key`` is the machine's valid key for NATS. A revoked machine has no valid key."""
    stored = Machine.objects.filter(pk=name, revoked_at=0.0).values_list("key_digest", flat=True).first()
    return bool(stored) and secrets.compare_digest(stored or "", digest_of(key))


def note_facts(name: str, facts: MachineFacts, now: float) -> None:
    """Stores the facts that the lab of a machine reports. ``now`` is the time of the report, in seconds since the
    epoch."""
    Machine.objects.filter(pk=name).update(**asdict(facts), seen_at=now)  # the machine's role may write no others


def note_swarm(names: Collection[str], since: float) -> None:
    """Stores when these machines were asked to enter the swarm. ``since`` is in seconds since the epoch; 0 records that
    they have left it. ``SERVER`` is the installation's own machine."""
    with transaction.atomic():
        Machine.objects.filter(pk__in=names).update(swarm_since=since)
        if SERVER in names:
            Installation.objects.filter(pk=installation_id()).update(swarm_since=since)


def own_swarm_since() -> float:
    """When the installation's own machine was last asked to enter the swarm, in seconds since the epoch; 0 if it has
    left the swarm or was never in it."""
    return Installation.objects.order_by("created_at").values_list("swarm_since", flat=True).first() or 0.0


@audited
def set_draining(name: str, *, draining: bool) -> bool:
    """If ``draining`` is true, drains a machine, so that nothing new starts on it; otherwise resumes it. Returns False
    if the machine does not exist or was revoked."""
    return Machine.objects.filter(pk=name, revoked_at=0.0).update(is_draining=draining) == 1


def revoke(name: str) -> bool:
    """Marks a machine as revoked and invalidates its key for NATS. Returns False if it does not exist or was revoked
    before. ``store.operations.joining.revoke`` also ends its access to the database."""
    rows, now = Machine.objects.filter(pk=name, revoked_at=0.0), shared_clock()
    return rows.update(revoked_at=now, last_revoked_at=now, key_digest="") == 1
