"""A backup of version 0013 is restored."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.management.old_data.installation import restore, without_data
from tests.management.old_data.recorded import OLD


def contents(folder: Path) -> dict[str, list[Any]]:
    """The rows of every table, except those that record when this version migrated."""
    with closing(sqlite3.connect(folder / "netmodes.db")) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            name: sorted(connection.execute(f'SELECT * FROM "{name}"').fetchall(), key=repr)  # noqa: S608
            for name in names
            if name not in {"django_migrations", "sqlite_sequence"}
        }


def test_the_old_backup_restores_the_rows_of_the_old_database(tmp_path: Path, kept: Path, placed: Path) -> None:
    """So every test of the placed database also holds for the restored one, except for links to sign in."""
    restored = without_data(tmp_path / "restored", kept)
    restore(restored)
    before, after = contents(placed), contents(restored.folder)
    assert before.pop("dashboard_signinlink") != []
    assert after.pop("dashboard_signinlink") == []
    assert len(before["dashboard_report"]) > 2
    assert after == before
    assert (restored.folder / "secret.key").read_text() == OLD["secret_key"]
