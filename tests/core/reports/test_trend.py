"""dashboard.core.reports.trend: points with intervals, and what changed between reports."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from dashboard.core.reports.figures import decode_figures
from dashboard.core.reports.model import ClaimResult, ClaimVerdict, FrozenRun, canonical
from dashboard.core.reports.trend import DAY_S, MAX_REPORTS, TrendReport, build_trend, date_ticks, list_entries
from tests.core.report_builders import SAVED_AT, make_content, make_experiment, make_run, with_environment

MODES = ("host", "bridge")
EXPERIMENT = replace(make_experiment(MODES), journal=())
RUNS = [make_run(MODES, count=12, seed=number, shift_us=number) for number in range(3)]


def make_trend_report(
    day: int, run: FrozenRun | None = None, claims: tuple[ClaimResult, ...] = (), **environment: Any
) -> TrendReport:
    content = make_content(
        f"day {day}", experiment=EXPERIMENT, measurements=(run,) if run is not None else (), claims=claims
    )
    content = replace(with_environment(content, **environment), saved_at=SAVED_AT + day * DAY_S)
    return TrendReport(f"r{day}", decode_figures(canonical(content)))


def test_points_are_placed_by_time_with_their_intervals() -> None:
    trend = build_trend([make_trend_report(8, RUNS[2]), make_trend_report(0, RUNS[0]), make_trend_report(2, RUNS[1])])
    assert [one.title for one in trend.entries] == ["day 0", "day 2", "day 8"]
    (chart,) = trend.charts
    assert "tcp-rr" in chart.title
    for line in chart.drawing.lines:
        spots = [tuple(map(float, spot.split(","))) for spot in line.points.split()]
        assert [x for x, _y in spots] == [0, 250, 1000]
        assert spots[0][1] > spots[1][1] > spots[2][1], "later is slower, so further up"
        band = [tuple(map(float, spot.split(","))) for spot in line.band.split()]
        assert len(band) == 6
        assert all(0 <= value <= 1000 for spot in (*spots, *band) for value in spot)
        assert all(
            high <= y <= low for (_x, y), (_l, low), (_h, high) in zip(spots, band, reversed(band), strict=False)
        )
        assert len(line.marks) == 3
    assert {line.mark for line in chart.drawing.lines} >= {"loopback", "published-proxy"}
    assert chart.table.head == ("saved (UTC)", *(line.words for line in chart.drawing.lines))
    assert len(chart.table.body) == 3
    assert all("[" in cell for line in chart.table.body for cell in line[1:])


def test_a_changed_environment_is_marked_on_the_axis_and_listed() -> None:
    trend = build_trend(
        [
            make_trend_report(0, RUNS[0]),
            make_trend_report(1, RUNS[0]),
            make_trend_report(2, RUNS[0], kernel="7.0"),
            make_trend_report(3, RUNS[0], kernel="7.0"),
        ]
    )
    assert [one.mark for one in trend.entries] == ["", "", "1", ""]
    assert trend.entries[2].environment == ("kernel: 6.18.1 → 7.0",)
    (mark,) = trend.charts[0].drawing.moments
    assert (mark.at, mark.text) == ("66.67%", "1")


def test_changed_verdicts_are_listed_even_after_a_report_without_them() -> None:
    faster = make_run(MODES, count=12)
    comparisons = tuple(replace(one, verdict="same") for one in faster.measurement.comparisons)
    changed = replace(faster, measurement=replace(faster.measurement, comparisons=comparisons))
    claim = ClaimResult("dns", "It holds.", "FACTS", ClaimVerdict.HOLDS)
    flipped = replace(claim, verdict=ClaimVerdict.DIFFERS)
    entries = list_entries(
        [make_trend_report(0, faster, (claim,)), make_trend_report(1), make_trend_report(2, changed, (flipped,))]
    )
    assert [len(one.verdicts) for one in entries[:2]] == [0, 0]
    assert "the claim dns: confirmed → differs" in entries[2].verdicts
    assert any("published-proxy" in text and text.endswith("slower → same") for text in entries[2].verdicts)


def test_a_series_that_one_report_lacks_has_a_gap_in_the_table() -> None:
    trend = build_trend(
        [
            make_trend_report(0, RUNS[0]),
            make_trend_report(1, make_run(("host",), count=12)),
            make_trend_report(2, RUNS[1]),
        ]
    )
    column = trend.charts[0].table.head.index("127.0.0.1 → published port (docker-proxy)")
    assert [("[" in line[column]) for line in trend.charts[0].table.body] == [True, False, True]


def test_a_trend_may_have_one_report_or_no_measurement() -> None:
    alone = build_trend([make_trend_report(0, RUNS[0])])
    assert alone.charts[0].drawing.lines == (), "a chart is not drawn from one point"
    assert len(alone.charts[0].table.body) == 1
    assert build_trend([make_trend_report(0), make_trend_report(1)]).charts == ()
    assert build_trend([]).entries == ()


def test_a_trend_shows_the_newest_hundred_reports() -> None:
    figures = make_trend_report(0).figures
    trend = build_trend([TrendReport(f"r{at}", replace(figures, saved_at=float(at))) for at in range(MAX_REPORTS + 5)])
    assert len(trend.entries) == MAX_REPORTS
    assert trend.entries[-1].id == f"r{MAX_REPORTS + 4}"


@pytest.mark.parametrize(
    ("moments", "texts"),
    [
        ([0.0], ["01-01 00:00"]),
        ([0.0, 3600.0, 7200.0], ["01-01 00:00", "01-01 01:00", "01-01 02:00"]),
        ([0.0, 10 * DAY_S, 10 * DAY_S + 5], ["1970-01-01", "1970-01-11"]),
    ],
)
def test_dates_below_the_axis_do_not_overlap(moments: list[float], texts: list[str]) -> None:
    assert [tick.text for tick in date_ticks(moments)] == texts


@pytest.mark.parametrize(
    ("moments", "places"),
    [
        ([0.0, 40.0, 41.0, 100.0], ["0.00%", "41.00%", "100.00%"]),
        ([0.0, 1.0, 2.0], ["0.00%", "50.00%", "100.00%"]),
        ([0.0, 90.0, 100.0], ["0.00%", "90.00%"]),
        ([5.0, 5.0], ["0.00%"]),
    ],
)
def test_a_date_is_left_out_unless_it_is_far_enough_from_the_one_before(
    moments: list[float], places: list[str]
) -> None:
    assert [tick.at for tick in date_ticks(moments)] == places


def test_a_period_of_two_days_has_hours_below_its_axis() -> None:
    assert date_ticks([0.0, 2.0 * DAY_S])[1].text == "01-03 00:00"
    assert date_ticks([0.0, 2.0 * DAY_S + 1])[1].text == "1970-01-03"


def test_points_lie_on_a_logarithmic_axis_that_holds_their_intervals() -> None:
    (chart,) = build_trend([make_trend_report(0, RUNS[0]), make_trend_report(4, RUNS[2])]).charts
    drawing = chart.drawing
    ticks = [float(tick.text) for tick in drawing.up]
    assert (drawing.up[0].at, drawing.up[-1].at) == ("100.00%", "0.00%")
    assert (drawing.across[0].at, drawing.across[-1].at) == ("0.00%", "100.00%")
    bottom, height = math.log10(ticks[0]), math.log10(ticks[-1] / ticks[0])
    for number, line in enumerate(drawing.lines, start=1):
        for row, spot in zip(chart.table.body, line.points.split(), strict=True):
            middle = float(row[number].partition(" ")[0])
            low, high = (float(text) for text in row[number].partition("[")[2].rstrip("]").split(", "))
            assert low <= middle <= high
            assert ticks[0] <= low <= high <= ticks[-1]
            share = 1 - (math.log10(middle) - bottom) / height
            assert float(spot.partition(",")[2]) == pytest.approx(share * 1000, abs=3)
        marks = [(x, y) for x, y in line.marks]
        assert [x for x, _y in marks] == ["0.00%", "100.00%"]
    assert [row[0] for row in chart.table.body] == ["2026-05-28 20:26", "2026-06-01 20:26"]


def test_a_report_with_few_blocks_is_a_point_without_an_interval() -> None:
    (chart,) = build_trend([make_trend_report(0, make_run(MODES, count=3))]).charts
    for line in chart.drawing.lines:
        assert line.band == ""
    for cell in chart.table.body[0][1:]:
        middle, ends = cell.split(" ", maxsplit=1)
        assert ends == f"[{middle}, {middle}]"


def test_a_verdict_that_is_new_or_the_same_is_no_change() -> None:
    claim = ClaimResult("dns", "It holds.", "FACTS", ClaimVerdict.HOLDS)
    entries = list_entries(
        [make_trend_report(day, None, claims) for day, claims in enumerate(((), (claim,), (claim,)))]
    )
    assert [entry.verdicts for entry in entries] == [(), (), ()]


def test_every_changed_environment_has_the_next_number() -> None:
    kernels = ("1", "2", "2", "3", "1")
    entries = list_entries([make_trend_report(day, RUNS[0], kernel=kernel) for day, kernel in enumerate(kernels)])
    assert [entry.mark for entry in entries] == ["", "1", "", "2", "3"]


@pytest.mark.parametrize("time_us", [1.5e308, 5e-324])
def test_stored_reports_with_times_beyond_any_axis_have_a_trend(time_us: float) -> None:
    """Earlier versions imported such reports."""
    runs = [replace(run, blocks=tuple(replace(one, center_us=time_us) for one in run.blocks)) for run in RUNS]
    (chart,) = build_trend([make_trend_report(day, run) for day, run in enumerate(runs)]).charts
    assert len(chart.drawing.up) > 1
