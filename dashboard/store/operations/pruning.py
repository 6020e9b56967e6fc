"""Forgets by age what is over, and gives the room back."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import batched
from pathlib import Path

from django.db import DatabaseError, connection, transaction

from dashboard.core.experiments.messages import Phase
from dashboard.models import Experiment, MeasurementBlock, MeasurementRun
from dashboard.store import measurements as measurement_store
from dashboard.store.operations.retention import FORGETTERS, Forgotten, forget

#: SQLite takes so many parameters in one statement without being asked to take more.
AT_ONCE = 500
MEASUREMENTS = "measurements"
#: What can be forgotten, by the word that a person types.
KINDS = (MEASUREMENTS, *FORGETTERS)


@dataclass(frozen=True, slots=True)
class Pruned:
    """``prune/1``: what was deleted, or with ``dry_run`` would be. ``experiments`` are those that were launched for
    these runs only; ``others`` is what is no measurement. ``freed_bytes`` is what the file gave back, None where
    ``room`` says why not."""

    before: str
    dry_run: bool
    runs: int
    blocks: int
    experiments: int
    freed_bytes: int | None = None
    room: str = ""
    others: Forgotten = field(default_factory=Forgotten)
    schema: str = "prune/1"


def prune(older_than_s: float, *, dry_run: bool = False, what: Collection[str] = KINDS) -> Pruned:
    """Deletes what is over and older: measurements by when they were asked for, with their series and blocks."""
    limit = datetime.fromtimestamp(time.time() - older_than_s, UTC)
    runs, blocks, twins = _measurements(limit) if MEASUREMENTS in what else ([], 0, [])
    if not dry_run and runs:
        _delete(runs, twins)
    others = forget(limit, set(what), dry_run=dry_run)
    freed, room = None, ""
    if not dry_run and (runs or others.rows):
        freed, room = _give_back()
    before = limit.isoformat(timespec="seconds")
    return Pruned(before, dry_run, len(runs), blocks, len(twins), freed, room, others)


def _measurements(limit: datetime) -> tuple[list[str], int, list[str]]:
    """Runs that are over and older, the number of their blocks, and the experiments launched for them alone."""
    live = [measurement_store.WAITING, measurement_store.RUNNING]
    old = MeasurementRun.objects.filter(created_at__lt=limit).exclude(state__in=live)
    runs = list(old.values_list("pk", flat=True))
    twins = list(
        Experiment.objects.filter(measurements__in=old.filter(twin=True), phase__in=[Phase.STOPPED, Phase.FAILED])
        .values_list("pk", flat=True)
        .distinct()
    )
    blocks = sum(MeasurementBlock.objects.filter(series__run_id__in=some).count() for some in batched(runs, AT_ONCE))
    return runs, blocks, twins


def _delete(runs: Sequence[str], twins: Sequence[str]) -> None:
    """Some at a time: the server's own writes come in between."""
    for some in batched(runs, AT_ONCE):
        with transaction.atomic():
            MeasurementRun.objects.filter(pk__in=some).delete()
    for some in batched(twins, AT_ONCE):
        with transaction.atomic():
            Experiment.objects.filter(pk__in=some).delete()


def _give_back() -> tuple[int | None, str]:
    """Makes SQLite's file smaller; other databases do so themselves. Bytes given back, or why there are none."""
    if connection.vendor != "sqlite":
        return None, "The database reuses the room by itself."
    if MeasurementRun.objects.filter(state=measurement_store.RUNNING).exists():
        return None, "A measurement runs, which rewriting the file would disturb: the room is kept for later runs."
    file = Path(connection.settings_dict["NAME"])
    before = _size(file)
    try:
        with connection.cursor() as cursor:
            cursor.execute("VACUUM")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except DatabaseError as error:
        return None, f"The file could not be rewritten ({error}): the room is kept for later runs."
    return max(0, before - _size(file)), ""


def _size(file: Path) -> int:
    return sum(one.stat().st_size for one in (file, Path(f"{file}-wal")) if one.exists())
