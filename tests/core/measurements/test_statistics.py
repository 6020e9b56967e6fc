"""dashboard.core.measurements.statistics."""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.measurements.statistics import (
    Interval,
    bootstrap_interval,
    median,
    percentile,
    rank_interval,
    resampled_medians,
    small_sample_confidence,
)

finite = st.floats(allow_nan=False, allow_infinity=False)
samples = st.lists(finite, min_size=1, max_size=50)


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([7.0], 0, 7.0),
        ([7.0], 99.9, 7.0),
        ([1.0, 2.0], 50, 1.5),
        ([4.0, 1.0, 3.0, 2.0], 0, 1.0),
        ([4.0, 1.0, 3.0, 2.0], 100, 4.0),
        ([4.0, 1.0, 3.0, 2.0], 25, 1.75),
        ([10.0, 20.0, 30.0, 40.0, 50.0], 90, 46.0),
        ([0.0, 100.0], 99, 99.0),
    ],
)
def test_a_percentile_lies_between_its_neighbours_in_proportion(
    values: list[float], percent: float, expected: float
) -> None:
    assert percentile(values, percent) == pytest.approx(expected)


@pytest.mark.parametrize("percent", [-0.1, 100.1, float("nan")])
def test_a_percentile_outside_of_0_to_100_is_refused(percent: float) -> None:
    with pytest.raises(ValueError, match="not between 0 and 100"):
        percentile([1.0], percent)


def test_no_values_have_no_percentile_no_median_and_no_interval() -> None:
    with pytest.raises(ValueError, match="at least one"):
        percentile([], 50)
    with pytest.raises(ValueError, match="at least one"):
        median([])
    with pytest.raises(ValueError, match="at least one"):
        bootstrap_interval([], lambda _: 0.0, random.Random(1))


@given(samples, st.floats(min_value=0, max_value=100))
def test_a_percentile_lies_within_the_measured_values(values: list[float], percent: float) -> None:
    assert min(values) <= percentile(values, percent) <= max(values)


@given(samples, st.tuples(st.floats(0, 100), st.floats(0, 100)))
def test_a_higher_percentile_is_not_smaller(values: list[float], percents: tuple[float, float]) -> None:
    low, high = (percentile(values, percent) for percent in sorted(percents))
    assert low <= high or low == pytest.approx(high)  # rounding


@given(st.lists(st.floats(min_value=-1e9, max_value=1e9), min_size=1, max_size=50))
def test_the_median_is_that_of_the_standard_library(values: list[float]) -> None:
    assert median(values) == pytest.approx(statistics.median(values), rel=1e-9, abs=1e-9)


@given(st.lists(st.floats(min_value=-1e9, max_value=1e9), min_size=2, max_size=50))
def test_quartiles_are_those_of_the_standard_library(values: list[float]) -> None:
    expected = statistics.quantiles(values, n=4, method="inclusive")
    assert [percentile(values, 25), percentile(values, 75)] == pytest.approx([expected[0], expected[2]], abs=1e-6)


def test_the_same_seed_gives_the_same_interval() -> None:
    values = [random.Random(7).gauss(10, 2) for _ in range(30)]
    assert bootstrap_interval(values, median, random.Random(5)) == bootstrap_interval(values, median, random.Random(5))


def test_an_interval_of_equal_values_is_one_point() -> None:
    assert bootstrap_interval([3.0] * 10, median, random.Random(1)) == Interval(3.0, 3.0)


def test_the_interval_covers_the_truth_about_as_often_as_promised() -> None:
    source = random.Random(42)
    held = 0
    for _ in range(200):
        values = [source.gauss(10, 2) for _ in range(40)]
        held += 10.0 in bootstrap_interval(values, median, source, rounds=200)
    assert 175 <= held <= 200


def test_pairs_are_resampled_together() -> None:
    """Both values of a pair drift with the machine; their ratio does not."""
    pairs = [(2.0 * drift, 1.0 * drift) for drift in (1.0, 5.0, 3.0, 9.0, 2.0, 7.0)]

    def ratio(drawn: Sequence[tuple[float, float]]) -> float:
        return median(first for first, _ in drawn) / median(second for _, second in drawn)

    assert bootstrap_interval(pairs, ratio, random.Random(1)) == Interval(2.0, 2.0)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40), st.integers(0, 100))
def test_resampled_medians_are_those_of_the_plain_bootstrap(values: list[float], seed: int) -> None:
    fast = resampled_medians(values, random.Random(seed), 50)
    source = random.Random(seed)
    assert fast == pytest.approx(sorted(median(source.choices(values, k=len(values))) for _ in range(50)))


@pytest.mark.parametrize("size", [8, 10, 20, 30, 100, 1000])
@pytest.mark.parametrize("confidence", [0.95, 0.99])
def test_few_samples_use_the_confidence_of_students_quantile(size: int, confidence: float) -> None:
    import scipy.stats  # here: every worker imports this file, and this takes a second

    t = scipy.stats.t.ppf((1 + confidence) / 2, size - 1)
    expected = 1 - 2 * scipy.stats.norm.cdf(-t * (size / (size - 1)) ** 0.5)
    assert small_sample_confidence(confidence, size) == pytest.approx(expected, abs=5e-4)


def test_with_fewer_than_three_samples_all_of_the_bootstrap_is_the_interval() -> None:
    assert small_sample_confidence(0.95, 2) == 1.0
    with pytest.raises(ValueError, match="at least one"):
        resampled_medians([], random.Random(1))


@pytest.mark.parametrize("size", [6, 7, 12, 30, 101, 500, 501, 2000])
def test_the_interval_by_ranks_is_that_of_scipy(size: int) -> None:
    import scipy.stats

    values = [random.Random(size).lognormvariate(3, 1) for _ in range(size)]
    expected = scipy.stats.quantile_test(values, p=0.5).confidence_interval(0.95)
    found = rank_interval(values)
    assert found is not None
    ordered = sorted(values)
    places = [
        (ordered.index(found.low), ordered.index(expected.low)),
        (ordered.index(found.high), ordered.index(expected.high)),
    ]
    assert all(abs(one - other) <= (1 if size > 500 else 0) for one, other in places)


def test_five_values_have_no_interval_by_ranks_and_six_have() -> None:
    assert rank_interval([1.0, 2.0, 3.0, 4.0, 5.0]) is None
    assert rank_interval([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]) == Interval(1.0, 6.0)
    assert rank_interval([]) is None


@pytest.mark.parametrize("size", [3, 4, 5, 6, 12])
def test_students_quantile_is_expanded_to_the_third_order(size: int) -> None:
    """Abramowitz and Stegun, 26.7.5: coefficients of z, z^3, z^5, z^7 for each power of 1/df."""
    import scipy.stats

    z, df = scipy.stats.norm.ppf(0.975), size - 1
    orders = ((1, 4, (1, 1, 0, 0)), (2, 96, (3, 16, 5, 0)), (3, 384, (-15, 17, 19, 3)))
    t = z + sum(
        sum(factor * z**power for factor, power in zip(factors, (1, 3, 5, 7), strict=True)) / (divisor * df**order)
        for order, divisor, factors in orders
    )
    expected = 1 - 2 * scipy.stats.norm.cdf(-t * (size / df) ** 0.5)
    assert small_sample_confidence(0.95, size) == pytest.approx(expected, abs=1e-12)


def test_an_interval_by_ranks_is_wider_for_more_confidence() -> None:
    values = [float(number) for number in range(1, 21)]
    assert rank_interval(values) == Interval(6.0, 15.0)
    assert rank_interval(values, 0.99) == Interval(4.0, 17.0)
    assert rank_interval([float(number) for number in range(1, 602)]) == Interval(276.0, 326.0)


def test_both_ends_of_an_interval_belong_to_it() -> None:
    interval = Interval(1.0, 2.0)
    assert [value in interval for value in (0.99, 1.0, 2.0, 2.01)] == [False, True, True, False]


def test_a_bootstrap_interval_holds_the_given_share_of_the_middle() -> None:
    """Of the samples 0 and 1 the mean of two draws is 0, 0.5 or 1 in 1, 2 and 1 of 4 cases."""
    samples = [0.0, 1.0]
    wide = bootstrap_interval(samples, statistics.fmean, random.Random(1), confidence=0.95, rounds=4000)
    narrow = bootstrap_interval(samples, statistics.fmean, random.Random(1), confidence=0.3, rounds=4000)
    assert (wide, narrow) == (Interval(0.0, 1.0), Interval(0.5, 0.5))
