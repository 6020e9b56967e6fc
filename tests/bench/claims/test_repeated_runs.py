"""dashboard.bench.claims.repeated_runs."""

from __future__ import annotations

from dashboard.bench.claims.repeated_runs import outcomes_of, versions_of


def test_an_outcome_has_the_different_verdicts_of_all_runs_and_the_last_reason() -> None:
    runs = [
        [{"id": name, "statement": "", "verdict": verdict, "reason": verdict} for name, verdict in verdicts.items()]
        for verdicts in ({"a": "holds", "b": "holds"}, {"a": "holds", "b": "not-testable"})
    ]
    same, changed = outcomes_of(runs)
    assert same.verdicts == ("holds",)
    assert (changed.verdicts, changed.reason) == (("holds", "not-testable"), "not-testable")


def test_every_engine_that_a_claim_ran_on_is_named_by_its_version() -> None:
    engines = ("Docker Engine 28.5.2 (private host ab)", "Docker Engine 26.1.5 (private host cd)", "")
    assert versions_of([[{"engine": engine} for engine in engines]]) == ["Docker Engine 26.1.5", "Docker Engine 28.5.2"]
