"""Data of version 0013: its database, backup, reports, links and cookies work in this version.

That version's own code wrote the files in ``tests/recorded``. The tests of this folder use only public interfaces:
commands, addresses, the HTTP API and the websockets. They share a server.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.management.old_data.installation import Installation, place, restore, without_data


@pytest.fixture(scope="package")
def placed(tmp_path_factory: pytest.TempPathFactory, kept: Path) -> Path:
    """A data folder with the old database, migrated. Tests leave it unchanged."""
    terminal = without_data(tmp_path_factory.mktemp("placed") / "data", kept)
    place(terminal)
    return terminal.folder


@pytest.fixture(scope="package", params=["placed", pytest.param("restored", marks=pytest.mark.slow)])
def old(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, kept: Path, placed: Path
) -> Iterator[Installation]:
    """This version with the old database, either from its data folder or restored from the old backup."""
    terminal = without_data(tmp_path_factory.mktemp("old") / "data", kept)
    if request.param == "restored":
        restore(terminal)
    else:
        shutil.copytree(placed, terminal.folder, dirs_exist_ok=True)
    with closing(sqlite3.connect(terminal.folder / "netmodes.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    yield Installation(terminal, terminal.serve())
    terminal.close()
