"""dashboard.bench.claims.repeated_runs."""

from __future__ import annotations

from dashboard.bench.claims.repeated_runs import changed_verdicts, versions_of


def test_a_verdict_that_changes_from_run_to_run_is_named() -> None:
    runs = [[{"id": "a", "verdict": "holds"}, {"id": "b", "verdict": one}] for one in ("holds", "not-testable")]
    assert changed_verdicts(runs) == {"b": ["holds", "not-testable"]}
    assert changed_verdicts(runs[:1]) == {}


def test_every_engine_that_a_claim_ran_on_is_named_by_its_version() -> None:
    engines = ("Docker Engine 28.5.2 (private host ab)", "Docker Engine 26.1.5 (private host cd)", "")
    assert versions_of([[{"engine": engine} for engine in engines]]) == ["Docker Engine 26.1.5", "Docker Engine 28.5.2"]
