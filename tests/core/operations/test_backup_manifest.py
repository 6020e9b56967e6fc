"""The manifest of a backup decides whether it can be restored."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.core.operations.backup_manifest import (
    FIRST_MIGRATION,
    BackupFile,
    Manifest,
    newer_database_problem,
    restore_problem,
)

KNOWN = (FIRST_MIGRATION, "dashboard.0002_more")
GOOD = Manifest("0.1.0", "2026-01-01T00:00:00+00:00", "sqlite", (FIRST_MIGRATION,), ())


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({}, None),
        ({"migrations": KNOWN}, None),
        (
            {"migrations": (*KNOWN, "dashboard.0099_later")},
            "newer than this version 0.2.0: its database has dashboard.",
        ),
        ({"migrations": (*KNOWN, "account.0001_initial", "socialaccount.0001_initial")}, None),
        ({"migrations": (*KNOWN, "auth.0099_later")}, "newer than this version 0.2.0: its database has auth.0099"),
        ({"migrations": ()}, "contains no database of Netmodes"),
        ({"database": "postgresql"}, "of a postgresql database, but DATABASE_URL names a sqlite database"),
        ({"schema": "backup/2"}, "has the format backup/2, which this version 0.2.0 cannot read"),
    ],
)
def test_an_unsuitable_backup_is_refused_with_the_reason(changed: dict[str, object], problem: str | None) -> None:
    found = restore_problem(replace(GOOD, **changed), KNOWN, "sqlite", "0.2.0")  # type: ignore[arg-type]
    assert found is None if problem is None else problem in str(found)


def test_newer_tables_of_openid_connect_are_refused_where_it_is_configured() -> None:
    backup = replace(GOOD, migrations=(*KNOWN, "account.0001_initial", "account.0099_later"))
    found = restore_problem(backup, (*KNOWN, "account.0001_initial"), "sqlite", "0.2.0")
    assert "its database has account.0099_later" in str(found)


def test_the_size_of_a_backup_is_that_of_its_files() -> None:
    files = (BackupFile("db.sqlite3", 1000, "a" * 64), BackupFile("settings", 24, "b" * 64))
    assert (replace(GOOD, files=files).size, GOOD.size) == (1024, 0)


@pytest.mark.parametrize(
    ("more", "refused"),
    [((), False), (("dashboard.9999_future",), True), (("auth.9999_future",), False)],
)
def test_a_database_of_a_newer_version_is_refused(more: tuple[str, ...], refused: bool) -> None:
    problem = newer_database_problem((*KNOWN, *more), KNOWN, "0.2.0")
    assert (problem is not None) is refused
    if problem:
        assert "dashboard.9999_future" in problem
        assert "this version 0.2.0 lacks" in problem
    assert newer_database_problem((), KNOWN, "0.2.0") is None, "an empty one"
