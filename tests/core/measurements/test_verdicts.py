"""dashboard.core.measurements.verdicts, tested with simulated runs of known differences."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from dashboard.core.measurements import verdicts
from dashboard.core.measurements.measurement import Block, Options, Stop
from dashboard.core.measurements.statistics import Interval, median
from dashboard.core.measurements.verdicts import (
    MIN_ROUNDS,
    MIN_ROUNDS_TO_STOP,
    Faster,
    Inconclusive,
    Same,
    Slower,
    decide,
    decide_stop,
    default_margin,
    is_check_due,
    judge_blocks,
    judge_differences,
    median_interval,
    name_of,
    pair_blocks,
    reason_of,
)

RUNS = 240
Run = tuple[list[Block], list[Block]]


def make_block(series: str, number: int, center_us: float, **more: Any) -> Block:
    fields: dict[str, Any] = {"n": 2500, "p99_us": center_us * 2, "p50_us": center_us, "duration_s": 0.05}
    return Block(series, number, number * 0.1, center_us=center_us, **(fields | more))


def simulate(source: np.random.Generator, rounds: int, shift_us: float) -> Run:
    """Blocks as on a busy machine: a median of 18 µs that drifts by microseconds during a run,
    independent noise for each block, and occasional outliers."""
    drift = 18 + np.cumsum(source.normal(0, 0.25, 2 * rounds)) + 2 * np.sin(np.arange(2 * rounds) / 9)
    noise = source.normal(0, 0.35, 2 * rounds) + source.exponential(6, 2 * rounds) * (source.random(2 * rounds) < 0.08)
    level = drift + noise
    a, b = [], []
    for number in range(rounds):
        first = int(source.integers(2))  # which of the two comes first is drawn anew in each round
        a.append(make_block("a", number, float(level[2 * number + first])))
        b.append(make_block("b", number, float(level[2 * number + 1 - first]) + shift_us))
    return a, b


def many(seed: int, shift_us: float, rounds: int = 30) -> list[Run]:
    source = np.random.default_rng(seed)
    return [simulate(source, rounds, shift_us) for _ in range(RUNS)]


@pytest.mark.parametrize(
    ("shift_us", "rounds"),
    [(1.0, 24), *(pytest.param(*more, marks=pytest.mark.slow) for more in ((0.0, 30), (5.0, 40)))],
)
def test_the_interval_covers_the_truth_in_93_to_97_of_100_runs(shift_us: float, rounds: int) -> None:
    source = np.random.default_rng(int(shift_us) + 17)
    covered = 0
    for number in range(3 * RUNS):
        a, b = simulate(source, rounds, shift_us)
        differences = [two.center_us - one.center_us for one, two in zip(a, b, strict=True)]
        covered += shift_us in median_interval(differences, random.Random(number), rounds=600)
    assert 0.93 <= covered / (3 * RUNS) <= 0.97


def test_identical_arms_are_called_different_in_at_most_5_of_100_runs() -> None:
    wrong = [name_of(judge_blocks(a, b, seed=n, rounds=600).verdict) for n, (a, b) in enumerate(many(1, 0.0))]
    assert sum(one in {"slower", "faster"} for one in wrong) / RUNS <= 0.05


@pytest.mark.parametrize(
    "shift_us", [-1.0, *(pytest.param(shift, marks=pytest.mark.slow) for shift in (1.0, 5.0, -5.0, 2.0, -2.0))]
)
def test_a_shift_is_found_with_its_sign_in_95_of_100_runs(shift_us: float) -> None:
    wanted = Slower if shift_us > 0 else Faster
    found = [judge_blocks(a, b, seed=n, rounds=600).verdict for n, (a, b) in enumerate(many(2, shift_us))]
    assert sum(isinstance(one, wanted) for one in found) / RUNS >= 0.95


@pytest.mark.parametrize("shift_us", [0.0, pytest.param(1.0, marks=pytest.mark.slow)])
def test_stopping_at_a_narrow_interval_changes_neither_its_coverage_nor_the_false_alarms(shift_us: float) -> None:
    source = np.random.default_rng(23 + int(shift_us))
    options = Options(seconds=1e9, width_us=1.0)
    covered = alarms = early = 0
    for number in range(RUNS):
        a, b = simulate(source, 120, shift_us)
        rounds = 120
        for rounds in filter(is_check_due, range(1, 121)):
            seen = {"a": a[:rounds], "b": b[:rounds]}
            if decide_stop(seen, {"a": "a", "b": "a"}, options, rounds=rounds, elapsed_s=1.0) is Stop.NARROW:
                early += 1
                break
        judged = judge_blocks(a[:rounds], b[:rounds], seed=number, rounds=600)
        assert judged.ci95_us is not None
        covered += shift_us in judged.ci95_us
        alarms += shift_us == 0 and isinstance(judged.verdict, Slower | Faster)
    assert early > RUNS / 2
    assert covered / RUNS >= 0.92  # 240 runs: 95 % less two standard errors
    assert alarms / RUNS <= 0.05


def test_scipy_finds_the_same_interval() -> None:
    import scipy.stats  # here: every worker imports this file, and this takes a second

    source = np.random.default_rng(3)
    differences = source.normal(1.0, 0.8, 41).tolist()
    ours = median_interval(differences, random.Random(1), rounds=20_000)
    theirs = scipy.stats.bootstrap(
        (differences,), np.median, n_resamples=20_000, method="percentile", rng=np.random.default_rng(4)
    ).confidence_interval
    assert ours.low == pytest.approx(theirs.low, abs=0.12)
    assert ours.high == pytest.approx(theirs.high, abs=0.12)
    assert ours.high - ours.low >= (theirs.high - theirs.low) * 0.99  # corrected for few samples: never narrower


def test_the_interval_is_about_as_wide_as_that_of_the_sign_test() -> None:
    import scipy.stats

    source = np.random.default_rng(8)
    ratios = []
    for number in range(40):
        sample = np.sort(source.normal(0, 1, 31))
        reach = int(scipy.stats.binom.ppf(0.025, 31, 0.5))
        ours = median_interval(sample.tolist(), random.Random(number), rounds=600)
        ratios.append((ours.high - ours.low) / (sample[30 - reach] - sample[reach]))
    assert 0.7 <= median(ratios) <= 1.15


def spread(middle: float, width: float, count: int = 40) -> list[float]:
    return [middle + width * (2 * number / (count - 1) - 1) for number in range(count)]


@pytest.mark.parametrize(
    ("differences", "kind", "words"),
    [
        (spread(3, 1), Slower, "slower by 3.00 µs"),
        (spread(-3, 1), Faster, "faster by 3.00 µs"),
        (spread(0.02, 0.1), Same, "no difference beyond"),
        (spread(0.1, 8), Inconclusive, "spans zero"),
        (spread(0.3, 0.15), Slower, "slower by 0.30 µs"),
        (spread(0.19, 0.15), Inconclusive, "but its median does not"),
        (spread(1, 1, 9), Inconclusive, "only 9 paired blocks; 10 are needed"),
        ([1.0], Inconclusive, "only 1 paired block;"),
        ([], Inconclusive, "no round has a valid block of both paths"),
    ],
)
def test_a_verdict_follows_from_the_interval(differences: list[float], kind: type[object], words: str) -> None:
    judged = judge_differences(differences, 0.2, random.Random(1))
    assert isinstance(judged.verdict, kind)
    assert words in reason_of(judged)
    assert name_of(judged.verdict) == kind.__name__.lower()


def test_a_difference_that_is_significant_at_95_but_not_at_99_percent_is_inconclusive() -> None:
    source = random.Random(2)
    reasons = set()
    for _ in range(400):
        judged = judge_differences([source.gauss(0.9, 2.0) for _ in range(30)], 0.2, source, rounds=500)
        assert judged.ci95_us is not None
        if 0 not in judged.ci95_us and isinstance(judged.verdict, Inconclusive):
            reasons.add(judged.verdict.reason)
    assert any(reason.endswith("is not significant at 99 %") for reason in reasons)


def test_only_rounds_that_both_finished_are_paired() -> None:
    a = [make_block("a", number, 18.0) for number in (0, 1, 2, 4)]
    b = [make_block("b", 0, 19.0), make_block("b", 1, 19.0, error="reset"), make_block("b", 2, 0.0, n=0)]
    b += [make_block("b", 3, 19.0), make_block("b", 4, 20.0)]
    assert [(one.round, two.center_us) for one, two in pair_blocks(a, b)] == [(0, 19.0), (4, 20.0)]


def test_p99_is_compared_where_blocks_have_enough_requests() -> None:
    a = [make_block("a", number, 18.0 + number % 3) for number in range(20)]
    b = [make_block("b", number, 20.0 + number % 3) for number in range(20)]
    judged = judge_blocks(a, b)
    assert (judged.delta_us, judged.p99_delta_us) == (2.0, 4.0)
    assert judged.p99_ci95_us is not None
    few = judge_blocks(a, [make_block("b", number, 20.0, n=50) for number in range(20)])
    assert (few.p99_delta_us, few.p99_ci95_us) == (None, None)


def test_the_margin_follows_the_baseline() -> None:
    assert default_margin(18.0) == pytest.approx(0.2)
    assert default_margin(300.0) == pytest.approx(3.0)


def test_the_same_blocks_and_seed_give_the_same_interval() -> None:
    a, b = simulate(np.random.default_rng(1), MIN_ROUNDS, 1.0)
    assert judge_blocks(a, b, seed=5) == judge_blocks(a, b, seed=5)


def rounds_of(make: Callable[[int], float], count: int, series: str) -> Sequence[Block]:
    return [make_block(series, number, make(number)) for number in range(count)]


@pytest.mark.parametrize(
    ("width_us", "count", "elapsed_s", "expected"),
    [
        (None, 50, 1.0, None),
        (1.0, MIN_ROUNDS_TO_STOP - 1, 1.0, None),
        (1.0, MIN_ROUNDS_TO_STOP, 1.0, Stop.NARROW),
        (0.01, MIN_ROUNDS_TO_STOP, 1.0, None),
        (None, 3, 10.0, Stop.TIME),
        (1.0, MIN_ROUNDS_TO_STOP, 10.0, Stop.TIME),
    ],
)
def test_a_run_ends_by_width_or_by_time(
    width_us: float | None, count: int, elapsed_s: float, expected: Stop | None
) -> None:
    blocks = {
        "a": rounds_of(lambda number: 18 + number % 3 * 0.1, count, "a"),
        "b": rounds_of(lambda number: 19 + number % 2 * 0.1, count, "b"),
        "dead": [make_block("dead", number, 0.0, n=0, error="refused") for number in range(3)],
    }
    options = Options(seconds=10.0, width_us=width_us)
    baselines = dict.fromkeys(blocks, "a")
    assert decide_stop(blocks, baselines, options, rounds=count, elapsed_s=elapsed_s) is expected


def test_the_intervals_are_checked_seldom() -> None:
    due = [rounds for rounds in range(1001) if is_check_due(rounds)]
    assert due[:3] == [20, 22, 24]
    assert len(due) < 45


@pytest.mark.parametrize(
    ("delta", "interval", "strict", "verdict"),
    [
        (0.0, (-0.5, 0.5), (-0.6, 0.6), Same(0.5)),
        (0.0, (-0.5, 0.2), (-0.6, 0.6), Same(0.5)),
        (0.5, (0.4, 0.51), (0.1, 0.6), Slower(0.5)),
        (-0.5, (-0.51, -0.4), (-0.6, -0.1), Faster(0.5)),
        (0.6, (0.1, 0.8), (0.01, 0.9), Slower(0.6)),
        (-0.6, (-0.8, -0.1), (-0.9, -0.01), Faster(0.6)),
    ],
)
def test_a_verdict_follows_from_both_intervals_and_the_margin(
    delta: float, interval: tuple[float, float], strict: tuple[float, float], verdict: object
) -> None:
    assert decide(delta, Interval(*interval), Interval(*strict), 0.5) == verdict


@pytest.mark.parametrize(
    ("delta", "interval", "strict"),
    [
        (0.6, (0.1, 0.8), (0.0, 0.9)),
        (-0.6, (-0.8, -0.1), (-0.9, 0.0)),
        (0.49, (0.1, 0.8), (0.01, 0.9)),
        (-0.49, (-0.8, -0.1), (-0.9, -0.01)),
        (0.0, (-0.51, 0.5), (-0.6, 0.6)),
        (0.0, (-0.5, 0.51), (-0.6, 0.6)),
        (0.6, (0.0, 0.8), (-0.1, 0.9)),
    ],
)
def test_intervals_that_decide_nothing_are_inconclusive(
    delta: float, interval: tuple[float, float], strict: tuple[float, float]
) -> None:
    assert isinstance(decide(delta, Interval(*interval), Interval(*strict), 0.5), Inconclusive)


def test_a_given_margin_replaces_the_one_of_the_baseline() -> None:
    a = [make_block("a", number, 18.0 + number % 3 * 0.1) for number in range(20)]
    b = [make_block("b", number, 19.0 + number % 3 * 0.1) for number in range(20)]
    assert isinstance(judge_blocks(a, b, margin_us=2.0).verdict, Same)
    assert isinstance(judge_blocks(a, b).verdict, Slower)
    slow = [make_block("a", number, 180.0) for number in range(20)], [make_block("b", n, 181.0) for n in range(20)]
    assert isinstance(judge_blocks(*slow).verdict, Same), "1 % of 180 µs"


def test_tails_are_compared_from_200_requests_and_have_an_interval_from_10_blocks() -> None:
    def judged(count: int, n: int) -> tuple[float | None, bool]:
        a = [make_block("a", number, 18.0, n=n) for number in range(12)]
        b = [make_block("b", number, 20.0, n=n if number < count else 5) for number in range(12)]
        found = judge_blocks(a, b)
        return found.p99_delta_us, found.p99_ci95_us is not None

    assert judged(12, 199) == (None, False)
    assert judged(9, 200) == (4.0, False)
    assert judged(10, 200) == (4.0, True)


@pytest.mark.parametrize(("seconds", "stop"), [(9.99, None), (10.0, Stop.TIME)])
def test_a_run_ends_when_its_time_is_up(seconds: float, stop: Stop | None) -> None:
    assert decide_stop({}, {}, Options(seconds=10.0), rounds=1, elapsed_s=seconds) is stop


def test_a_run_ends_before_it_has_more_blocks_than_a_report_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = {key: rounds_of(lambda number: 18.0, 5, key) for key in "ab"}

    def stop(most: int) -> Stop | None:
        monkeypatch.setattr(verdicts, "MAX_BLOCKS", most)
        return decide_stop(blocks, dict.fromkeys(blocks, "a"), Options(seconds=10.0), rounds=5, elapsed_s=1.0)

    assert stop(12) is None
    assert stop(11) is Stop.TIME


def test_every_series_must_be_narrow_before_a_run_ends() -> None:
    count = MIN_ROUNDS_TO_STOP
    blocks = {
        "a": rounds_of(lambda number: 18.0, count, "a"),
        "narrow": rounds_of(lambda number: 19.0 + number % 2 * 0.1, count, "narrow"),
        "wide": rounds_of(lambda number: 19.0 + number % 2 * 9, count, "wide"),
    }

    def stop(*keys: str) -> Stop | None:
        own = {key: blocks[key] for key in keys}
        options = Options(seconds=10.0, width_us=1.0)
        return decide_stop(own, dict.fromkeys(own, "a"), options, rounds=count, elapsed_s=1.0)

    assert stop("a", "narrow") is Stop.NARROW
    assert stop("a", "narrow", "wide") is None
    assert stop("a", "wide", "narrow") is None
    assert stop("a") is None, "nothing to compare"
    blocks["late"] = rounds_of(lambda number: 19.0, count - 1, "late")
    assert stop("a", "narrow", "late") is None


def test_checks_follow_each_other_after_a_tenth_more_rounds() -> None:
    due = [rounds for rounds in range(60) if is_check_due(rounds)]
    assert due == [20, 22, 24, 26, 28, 30, 33, 36, 39, 42, 46, 50, 55]
