"""SQLite: a copy of the database while others write to it, and a copy put in its place."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from dashboard import configuration
from dashboard.backup.archive import BackupError, sync_folder

WAIT_S = 20.0


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A database that is there; BackupError in SQLite's words."""
    try:
        # Not "ro": a log that another process left is read only by who may write.
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True, timeout=WAIT_S)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise BackupError(f"The database {path} cannot be used: {error}.") from None


def copy_database(source: Path, target: Path) -> None:
    """Everything that was committed before, as one file without a log; nobody waits meanwhile.

    All pages in one step: a reader of a write-ahead log holds nobody up, and what is committed meanwhile does not make
    it begin anew (sqlite.org/backup.html).
    """
    configuration.keep_private(target)
    with _opened(source) as there, _opened(target) as here:
        there.backup(here, pages=-1)
        here.execute("PRAGMA journal_mode=DELETE")
    check(target)


def check(path: Path) -> None:
    """BackupError if SQLite finds a fault in the file."""
    with _opened(path) as connection:
        said = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(5)")]
    if said != ["ok"]:
        raise BackupError(f"The database is damaged: {said[0] if said else 'nothing is said'}.")


def migrations(path: Path) -> tuple[str, ...]:
    """The migrations that were applied; none where there is no table of them."""
    with _opened(path) as connection:
        if not tables(connection):
            return ()
        rows = connection.execute("SELECT app, name FROM django_migrations ORDER BY id")
        return tuple(f"{app}.{name}" for app, name in rows)


def tables(connection: sqlite3.Connection) -> int:
    """How many tables there are."""
    return int(connection.execute("SELECT count(*) FROM sqlite_master WHERE type = 'table'").fetchone()[0])


def is_empty(path: Path) -> bool:
    """Whether nothing is lost if another database takes its place."""
    if not path.exists() or path.stat().st_size == 0:
        return True
    with _opened(path) as connection:
        return tables(connection) == 0


def forget_links(path: Path) -> None:
    """Sign-in links that were used after the backup would be good once more."""
    with _opened(path) as connection, connection:
        connection.execute("DELETE FROM dashboard_signinlink")


def put_in_place(new: Path, target: Path, aside: Path) -> bool:
    """The new file is the database from now on; the old one, if it holds something, lies ``aside``. True if it does.

    One rename: whoever opens the database finds the old one or the new one. BackupError if somebody uses the old one.
    """
    kept = not is_empty(target)
    if kept:
        with _opened(target) as connection:
            busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            if not busy:
                connection.execute("PRAGMA journal_mode=DELETE")
        if busy:
            raise BackupError(f"Another process uses {target}: end it first.")
        os.link(target, aside)
    else:
        for name in (f"{target}-wal", f"{target}-shm"):
            Path(name).unlink(missing_ok=True)
    new.replace(target)
    sync_folder(target.parent)
    return kept
