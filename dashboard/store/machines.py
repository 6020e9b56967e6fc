"""Machines with a lab of their own. Every function is one short transaction."""

import json
import secrets
from collections.abc import Collection, Mapping
from dataclasses import asdict

from django.conf import settings

from dashboard.core.operations.machines import MachineFacts, MachineRecord
from dashboard.core.training.join_codes import digest_of
from dashboard.models import Machine
from dashboard.store.operations.audit import audited
from dashboard.store.operations.database_clock import shared_clock


def here() -> str | None:
    """The name of this process's machine: rows with this value belong to its lab. None for the lab of the
    installation."""
    return settings.MACHINE or None


def _record(row: Machine) -> MachineRecord:
    facts = MachineFacts(**{name: getattr(row, name) for name in MachineFacts.__dataclass_fields__})
    times = row.joined_at, row.seen_at, row.revoked_at, row.last_revoked_at, row.swarm_since
    return MachineRecord(row.name, facts, json.loads(row.labels), row.is_draining, *times)


def list_machines() -> tuple[MachineRecord, ...]:
    """All machines, including revoked ones, by name."""
    return tuple(_record(row) for row in Machine.objects.all())


def list_labels() -> tuple[str, ...]:
    """The labels of all machines that may connect, each once."""
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
    """The names of the machines that may not connect."""
    return frozenset(Machine.objects.filter(revoked_at__gt=0.0).values_list("pk", flat=True))


def find(name: str) -> MachineRecord | None:
    """The machine with this name, or None."""
    row = Machine.objects.filter(pk=name).first()
    return None if row is None else _record(row)


class MachineClosedError(Exception):
    """Nothing new may start on this machine; ``str()`` is a sentence."""


def is_revoked(name: str | None) -> bool:
    """Whether the machine was revoked, so that no lab acts on its rows."""
    return name is not None and Machine.objects.filter(pk=name, revoked_at__gt=0.0).exists()


def require_open(name: str | None, *, for_group: bool = False) -> None:
    """Raises MachineClosedError if nothing new may start on this machine. On a drained machine, groups continue to use
    their hosts until these are moved."""
    record = find(name) if name is not None else None
    if record is None or record.accepts_work or (for_group and not record.is_revoked):
        return
    if record.is_revoked:
        raise MachineClosedError(f"The machine “{name}” was revoked: nothing starts on it. Choose another machine.")
    raise MachineClosedError(
        f"The machine “{name}” is drained: nothing new starts on it. Choose another machine, or resume this one."
    )


def register(name: str, labels: Mapping[str, str], facts: MachineFacts) -> str:
    """Adds a machine, or readmits one that was revoked, and returns its new key. ValueError if the name is in use.
    Requires a transaction."""
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
    """Whether a machine may connect with this key."""
    stored = Machine.objects.filter(pk=name, revoked_at=0.0).values_list("key_digest", flat=True).first()
    return bool(stored) and secrets.compare_digest(stored or "", digest_of(key))


def note_facts(name: str, facts: MachineFacts, now: float) -> None:
    """Records the facts that the lab of a machine reports, and ``now`` as the time of the report."""
    Machine.objects.filter(pk=name).update(**asdict(facts), seen_at=now)  # the machine's role may write no others


def note_swarm(names: Collection[str], since: float) -> None:
    """Stores ``since``, the time at which these machines were asked to enter the swarm, in seconds since the epoch; 0
    if they have left it."""
    Machine.objects.filter(pk__in=names).update(swarm_since=since)


@audited
def set_draining(name: str, *, draining: bool) -> bool:
    """Excludes a machine from new work, or includes it again; False if it does not exist or was revoked."""
    return Machine.objects.filter(pk=name, revoked_at=0.0).update(is_draining=draining) == 1


def revoke(name: str) -> bool:
    """Makes the key of a machine invalid; ``store.operations.joining`` also ends its access to the database. False if
    it does not exist or was revoked before."""
    rows, now = Machine.objects.filter(pk=name, revoked_at=0.0), shared_clock()
    return rows.update(revoked_at=now, last_revoked_at=now, key_digest="") == 1
