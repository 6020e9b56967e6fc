"""Which tests run on a real engine: those that ``./netmodes test --engine`` repeats on another one."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

#: Fixtures that start an engine. A test whose fixtures include one of them, directly or through others, is marked
#: ``engine``. Files that start an engine in another way carry the mark themselves.
ENGINE_FIXTURES = frozenset(
    {
        "engine_host",
        "newest_host",
        "any_host",
        "session_hosts_folder",
        # tests/lab/engine/test_faults.py
        "own_host",
        "killable_host",
        "surviving",
    }
)


def mark_engine_tests(items: Iterable[pytest.Item]) -> None:
    """Adds the mark ``engine`` to each test that uses a real engine."""
    for item in items:
        if ENGINE_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("engine")
