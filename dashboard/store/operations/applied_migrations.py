"""The migrations of this version, and those that the database has."""

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder


def known_migrations() -> frozenset[str]:
    """All migrations of this version, as ``app.name``."""
    return frozenset(f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations)


def applied_migrations() -> tuple[str, ...]:
    """The migrations that the database has, as ``app.name``; none if it is empty."""
    return tuple(f"{app}.{name}" for app, name in MigrationRecorder(connection).applied_migrations())
