"""Deletes old data and shrinks the database file."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import batched
from pathlib import Path

from django.db import DatabaseError, connection, transaction
from django.db.models import F, Q

from dashboard.core.experiments.messages import ENDED
from dashboard.models import Experiment, MeasurementBlock, MeasurementRun
from dashboard.store.measurements import runs as measurement_store
from dashboard.store.operations.database_clock import shared_clock
from dashboard.store.operations.retention import BATCH, DELETERS, DeletedRows, delete_old

MEASUREMENTS = "measurements"
#: The kinds of data that can be deleted, by their names for ``--only``.
KINDS = (MEASUREMENTS, *DELETERS)


@dataclass(frozen=True, slots=True)
class Pruned:
    """The result of ``prune``, in the schema ``prune/1``. If ``dry_run`` is true, it counts what would be deleted.

    ``before`` is the time up to which data was deleted. ``runs`` is the number of measurements, and ``blocks`` the
    number of their blocks. ``experiments`` is the number of experiments that were launched only for these measurements.
    ``others`` counts all other data. ``freed_bytes`` is the number of bytes by which the database file shrank; None if
    it was not shrunk. ``room`` is the reason if shrinking was not possible.
    """

    before: str
    dry_run: bool
    runs: int
    blocks: int
    experiments: int
    freed_bytes: int | None = None
    room: str = ""
    others: DeletedRows = field(default_factory=DeletedRows)
    schema: str = "prune/1"


def prune(older_than_s: float, *, dry_run: bool = False, kinds: Collection[str] = KINDS, shrink: bool = True) -> Pruned:
    """Deletes old data of these ``kinds`` and then shrinks SQLite's file. Only data that is no longer live is deleted.

    Data is old if its age is more than ``older_than_s`` seconds. The age of measurements and claim runs counts from
    their creation, that of other data from its end. If ``dry_run`` is true, nothing is deleted, only counted. If
    ``shrink`` is false, SQLite's file keeps its size, and later data uses the free space.
    """
    limit = datetime.fromtimestamp(shared_clock() - older_than_s, UTC)
    runs, blocks, twins = _measurements(limit) if MEASUREMENTS in kinds else ([], 0, [])
    if not dry_run:
        _delete(runs, twins)
    others = delete_old(limit, kinds, dry_run=dry_run)
    freed, room = None, ""
    if not dry_run and shrink and (runs or others.rows):
        freed, room = _shrink_file()
    before = limit.isoformat(timespec="seconds")
    return Pruned(before, dry_run, len(runs), blocks, len(twins), freed, room, others)


def _measurements(limit: datetime) -> tuple[list[str], int, list[str]]:
    """Returns the ids of the measurements to delete, the number of their blocks, and the ids of the experiments to
    delete with them. These measurements have ended and were created before ``limit``. The experiments were launched
    only to be measured by them."""
    old = MeasurementRun.objects.filter(created_at__lt=limit).exclude(state__in=measurement_store.LIVE)
    runs = list(old.values_list("pk", flat=True))
    twins = list(
        Experiment.objects.filter(
            # Only on the same machine as the measurement, because a machine's lab can write any id into its runs.
            Q(measurements__machine=F("machine")) | Q(measurements__machine=None, machine=None),
            measurements__in=old.filter(twin=True),
            phase__in=ENDED,
        )
        .values_list("pk", flat=True)
        .distinct()
    )
    blocks = sum(MeasurementBlock.objects.filter(series__run_id__in=some).count() for some in batched(runs, BATCH))
    return runs, blocks, twins


def _delete(runs: Sequence[str], twins: Sequence[str]) -> None:
    """Deletes measurements and experiments in batches, so that the server can write in between."""
    for rows, ids in ((MeasurementRun.objects, runs), (Experiment.objects, twins)):
        for some in batched(ids, BATCH):
            with transaction.atomic():
                rows.filter(pk__in=some).delete()


def _shrink_file() -> tuple[int | None, str]:
    """Rewrites SQLite's file to shrink it. Returns the number of bytes by which it shrank, and an empty text. If the
    file cannot be shrunk, returns None and the reason."""
    if connection.vendor != "sqlite":
        return None, "The database server reuses the free space."
    if MeasurementRun.objects.filter(state=measurement_store.RUNNING).exists():
        reason = "A measurement is running, and shrinking the database file would disturb it."
        return None, f"{reason} Later data uses the free space."
    file = Path(connection.settings_dict["NAME"])
    before = _size(file)
    try:
        with connection.cursor() as cursor:
            cursor.execute("VACUUM")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except DatabaseError as error:
        return None, f"Cannot shrink the database file: {error}. Later data uses the free space."
    return max(0, before - _size(file)), ""


def _size(file: Path) -> int:
    return sum(part.stat().st_size for part in (file, Path(f"{file}-wal")) if part.exists())
