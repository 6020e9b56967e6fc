"""How fast and how large a journal may grow."""

from __future__ import annotations

from dashboard.core.experiments.budget.pace import Limits, describe_used_up, new_pace

LIMITS = Limits(max_entries=100, max_bytes=1000, burst_entries=3, burst_bytes=500, entries_per_s=0.5, bytes_per_s=10)


def test_a_burst_is_allowed_and_refills_with_time() -> None:
    pace = new_pace(LIMITS, 0.0)
    for _ in range(3):
        assert pace.allows(0.0)
        pace = pace.spent(1, 0.0)
    assert not pace.allows(1.9)
    assert pace.allows(2.0)


def test_a_large_entry_is_allowed_once_and_then_paid_for() -> None:
    pace = new_pace(LIMITS, 0.0).spent(600, 0.0)
    assert not pace.allows(10.0)
    assert pace.allows(10.1)
    assert pace.refilled(1e6).allowed_bytes == 500


def test_a_used_up_budget_allows_nothing_more() -> None:
    for used in (new_pace(LIMITS, 0.0, 99, 0).spent(1, 0.0), new_pace(LIMITS, 0.0, 5, 999).spent(1, 0.0)):
        assert used.is_used_up
        assert not used.allows(1e9)
    assert not new_pace(LIMITS, 0.0, 99, 999).is_used_up


def test_a_clock_that_stands_still_refills_nothing() -> None:
    pace = new_pace(LIMITS, 5.0).spent(1, 5.0)
    assert pace.refilled(4.0).allowed_entries == 2


def test_the_defaults_let_a_large_launch_through() -> None:
    pace = new_pace(Limits(), 0.0)
    for _ in range(700):
        assert pace.allows(0.0)
        pace = pace.spent(3_000, 0.0)


def test_the_limit_of_the_journal_is_stated() -> None:
    assert "20,000 entries or 64 MiB" in describe_used_up(Limits())
