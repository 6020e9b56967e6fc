"""What a backup says of itself decides whether it is restored."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.core.operations.backup_manifest import FIRST, BackedUp, Manifest, say_size, why_not

KNOWN = (FIRST, "dashboard.0002_more")
GOOD = Manifest("0.1.0", "2026-01-01T00:00:00+00:00", "sqlite", (FIRST,), ())


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, ""),
        ({"migrations": KNOWN}, ""),
        (
            {"migrations": (*KNOWN, "dashboard.0099_later")},
            "newer than this version 0.2.0: its database has dashboard.",
        ),
        ({"migrations": ()}, "holds no database of Netmodes"),
        ({"database": "postgresql"}, "of a postgresql database, and DATABASE_URL names a sqlite one"),
        ({"schema": "backup/2"}, "in the form backup/2, which this version 0.2.0 cannot read"),
    ],
)
def test_what_cannot_be_restored_is_said(changed: dict[str, object], said: str) -> None:
    found = why_not(replace(GOOD, **changed), KNOWN, "sqlite", "0.2.0")  # type: ignore[arg-type]
    assert said in found
    assert bool(found) is bool(said)


def test_sizes_in_words() -> None:
    assert [say_size(size) for size in (0, 999, 812_345, 4_100_000)] == ["1 kB", "1 kB", "812 kB", "4.1 MB"]


def test_a_backup_is_as_large_as_its_files() -> None:
    files = (BackedUp("db.sqlite3", 1000, "a" * 64), BackedUp("settings", 24, "b" * 64))
    assert (replace(GOOD, files=files).size, GOOD.size) == (1024, 0)


def test_a_megabyte_is_a_million_bytes() -> None:
    assert [say_size(size) for size in (1500, 999_499, 1_000_000)] == ["2 kB", "999 kB", "1.0 MB"]
