"""dashboard.bench.catalogue: which names select which benchmarks."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from dashboard.bench.catalogue import BENCHMARKS, DEFAULT, TRUTH, choose, limit_of
from dashboard.bench.environment import LIMIT_S


def test_the_documents_describe_every_benchmark() -> None:
    page = Path(__file__).parents[2].joinpath("docs/benchmarks.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| \[`([a-z-]+)`\]\(#", page, re.MULTILINE)) == sorted(BENCHMARKS)


def test_no_name_selects_the_short_ones() -> None:
    assert choose([]) == ("launch", "change", "fan-out", "page", "history", "report", "idle")
    assert set(choose([])) == DEFAULT


def test_truth_is_a_group_and_combines_with_other_names() -> None:
    assert choose(["truth"]) == TRUTH
    assert choose(["page", "truth", "order"]) == ("page", *TRUTH)
    assert choose(["order", "launch"]) == ("launch", "order")


def test_unknown_names_are_in_the_error() -> None:
    with pytest.raises(KeyError, match="nonsense, more"):
        choose(["page", "nonsense", "more"])


@pytest.mark.parametrize("name", BENCHMARKS)
def test_the_event_loop_of_a_benchmark_can_be_created(name: str) -> None:
    with asyncio.Runner(loop_factory=getattr(BENCHMARKS[name], "EVENT_LOOP", None)) as runner:
        assert runner.get_loop().time() > 0


def test_long_benchmarks_have_their_own_time_limit() -> None:
    assert limit_of("page") == LIMIT_S
    assert limit_of("resolution") > LIMIT_S
    assert limit_of("claims") > LIMIT_S
