"""Copies an SQLite database while other processes write to it, and replaces a database with a copy."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from dashboard import configuration
from dashboard.backup.archive import BackupError, sync_folder
from dashboard.core.operations.database_problems import is_damaged

TIMEOUT_S = 20.0


class DamagedDatabaseError(BackupError):
    """SQLite cannot use a database because its file is damaged."""


@contextmanager
def _connect(path: Path) -> Iterator[sqlite3.Connection]:
    """Context manager that opens a connection to an existing database. Raises BackupError with SQLite's message,
    DamagedDatabaseError if the database is damaged."""
    try:
        # Not mode=ro: reading the log of another process requires write access.
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True, timeout=TIMEOUT_S)) as connection:
            yield connection
    except sqlite3.Error as error:
        failure = DamagedDatabaseError if is_damaged(str(error)) else BackupError
        raise failure(f"Cannot use the database {path}: {error}.") from None


def copy_database(source: Path, target: Path) -> None:
    """Copies everything that is committed at this moment into one file without a write-ahead log. Does not block
    writers.

    All pages are copied in one step. A reader of a write-ahead log blocks no writer, and commits during the copy do not
    restart it (sqlite.org/backup.html).
    """
    configuration.keep_private(target)
    with _connect(source) as original, _connect(target) as copy:
        original.backup(copy, pages=-1)
        copy.execute("PRAGMA journal_mode=DELETE")
    check(target)


def check(path: Path) -> None:
    """Raises BackupError if SQLite's integrity check fails."""
    with _connect(path) as connection:
        faults = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(5)")]
    if faults != ["ok"]:
        raise BackupError(f"The database is damaged: {faults[0] if faults else 'the integrity check failed'}.")


def migrations(path: Path) -> tuple[str, ...]:
    """Returns the applied migrations as ``app.name``; empty for a database without tables."""
    if is_empty(path):
        return ()
    with _connect(path) as connection:
        rows = connection.execute("SELECT app, name FROM django_migrations ORDER BY id")
        return tuple(f"{app}.{name}" for app, name in rows)


def is_empty(path: Path) -> bool:
    """Whether the file is missing or empty, or the database has no tables. A damaged database is not empty."""
    if not path.exists() or path.stat().st_size == 0:
        return True
    with suppress(DamagedDatabaseError), _connect(path) as connection:
        return not connection.execute("SELECT count(*) FROM sqlite_master WHERE type = 'table'").fetchone()[0]
    return False


def delete_sign_in_links(path: Path) -> None:
    """Deletes all sign-in links that the backup contained. Links that were used after the backup was made would
    otherwise work again."""
    with _connect(path) as connection, connection:
        connection.execute("DELETE FROM dashboard_signinlink")


def put_in_place(new: Path, target: Path, aside: Path) -> bool:
    """Replaces the database ``target`` with the file ``new``, in one atomic rename. If the old database has data or is
    damaged, it is kept as ``aside``, and the result is True. Raises BackupError if another process uses the old
    database."""
    kept = not is_empty(target)
    if kept:
        with suppress(DamagedDatabaseError):
            _end_log(target)
    # What remains of a log belongs to the old database. SQLite would apply it to the new one.
    for name in ("-wal", "-shm"):
        log = Path(f"{target}{name}")
        if kept and log.exists():
            log.rename(f"{aside}{name}")
        log.unlink(missing_ok=True)
    if kept:
        os.link(target, aside)
    new.replace(target)
    sync_folder(target.parent)
    return kept


def _end_log(path: Path) -> None:
    """Writes the write-ahead log of a database into its file and deletes the log. Raises BackupError if another process
    uses the database."""
    with _connect(path) as connection:
        busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if not busy:
            connection.execute("PRAGMA journal_mode=DELETE")
    if busy:
        raise BackupError(f"Another process uses {path}. Stop it first.")
