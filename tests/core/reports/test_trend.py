"""dashboard.core.reports.trend: points with intervals, and what changed between reports."""

from __future__ import annotations

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
    assert {(line.mode, line.dash) for line in chart.drawing.lines} >= {("host", ""), ("bridge", "proxy")}
    assert chart.table.head == ("saved (UTC)", *(line.label for line in chart.drawing.lines))
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
    assert "the claim dns: holds → differs" in entries[2].verdicts
    assert any("published-proxy" in text and text.endswith("slower → same") for text in entries[2].verdicts)


def test_a_series_that_one_report_lacks_has_a_gap_in_the_table() -> None:
    trend = build_trend(
        [
            make_trend_report(0, RUNS[0]),
            make_trend_report(1, make_run(("host",), count=12)),
            make_trend_report(2, RUNS[1]),
        ]
    )
    column = trend.charts[0].table.head.index("bridge/published-proxy tcp-rr")
    assert [("[" in line[column]) for line in trend.charts[0].table.body] == [True, False, True]


def test_a_trend_may_have_one_report_or_no_measurement() -> None:
    alone = build_trend([make_trend_report(0, RUNS[0])])
    assert len(alone.charts[0].drawing.lines[0].points.split()) == 1
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
