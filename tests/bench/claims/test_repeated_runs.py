"""dashboard.bench.claims.repeated_runs."""

from __future__ import annotations

from dashboard.bench.claims.repeated_runs import changed_verdicts


def test_a_verdict_that_changes_from_run_to_run_is_named() -> None:
    runs = [[{"id": "a", "verdict": "holds"}, {"id": "b", "verdict": one}] for one in ("holds", "not-testable")]
    assert changed_verdicts(runs) == {"b": ["holds", "not-testable"]}
    assert changed_verdicts(runs[:1]) == {}
