"""The manifest of a backup, and the check whether this version can restore the backup."""

from collections.abc import Collection
from dataclasses import dataclass

from dashboard.core.operations.openid import APPS_WITH_TABLES

SCHEMA = "backup/1"
#: Every database of Netmodes has this migration.
FIRST_MIGRATION = "dashboard.0001_initial"


@dataclass(frozen=True, slots=True)
class BackupFile:
    """One file of a backup: its name, its size in bytes, and the SHA-256 of its content in hexadecimal digits."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The document ``backup/1``. ``version`` is the version of Netmodes that made the backup. ``made_at`` is the time
    in ISO 8601. ``database`` is the kind of database (sqlite or postgresql). ``migrations`` are the applied migrations
    as ``app.name``."""

    version: str
    made_at: str
    database: str
    migrations: tuple[str, ...]
    files: tuple[BackupFile, ...]
    schema: str = SCHEMA

    @property
    def size(self) -> int:
        """The size of all files in bytes."""
        return sum(file.size for file in self.files)


def newer_database_problem(applied: Collection[str], known: Collection[str], version: str) -> str | None:
    """Returns why this ``version`` must not use a database; None if it may. ``applied`` are the migrations of the
    database, ``known`` those of this version. Unknown migrations of Netmodes come from a newer version, which may store
    data that this version misreads."""
    newer = sorted(name for name in set(applied) - set(known) if name.startswith("dashboard."))
    if not newer:
        return None
    return (
        f"The database was used by a newer version of Netmodes: it has the migration {newer[0][:80]}, which this "
        f"version {version} lacks. Start that version, or restore a backup that was made before the upgrade."
    )


def _app(migration: str) -> str:
    return migration.partition(".")[0]


def restore_problem(manifest: Manifest, known: Collection[str], database: str, version: str) -> str | None:
    """Returns why the backup cannot be restored here; None if it can. ``known`` are the migrations of this ``version``.
    ``database`` is the kind of database here. A backup with tables of OpenID Connect can also be restored if OpenID
    Connect is not configured here."""
    if manifest.schema != SCHEMA:
        return f"The backup has the format {manifest.schema[:40]}, which this version {version} cannot read."
    if FIRST_MIGRATION not in manifest.migrations:
        return "The backup contains no database of Netmodes."
    not_configured = APPS_WITH_TABLES - {_app(name) for name in known}
    newer = sorted(name for name in set(manifest.migrations) - set(known) if _app(name) not in not_configured)
    if newer:
        return (
            f"The backup was made by Netmodes {manifest.version[:40]}, which is newer than this version {version}: "
            f"its database has {newer[0][:80]}. Restore it with that version or a newer one."
        )
    if manifest.database != database:
        return (
            f"The backup is of a {manifest.database[:20]} database, but DATABASE_URL names a {database} database. "
            f"Restore it into a {manifest.database[:20]} database."
        )
    return None
