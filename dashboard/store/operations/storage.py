"""The disk of the database, and the size of all journals."""

import os
from dataclasses import replace
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import Count, Q, Sum

from dashboard.core.experiments.messages import Check, Doctor
from dashboard.core.operations.storage import DiskUsage, Journals, describe_disk, describe_journals, launch_refusal
from dashboard.models import Experiment


class NoSpaceError(Exception):
    """No new experiment may be launched, because the disk is too full. ``str()`` states the reason and what to do."""


def disk_usage() -> DiskUsage:
    """The usage of the disk that holds SQLite's file or, with PostgreSQL, the data folder."""
    name = str(connection.settings_dict["NAME"]) if connection.vendor == "sqlite" else ""
    # The file itself, because its folder may be on another file system (in the sandbox of the web process).
    path = Path(name) if name.startswith("/") else Path(settings.DATA_DIR)
    found = os.statvfs(path if path.exists() else path.parent)
    free, unused = found.f_bavail * found.f_frsize, found.f_bfree * found.f_frsize
    return DiskUsage(found.f_blocks * found.f_frsize - unused, free)


def require_space() -> None:
    """Raises NoSpaceError if the disk is too full for a new experiment."""
    if refusal := launch_refusal(disk_usage()):
        raise NoSpaceError(refusal)


def journals() -> Journals:
    """The number of experiments, and the number and the size of all their journal entries. An experiment on several
    machines counts once."""
    number = Count("pk", filter=Q(parent=None))
    found = Experiment.objects.aggregate(number=number, entries=Sum("journal_entries"), size=Sum("journal_bytes"))
    return Journals(found["number"], found["entries"] or 0, found["size"] or 0)


def add_storage(doctor: Doctor) -> Doctor:
    """Returns the doctor's report with the checks of the disk and of the journals added. If the disk or the database
    cannot be read, returns the report unchanged."""
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite" and name.startswith("/") and not Path(name).exists():
        return doctor
    try:
        usage, found = disk_usage(), journals()
    except (DatabaseError, OSError):
        return doctor
    limit = settings.MAX_JOURNALS_BYTES
    checks = (
        Check("disk", ok=not usage.is_full, detail=launch_refusal(usage) or describe_disk(usage)),
        Check("journals", ok=not limit or found.size <= limit, detail=describe_journals(found, limit)),
    )
    return replace(doctor, checks=(*doctor.checks, *checks))
