"""Makes and restores backups of the database and the secret key."""

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

from dashboard import __version__, configuration
from dashboard.backup import postgresql, sqlite
from dashboard.backup.archive import BackupError, manifest_entry, read_archive, sync_folder, write_archive
from dashboard.configuration import KEY_FILE
from dashboard.core.operations.backup_manifest import Manifest, restore_problem
from dashboard.lab.lab_lock import LabBusyError, LabLock
from dashboard.store.operations.applied_migrations import applied_migrations, known_migrations

SQLITE, POSTGRESQL = "sqlite", "postgresql"
DATABASE = {SQLITE: "database.sqlite3", POSTGRESQL: "database.dump"}


@dataclass(frozen=True, slots=True)
class Restored:
    """The result of a restore. ``aside`` is the path under which the previous database is kept; empty if it had no
    data. ``migrated`` is true if the database of the backup was older and was migrated. ``key`` is true if the secret
    key was restored. ``only_checked`` is true if the backup was checked and nothing was changed."""

    manifest: Manifest
    aside: str = ""
    migrated: bool = False
    key: bool = False
    only_checked: bool = False


def _vendor() -> str:
    if connection.vendor not in DATABASE:
        raise BackupError(f"Cannot back up a {connection.vendor} database: only SQLite and PostgreSQL are supported.")
    return connection.vendor


def _database_file() -> Path:
    return Path(str(connection.settings_dict["NAME"]))


@contextmanager
def _temporary_folder(parent: Path) -> Iterator[Path]:
    """Context manager that creates a folder in ``parent`` and deletes it at the end. Files in it can be renamed into
    ``parent``, because both are on one file system."""
    folder = Path(tempfile.mkdtemp(prefix=".netmodes-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def make_backup(target: Path, data_dir: Path, *, with_key: bool = False) -> Manifest:
    """Writes a backup of everything that is committed at this moment, and returns its manifest. If ``with_key`` is
    true, the backup contains the secret key of ``data_dir``. Raises BackupError or OSError."""
    vendor = _vendor()
    if target.exists():
        raise BackupError(f"{target} already exists. Choose another file name.")
    with _temporary_folder(target.parent) as folder:
        copy = folder / DATABASE[vendor]
        if vendor == SQLITE:
            if sqlite.is_empty(_database_file()):
                raise BackupError(f"{_database_file().parent} contains no database yet: there is nothing to back up.")
            sqlite.copy_database(_database_file(), copy)
            applied = sqlite.migrations(copy)
        else:
            applied = applied_migrations()
            postgresql.dump(copy)
        files = {copy.name: copy}
        if with_key:
            if configuration.value("NETMODES_SECRET_KEY"):
                raise BackupError(
                    "The secret key comes from NETMODES_SECRET_KEY. Store it separately, and leave out --with-key."
                )
            if not (data_dir / KEY_FILE).is_file():
                raise BackupError(f"{data_dir} contains no {KEY_FILE}.")
            files[KEY_FILE] = data_dir / KEY_FILE
        manifest = Manifest(
            version=__version__,
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            database=vendor,
            migrations=tuple(sorted(applied)),
            files=tuple(manifest_entry(name, path) for name, path in files.items()),
        )
        write_archive(target, manifest, files, folder)
    return manifest


def restore_backup(
    source: Path, data_dir: Path, migrate: Callable[[], None], *, replace: bool = False, only_check: bool = False
) -> Restored:
    """Restores the database of a backup, and its secret key if it contains one.

    If ``only_check`` is true, the backup is checked and nothing is restored.

    If a SQLite database with data exists, ``replace`` must be true. That database is then kept under another name, and
    the secret key is not restored. The key is not restored either if NETMODES_SECRET_KEY is set. A PostgreSQL database
    must be empty.

    ``migrate`` is called only for PostgreSQL, after the restore. It must migrate the database and grant permissions in
    it to machines that have joined the installation.

    Raises BackupError or OSError. If the backup is not valid, nothing is changed.
    """
    with read_archive(source) as archive:
        manifest = archive.manifest
        # A check needs no matching database.
        vendor = manifest.database if only_check else _vendor()
        if problem := restore_problem(manifest, known_migrations(), vendor, __version__):
            raise BackupError(problem)
        if only_check:
            with tempfile.TemporaryDirectory(prefix="netmodes-") as checked:
                _check_database(archive.extract(Path(checked)), manifest)
            return Restored(manifest, only_checked=True)
        # A rename into place must not cross file systems. The database and the key may be on different ones.
        parent = _database_file().parent if connection.vendor == SQLITE else data_dir
        with _exclusive(data_dir), _temporary_folder(parent) as folder, _temporary_folder(data_dir) as key_folder:
            _check_target(replace=replace)
            files = archive.extract(folder)
            if KEY_FILE in files:
                files[KEY_FILE] = Path(shutil.move(files[KEY_FILE], key_folder))
            aside, migrated = _take_over(_check_database(files, manifest), manifest, migrate)
            # The key of an empty database was generated at the start of this command and has signed nothing.
            key = KEY_FILE in files and not aside and not configuration.value("NETMODES_SECRET_KEY")
            if key:
                files[KEY_FILE].replace(data_dir / KEY_FILE)
                sync_folder(data_dir)
    return Restored(manifest, aside, migrated, key)


@contextmanager
def _exclusive(data_dir: Path) -> Iterator[None]:
    """Context manager that prevents a lab from starting in the data folder. Raises BackupError if one runs."""
    lock = LabLock(data_dir)
    try:
        lock.acquire()
    except LabBusyError:
        raise BackupError(f"Netmodes runs from {data_dir}. Stop it first, then restore.") from None
    try:
        yield
    finally:
        lock.release()


def _check_target(*, replace: bool) -> None:
    """Raises BackupError if the database contains data. An SQLite database may contain data if ``replace`` is true.
    Also raises BackupError if a PostgreSQL database cannot be reached or has other clients."""
    if connection.vendor == SQLITE:
        if not replace and not sqlite.is_empty(_database_file()):
            raise BackupError(
                f"{_database_file()} already contains data. Set NETMODES_DATA_DIR to another folder, or use "
                "--replace, which keeps the existing database beside the restored one."
            )
        return
    try:
        if not postgresql.is_empty():
            raise BackupError("The database already contains data. Create an empty one and name it in DATABASE_URL.")
        if others := postgresql.other_connections():
            raise BackupError(f"The database is in use by {others} other connections. Stop its users first.")
    except DatabaseError as error:
        raise BackupError(f"Cannot use the database: {error}") from None


def _check_database(files: dict[str, Path], manifest: Manifest) -> Path:
    """Returns the path of the extracted database. Raises BackupError if it is missing, damaged or does not match the
    manifest."""
    copy = files.get(DATABASE.get(manifest.database, ""))
    if copy is None:
        raise BackupError("The backup contains no database of Netmodes.")
    if manifest.database == SQLITE:
        sqlite.check(copy)
        if set(sqlite.migrations(copy)) != set(manifest.migrations):
            raise BackupError("The backup is damaged: its database does not match its manifest.")
    return copy


def _take_over(copy: Path, manifest: Manifest, migrate: Callable[[], None]) -> tuple[str, bool]:
    """Puts ``copy``, the extracted database, in place and migrates it. ``migrate`` is called only for PostgreSQL.
    Returns the path under which the previous database is kept, empty if it had no data. Also returns whether ``copy``
    lacked migrations of this version."""
    older = bool(known_migrations() - set(manifest.migrations))
    if connection.vendor == SQLITE:
        target = _database_file()
        sqlite.delete_sign_in_links(copy)
        if older:
            _migrate_file(copy)
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        aside = target.with_name(f"{target.name}.before-{stamp}-{os.getpid()}")
        return str(aside) if sqlite.put_in_place(copy, target, aside) else "", older
    postgresql.restore(copy)
    postgresql.delete_sign_in_links()
    migrate()
    return "", older


def _migrate_file(copy: Path) -> None:
    """Migrates a SQLite database that is not the one in use. Raises BackupError if that fails."""
    connection.close()
    before = connection.settings_dict["NAME"]
    connection.settings_dict["NAME"] = str(copy)
    try:
        call_command("migrate", verbosity=0, interactive=False)
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except DatabaseError as error:
        raise BackupError(f"Cannot migrate the database of the backup: {error}.") from None
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before
