"""The migrations that this version of Netmodes contains, and those applied to the database."""

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder


def known_migrations() -> frozenset[str]:
    """All migrations of this version of Netmodes, as ``app.name``."""
    return frozenset(f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations)


def applied_migrations() -> tuple[str, ...]:
    """The migrations that were applied to the database, as ``app.name``. Empty for a new database."""
    return tuple(f"{app}.{name}" for app, name in MigrationRecorder(connection).applied_migrations())
