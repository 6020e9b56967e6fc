"""The newest entries in memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dashboard.core.experiments.journal import Cause, Entry, Facts, Source
from dashboard.store import recent_entries
from dashboard.store.recent_entries import MAX_BYTES, MAX_ENTRIES, forget, recent, remember

KEY = "experiment"


def make_entries(*numbers: int, size: int = 100) -> list[tuple[Entry, int]]:
    return [(Entry(number, 1.0, Cause(Source.LAB), Facts()), size) for number in numbers]


def numbers(after: int) -> list[int] | None:
    found = recent(KEY, after)
    return None if found is None else [entry.seq for entry in found]


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    yield
    forget(KEY)


def test_the_newest_entries_are_remembered_and_missing_older_ones_are_reported() -> None:
    assert numbers(0) is None
    remember(KEY, make_entries(*range(1, MAX_ENTRIES + 11)), ())
    assert numbers(9) is None
    assert numbers(MAX_ENTRIES + 8) == [MAX_ENTRIES + 9, MAX_ENTRIES + 10]
    assert numbers(MAX_ENTRIES + 10) == []


def test_large_entries_are_bounded_by_their_bytes() -> None:
    remember(KEY, make_entries(*range(1, 11), size=MAX_BYTES // 4), ())
    assert numbers(0) is None
    assert numbers(6) == [7, 8, 9, 10]


def test_replaced_entries_are_gone() -> None:
    remember(KEY, make_entries(1, 2, 3), ())
    remember(KEY, make_entries(7), {3})
    assert numbers(0) == [1, 2, 7]
    assert recent_entries._rings[KEY].size == 300


def test_a_forgotten_experiment_uses_no_memory() -> None:
    remember(KEY, make_entries(1), ())
    forget(KEY)
    assert numbers(0) is None
    assert KEY not in recent_entries._rings
