"""dashboard.bench.catalogue: what is run when."""

from __future__ import annotations

import pytest

from dashboard.bench.catalogue import BENCHMARKS, LONG, TRUTH, choose, limit_of
from dashboard.bench.claims.repeated_runs import unsteady
from dashboard.bench.environment import LIMIT_S


def test_nothing_asked_is_all_but_the_long_ones() -> None:
    assert set(choose([])) == set(BENCHMARKS) - LONG


def test_truth_is_a_group_and_may_stand_with_others() -> None:
    assert choose(["truth"]) == TRUTH
    assert choose(["page", "truth", "order"]) == ("page", *TRUTH)
    assert choose(["order", "launch"]) == ("launch", "order")


def test_names_that_there_are_not_are_named() -> None:
    with pytest.raises(KeyError, match="nonsense, more"):
        choose(["page", "nonsense", "more"])


def test_long_ones_have_a_limit_of_their_own() -> None:
    assert limit_of("page") == LIMIT_S
    assert limit_of("resolution") > LIMIT_S
    assert limit_of("claims") > LIMIT_S


def test_a_verdict_that_changes_from_run_to_run_is_named() -> None:
    runs = [[{"id": "a", "verdict": "holds"}, {"id": "b", "verdict": one}] for one in ("holds", "not-testable")]
    assert unsteady(runs) == {"b": ["holds", "not-testable"]}
    assert unsteady(runs[:1]) == {}
