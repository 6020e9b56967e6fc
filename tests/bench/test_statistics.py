"""dashboard.bench.statistics."""

from __future__ import annotations

import pytest

from dashboard.bench.statistics import (
    MEAN,
    Result,
    Verdict,
    at_most,
    between,
    compared,
    figure,
    format_percent,
    judge,
    ratio_at_most,
    share,
    spread,
    within_factor,
)


@pytest.mark.parametrize(
    ("value", "interval", "expected"),
    [
        (1.0, (0.9, 1.05), Verdict.KEPT),
        (1.1, (1.0, 1.1), Verdict.KEPT),
        (1.0, (0.9, 1.2), Verdict.KEPT_BARELY),
        (1.2, (1.15, 1.3), Verdict.BROKEN),
        (1.2, (1.05, 1.3), Verdict.BROKEN_BARELY),
        (1.2, (1.1, 1.3), Verdict.BROKEN_BARELY),
    ],
)
def test_the_figure_decides_and_the_interval_tells_how_certain_that_is(
    value: float, interval: tuple[float, float], expected: Verdict
) -> None:
    assert judge(at_most(1.1), value, interval) is expected


def test_a_figure_without_a_promise_has_no_verdict() -> None:
    found = figure("time", "ms", [3.0, 1.0, 2.0])
    assert (found.statistic, found.n, found.value, found.verdict) == ("median", 3, 2.0, None)
    assert found.ci95[0] <= 2.0 <= found.ci95[1]
    assert found.reference_value is None


def test_a_ratio_compares_the_same_statistic_of_both() -> None:
    found = compared("time", "ms", [(2.0, 1.0), (4.0, 2.0), (90.0, 3.0)], "reference", percent=100)
    assert (found.value, found.reference_value, found.ratio) == (90.0, 3.0, 30.0)


def test_a_disturbance_of_both_values_does_not_widen_the_interval_of_their_ratio() -> None:
    found = compared("time", "ms", [(2.0 * drift, drift) for drift in (1.0, 9.0, 4.0)], "reference")
    assert found.ratio_ci95 == (2.0, 2.0)
    assert found.ci95 != (8.0, 8.0)


def test_a_promise_limits_the_ratio_or_the_value() -> None:
    pairs = [(20.0, 10.0)] * 3
    assert compared("time", "ms", pairs, "reference", promise=ratio_at_most(1.1)).verdict is Verdict.BROKEN
    assert compared("time", "ms", pairs, "reference", promise=at_most(20.0)).verdict is Verdict.KEPT


def test_a_reference_of_zero_makes_an_infinite_ratio_and_breaks_a_promise() -> None:
    found = compared("time", "ms", [(1.0, 0.0)], "reference", promise=ratio_at_most(1.1))
    assert (found.ratio, found.verdict) == (float("inf"), Verdict.BROKEN)


def test_a_figure_without_values_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one value"):
        figure("time", "ms", [])


def test_the_same_samples_give_the_same_figure() -> None:
    pairs = [(1.0, 2.0), (3.0, 5.0), (2.0, 2.0), (8.0, 9.0)]
    assert compared("time", "ms", pairs, "reference") == compared("time", "ms", pairs, "reference")


def test_a_result_is_kept_only_if_every_promise_in_it_is() -> None:
    kept = figure("one", "ms", [1.0], promise=at_most(1.0))
    broken = figure("other", "ms", [2.0, 2.0], promise=at_most(1.0))
    free = figure("free", "ms", [9.0])
    assert Result("name", "title", "promise", (kept, free)).kept
    assert not Result("name", "title", "promise", (kept, broken)).kept


def test_the_mean_is_one_of_the_statistics() -> None:
    found = compared("time", "ms", [(1.0, 2.0), (2.0, 2.0), (6.0, 2.0)], "reference", percent=MEAN)
    assert (found.statistic, found.value, found.reference_value, found.ratio) == ("mean", 3.0, 2.0, 1.5)
    with pytest.raises(ValueError, match="at least one value"):
        figure("time", "ms", [], percent=MEAN)


def test_percentiles_have_their_usual_names() -> None:
    assert [format_percent(one) for one in (50, 95, 99, 99.9)] == ["median", "p95", "p99", "p99.9"]


def test_a_spread_is_minimum_median_and_maximum() -> None:
    assert spread([3.0, 1.0, 200.0]) == "1 … 3 … 200"


@pytest.mark.parametrize(
    ("value", "interval", "expected"),
    [
        (95.0, (94.0, 96.0), Verdict.KEPT),
        (95.0, (92.0, 96.0), Verdict.KEPT_BARELY),
        (95.0, (94.0, 98.0), Verdict.KEPT_BARELY),
        (90.0, (88.0, 92.9), Verdict.BROKEN),
        (92.0, (90.0, 94.0), Verdict.BROKEN_BARELY),
        (99.0, (98.0, 100.0), Verdict.BROKEN),
    ],
)
def test_a_promise_may_have_a_lower_and_an_upper_limit(
    value: float, interval: tuple[float, float], expected: Verdict
) -> None:
    assert judge(between(93.0, 97.0), value, interval) is expected


@pytest.mark.parametrize(
    ("ours", "expected"),
    [(1.04, Verdict.KEPT), (0.96, Verdict.KEPT), (1.06, Verdict.BROKEN), (0.94, Verdict.BROKEN)],
)
def test_a_factor_limits_the_ratio_in_both_directions(ours: float, expected: Verdict) -> None:
    assert compared("p50", "µs", [(ours, 1.0)] * 3, "netperf", promise=within_factor(1.05)).verdict is expected


def test_a_state_of_the_machine_that_lasts_for_a_pair_does_not_change_paired_ratios() -> None:
    pairs = [(10.2, 10.0), (10.2, 10.0), (45.9, 45.0), (45.9, 45.0), (10.2, 10.0)]
    found = compared("p50", "µs", pairs, "netperf", paired=True)
    assert found.ratio == pytest.approx(1.02)
    assert found.ratio_ci95 == pytest.approx((1.02, 1.02))


def test_a_share_is_in_per_cent_of_runs() -> None:
    found = share("called different", [True, False, False, False], at_most(5.0))
    assert (found.statistic, found.unit, found.value, found.n) == ("mean", "% of runs", 25.0, 4)
