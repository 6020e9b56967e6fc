"""Makes a backup of whatever database there is, and restores one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.core.management import call_command
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader

from dashboard import __version__
from dashboard.backup import postgresql, sqlite
from dashboard.backup.archive import BackupError, described, read_archive, sync_folder, write_archive
from dashboard.core.operations.backup_manifest import Manifest, why_not
from dashboard.lab.reconciler import LabBusyError, LabLock

SQLITE, POSTGRESQL = "sqlite", "postgresql"
DATABASE = {SQLITE: "database.sqlite3", POSTGRESQL: "database.dump"}
KEY = "secret.key"


@dataclass(frozen=True, slots=True)
class Restored:
    """What was done. ``aside``: where the database lies that was there before; ``migrated``: it was an older one."""

    manifest: Manifest
    aside: str = ""
    migrated: bool = False
    key: bool = False
    only_checked: bool = False


def known_migrations() -> frozenset[str]:
    """All that this version has."""
    return frozenset(f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations)


def _vendor() -> str:
    if connection.vendor not in DATABASE:
        raise BackupError(f"Backups are of SQLite and PostgreSQL; this database is {connection.vendor}.")
    return connection.vendor


def _database_file() -> Path:
    return Path(str(connection.settings_dict["NAME"]))


@contextmanager
def _folder_in(parent: Path) -> Iterator[Path]:
    """A folder of our own, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix=".netmodes-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def make_backup(target: Path, data_dir: Path, *, with_key: bool = False) -> Manifest:
    """Writes the file; what was committed before is in it. BackupError, OSError."""
    vendor = _vendor()
    if target.exists():
        raise BackupError(f"{target} is there already: name a new file.")
    with _folder_in(target.parent) as folder:
        copy = folder / DATABASE[vendor]
        if vendor == SQLITE:
            if sqlite.is_empty(_database_file()):
                raise BackupError(f"There is no database yet in {_database_file().parent}: nothing to back up.")
            sqlite.copy_database(_database_file(), copy)
            applied = sqlite.migrations(copy)
        else:
            applied = postgresql.migrations()
            postgresql.dump(copy)
        files = {copy.name: copy}
        if with_key:
            if not (data_dir / KEY).is_file():
                raise BackupError(f"{data_dir} holds no {KEY}: the key comes from NETMODES_SECRET_KEY.")
            files[KEY] = data_dir / KEY
        manifest = Manifest(
            version=__version__,
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            database=vendor,
            migrations=tuple(sorted(applied)),
            files=tuple(described(name, path) for name, path in files.items()),
        )
        write_archive(target, manifest, files)
    return manifest


def restore_backup(
    source: Path, data_dir: Path, migrate: Callable[[], None], *, replace: bool = False, only_check: bool = False
) -> Restored:
    """Puts what is in the file where the database is expected; nothing is changed if anything is wrong.

    BackupError, OSError. ``replace``: a database that is there is put aside. ``migrate`` brings what is restored up to
    date where that cannot be done before (PostgreSQL).
    """
    with read_archive(source) as archive:
        manifest = archive.manifest
        # What is wrong with the copy itself can be seen anywhere; whether it fits is asked where it shall go.
        refusal = why_not(manifest, known_migrations(), manifest.database if only_check else _vendor(), __version__)
        if refusal:
            raise BackupError(refusal)
        if only_check:
            with tempfile.TemporaryDirectory(prefix="netmodes-") as folder:
                _checked(archive.extract(Path(folder)), manifest)
            return Restored(manifest, only_checked=True)
        with _alone(data_dir), _folder_in(_parent(data_dir)) as folder:
            _require_room(replace=replace)
            copy = _checked(found := archive.extract(folder), manifest)
            key = KEY in found and not (data_dir / KEY).exists()
            aside, migrated = _take_over(copy, manifest, migrate)
            if key:
                found[KEY].replace(data_dir / KEY)
                sync_folder(data_dir)
    return Restored(manifest, aside, migrated, key)


def _parent(data_dir: Path) -> Path:
    """Where a rename reaches the database."""
    return _database_file().parent if connection.vendor == SQLITE else data_dir


@contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    """While nobody serves from this data folder."""
    lock = LabLock(data_dir)
    try:
        lock.acquire()
    except LabBusyError:
        raise BackupError(f"Netmodes serves from {data_dir}: stop it first, then restore.") from None
    try:
        yield
    finally:
        lock.release()


def _require_room(*, replace: bool) -> None:
    """BackupError unless nothing would be lost."""
    if connection.vendor == SQLITE:
        if not replace and not sqlite.is_empty(_database_file()):
            raise BackupError(
                f"{_database_file()} holds data already. Name another folder in NETMODES_DATA_DIR, or say --replace: "
                "what is there is then kept beside it."
            )
        return
    try:
        if not postgresql.is_empty():
            raise BackupError("The database holds data already: make an empty one and name it in DATABASE_URL.")
        if others := postgresql.others():
            raise BackupError(f"The database is in use, by {others} other connections: stop what uses it first.")
    except DatabaseError as error:
        raise BackupError(f"The database cannot be used: {error}") from None


def _checked(found: dict[str, Path], manifest: Manifest) -> Path:
    """The database's file, looked through."""
    copy = found.get(DATABASE.get(manifest.database, ""))
    if copy is None:
        raise BackupError("The backup holds no database of Netmodes.")
    if manifest.database == SQLITE:
        sqlite.check(copy)
        if set(sqlite.migrations(copy)) != set(manifest.migrations):
            raise BackupError("The backup is damaged: its database is not what its list says.")
    return copy


def _take_over(copy: Path, manifest: Manifest, migrate: Callable[[], None]) -> tuple[str, bool]:
    """The database is what ``copy`` holds, brought up to date. Where the old one lies, and whether it was older."""
    older = bool(known_migrations() - set(manifest.migrations))
    if connection.vendor == SQLITE:
        target = _database_file()
        sqlite.forget_links(copy)
        if older:
            _migrate_file(copy)
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        aside = target.with_name(f"{target.name}.before-{stamp}-{os.getpid()}")
        return str(aside) if sqlite.put_in_place(copy, target, aside) else "", older
    postgresql.restore(copy)
    postgresql.forget_links()
    if older:
        migrate()
    return "", older


def _migrate_file(copy: Path) -> None:
    """Brings a database up to date before it takes its place."""
    connection.close()
    before = connection.settings_dict["NAME"]
    connection.settings_dict["NAME"] = str(copy)
    try:
        call_command("migrate", verbosity=0, interactive=False)
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except DatabaseError as error:
        raise BackupError(f"The backup's database could not be brought up to date: {error}.") from None
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before
