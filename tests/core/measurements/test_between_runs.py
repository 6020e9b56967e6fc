"""Differences between separate runs: coverage of intervals, and no unjustified verdicts."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from dashboard.core.measurements.between_runs import compare_blocks, difference_interval, drift_of
from dashboard.core.measurements.measurement import Block
from dashboard.core.measurements.verdicts import name_of

Noise = Callable[[random.Random], float]


def heavy(source: random.Random) -> float:
    """Typical block medians: skewed, with occasional outliers."""
    return source.lognormvariate(0, 0.6) + (source.expovariate(0.2) if source.random() < 0.05 else 0.0)


NOISE: dict[str, Noise] = {"normal": lambda source: source.gauss(0, 0.4), "heavy": heavy}


def blocks_of(values: Sequence[float], n: int = 300) -> list[Block]:
    return [
        Block("a", number, number * 0.3, 0.05, n, center_us=value, p50_us=value, p99_us=2 * value)
        for number, value in enumerate(values)
    ]


def test_the_interval_is_that_of_scipy() -> None:
    import scipy.stats  # here: every worker imports this file, and this takes a second

    source = random.Random(5)
    before, after = [20 + heavy(source) for _ in range(200)], [23 + heavy(source) for _ in range(300)]
    expected = scipy.stats.bootstrap(
        (before, after),
        lambda one, other, axis: np.median(other, axis=axis) - np.median(one, axis=axis),
        method="percentile",
        n_resamples=9999,
        rng=np.random.default_rng(3),
    ).confidence_interval
    found = difference_interval(before, after, random.Random(3), rounds=9999)
    assert found.low == pytest.approx(expected.low, abs=0.03)
    assert found.high == pytest.approx(expected.high, abs=0.03)


@pytest.mark.parametrize(
    ("noise", "sizes"),
    [
        ("heavy", (12, 40)),
        *(pytest.param(*more, marks=pytest.mark.slow) for more in (("heavy", (30, 30)), ("normal", (30, 30)))),
        pytest.param("normal", (12, 40), marks=pytest.mark.slow),
    ],
)
def test_the_interval_covers_the_truth(noise: str, sizes: tuple[int, int]) -> None:
    source, runs = random.Random(f"{noise} {sizes}"), 500
    covered = 0
    for _ in range(runs):
        before = [20 + NOISE[noise](source) for _ in range(sizes[0])]
        after = [22 + NOISE[noise](source) for _ in range(sizes[1])]
        covered += 2.0 in difference_interval(before, after, source, rounds=400)
    assert 0.93 <= covered / runs <= 0.97


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ((20.0, 0.2, 0.0), (22.0, 0.2, 0.0), "slower"),
        ((22.0, 0.2, 0.0), (20.0, 0.2, 0.0), "faster"),
        ((20.0, 0.02, 0.0), (20.0, 0.02, 0.0), "same"),
        ((20.0, 2.0, 0.0), (20.3, 2.0, 0.0), "inconclusive"),
        # A run that itself moves by 4 µs proves nothing about 2 µs.
        ((20.0, 0.2, 4.0), (22.0, 0.2, 4.0), "inconclusive"),
    ],
)
def test_a_verdict_follows_from_the_difference_and_its_interval(
    before: tuple[float, ...], after: tuple[float, ...], verdict: str
) -> None:
    source = random.Random(9)
    runs = [
        [middle + source.gauss(0, noise) + moves * k / 60 for k in range(60)]
        for middle, noise, moves in (before, after)
    ]
    found = compare_blocks(blocks_of(runs[0]), blocks_of(runs[1]))
    assert name_of(found.verdict) == verdict
    assert found.delta_us is not None
    assert found.ci95_us is not None
    assert found.delta_us in found.ci95_us
    assert found == compare_blocks(blocks_of(runs[0]), blocks_of(runs[1]))


@pytest.mark.parametrize("count", [40, pytest.param(120, marks=pytest.mark.slow)])
def test_identical_runs_are_seldom_called_different(count: int) -> None:
    source = random.Random(2)
    alarms = 0
    for seed in range(count):
        runs = [blocks_of([20 + heavy(source) for _ in range(30)]) for _ in range(2)]
        alarms += name_of(compare_blocks(*runs, seed=seed).verdict) in {"slower", "faster"}
    assert alarms <= count // 20


def test_p99_needs_enough_requests() -> None:
    values = [20 + 0.1 * number for number in range(20)]
    found = compare_blocks(blocks_of(values), blocks_of([one + 5 for one in values]))
    assert found.p99_delta_us == pytest.approx(10)
    assert found.p99_ci95_us is not None
    few = compare_blocks(blocks_of(values, n=50), blocks_of(values, n=50))
    assert few.p99_delta_us is None
    assert few.delta_us == 0


def test_too_few_blocks_decide_nothing() -> None:
    assert compare_blocks([], blocks_of([20.0])).delta_us is None
    found = compare_blocks(blocks_of([20.0] * 5), blocks_of([40.0] * 30))
    assert (found.delta_us, found.ci95_us) == (20, None)
    assert "only 5 blocks" in str(found.verdict)
    assert compare_blocks(blocks_of([20.0] * 12), blocks_of([20.0] * 12)).ci95_us is not None, "no variance at all"
    assert drift_of([20.0] * 39) is None
    assert drift_of([20.0] * 30 + [23.0] * 10) == 3


def test_a_difference_that_is_not_larger_than_the_drift_is_not_decided() -> None:
    def drifting(middle: float, drift: float) -> list[Block]:
        return blocks_of([middle + drift * (number // 10) / 3 for number in range(40)])

    still, moved = drifting(20.0, 0.0), drifting(22.0, 0.0)
    assert (name_of(compare_blocks(still, moved).verdict), compare_blocks(still, moved).drift_us) == ("slower", 0)
    for runs in ((drifting(20.0, 2.0), drifting(22.0, 0.0)), (drifting(20.0, 0.0), drifting(22.0, 2.0))):
        found = compare_blocks(*runs)
        assert found.drift_us == pytest.approx(2.0)
        assert found.delta_us is not None
        assert abs(found.delta_us) in {1.0, 3.0}
    found = compare_blocks(drifting(20.0, 3.0), drifting(23.0, 3.0))
    assert [found.delta_us, found.drift_us] == pytest.approx([3.0, 3.0])
    assert name_of(found.verdict) == "inconclusive"
    found = compare_blocks(drifting(20.0, 3.0), drifting(24.0, 3.0))
    assert name_of(found.verdict) == "slower"


def test_a_difference_within_the_margin_stays_the_same_however_much_a_run_moved() -> None:
    values = [20.0 + 0.001 * (number % 7) for number in range(40)]
    found = compare_blocks(blocks_of(values), blocks_of(values), margin_us=5.0)
    assert name_of(found.verdict) == "same"


def test_blocks_that_do_not_count_are_left_out() -> None:
    failed = [replace(one, error="reset") for one in blocks_of([99.0] * 5)]
    found = compare_blocks(blocks_of([20.0] * 12) + failed, blocks_of([21.0] * 10))
    assert (found.blocks, found.delta_us) == ((12, 10), 1.0)
    assert found.ci95_us is not None
    assert compare_blocks(blocks_of([20.0] * 9), blocks_of([21.0] * 10)).ci95_us is None
    assert compare_blocks(blocks_of([20.0] * 10), []).blocks == (10, 0)


def test_tails_need_ten_blocks_of_200_requests_in_each_run() -> None:
    def tail(before: int, after: int, n: int = 200) -> float | None:
        runs = [
            blocks_of([20.0] * count, n) + [replace(one, round=one.round + count) for one in blocks_of([20.0] * 12, 5)]
            for count in (before, after)
        ]
        return compare_blocks(*runs).p99_delta_us

    assert (tail(10, 10), tail(9, 10), tail(10, 9), tail(10, 10, 199)) == (0.0, None, None, None)


def test_the_stretches_of_a_run_are_in_the_order_of_its_rounds() -> None:
    blocks = blocks_of([20.0] * 20 + [24.0] * 20)
    shuffled = random.Random(1).sample(blocks, len(blocks))
    assert compare_blocks(shuffled, blocks_of([20.0] * 40)).drift_us == 4.0
    assert compare_blocks(blocks_of([20.0] * 39), blocks_of([20.0] * 39)).drift_us is None
    assert drift_of([20.0] * 10 + [21.0] * 10 + [26.0] * 10 + [22.0] * 13) == 6
