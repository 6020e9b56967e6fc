"""The charts of a report: correct positions, a colour and a shape for each mode, and the same figures as a table."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from dashboard.core.measurements.formatting import NOTHING, signed
from dashboard.core.measurements.histogram import encode_times
from dashboard.core.measurements.measurement import Probe
from dashboard.core.measurements.series_labels import SeriesLabel, name_series
from dashboard.core.measurements.summary import summarise_series
from dashboard.core.reports.charts import (
    ChartTable,
    LineChart,
    describe_difference,
    draw_intervals,
    ecdf_chart,
    interval_chart,
    latency_table,
    times_chart,
)
from dashboard.core.reports.view import RunView, SeriesSummary, build_view
from tests.core.report_builders import make_content, make_run


@cache
def run_view(count: int = 30) -> RunView:
    return build_view(make_content(measurements=(make_run(count=count),))).runs[0]


def at(place: str) -> float:
    return float(place.removesuffix("%"))


def test_differences_have_one_axis_with_zero() -> None:
    measurement = run_view().measurement
    chart = interval_chart(measurement, Probe.TCP_RR)
    assert chart is not None
    assert chart.zero in {tick.at for tick in chart.ticks}
    assert (chart.rows[0].label, chart.rows[0].at, chart.rows[0].mode) == ("host/loopback", chart.zero, "host")
    for row in chart.rows[1:]:
        assert 0 <= at(row.low) <= at(row.at) <= at(row.high) <= 100
        assert row.words in chart.description
        assert row.difference in chart.description
    proxy = next(row for row in chart.rows if row.label == "bridge/published-proxy")
    assert at(proxy.low) > at(chart.zero) + 50
    assert proxy.verdict == "slower"


def test_the_table_of_a_chart_has_every_measured_path() -> None:
    measurement = run_view().measurement
    chart = interval_chart(measurement, Probe.TCP_RR)
    assert chart is not None
    measured = [one for one in measurement.series if one.n]
    assert [line[0] for line in chart.table.body] == [
        name_series(measurement, Probe.TCP_RR)[one.key] for one in measured
    ]
    assert chart.table.body[0][0] == "127.0.0.1 → host"
    assert all(len(line) == len(chart.table.head) for line in chart.table.body)
    assert "baseline" in chart.table.body[0]


def test_nothing_is_drawn_without_an_interval() -> None:
    assert interval_chart(run_view(4).measurement, Probe.TCP_RR) is None
    assert interval_chart(run_view().measurement, Probe.UDP_RR) is None


@pytest.mark.parametrize("number", [0, 1])
def test_a_series_that_could_not_be_measured_is_not_drawn(number: int) -> None:
    measurement = run_view().measurement
    series = list(measurement.series)
    series[number] = replace(series[number], unavailable="no port")
    chart = interval_chart(replace(measurement, series=tuple(series)), Probe.TCP_RR)
    assert chart is not None
    assert series[number].key not in {row.key for row in chart.rows}


@pytest.mark.parametrize("draw", [times_chart, ecdf_chart])
def test_each_line_has_a_distinct_shape_or_dash(draw: object) -> None:
    chart = draw(run_view(), Probe.TCP_RR)  # type: ignore[operator]
    assert isinstance(chart, LineChart)
    looks = {(one.mark, one.dash) for one in chart.drawing.lines}
    assert len(looks) == len({one.words for one in chart.drawing.lines}) == len(chart.drawing.lines)
    for one in chart.drawing.lines:
        assert 4 <= len(one.marks) <= 9
        spots = [float(value) for spot in one.points.split() for value in spot.split(",")]
        assert min(spots) >= 0
        assert max(spots) <= 1000
    assert [line[0] for line in chart.table.body] == [one.words for one in chart.drawing.lines]
    assert all(len(line) == len(chart.table.head) for line in chart.table.body)


def test_curves_rise_to_100_percent() -> None:
    chart = ecdf_chart(run_view(), Probe.TCP_RR)
    for one in chart.drawing.lines:
        spots = [tuple(map(float, spot.split(","))) for spot in one.points.split()]
        assert spots == sorted(spots, key=lambda spot: (spot[0], -spot[1]))
        assert spots[-1][1] == 0
    assert chart.drawing.up[-1].text == "100 %"


def test_many_series_have_no_bands() -> None:
    run = run_view()
    assert len(run.series) > 4
    assert not any(one.band for one in times_chart(run, Probe.TCP_RR).drawing.lines)
    few = replace(run, series=run.series[:3])
    assert all(one.band for one in times_chart(few, Probe.TCP_RR).drawing.lines)


def test_a_run_without_blocks_is_an_empty_drawing() -> None:
    run = run_view(0)
    assert times_chart(run, Probe.TCP_RR).drawing.lines == ()
    assert ecdf_chart(run, Probe.TCP_RR).drawing.lines == ()


DNAT = "machine's address → published port (DNAT)"


def shape(key: str = "a", **fields: Any) -> SeriesSummary:
    return SeriesSummary(key, key.title(), "bridge", "published-dnat", Probe.TCP_RR, "bridge", **fields)


def run_of(*shapes: SeriesSummary) -> RunView:
    return replace(run_view(), series=shapes)


def test_a_distribution_is_a_curve_over_a_logarithmic_axis_of_time() -> None:
    curve = ((10.0, 0.0), (100.0, 0.5), (1000.0, 1.0))
    percentiles = (20.0, 40.0, 100.0, 300.0, 700.0, 990.0, 1000.4)
    chart = ecdf_chart(run_of(shape(ecdf=curve, percentiles_us=percentiles)), Probe.TCP_RR)
    (line,) = chart.drawing.lines
    assert (line.key, line.label, line.mode, line.dash) == ("a", "A", "bridge", "")
    assert (line.mark, line.words) == ("published-dnat", "machine's address → published port (DNAT)")
    assert line.points == "0.0,1000.0 500.0,500.0 1000.0,0.0"
    assert line.marks == (("0.00%", "100.00%"), ("50.00%", "50.00%"), ("100.00%", "0.00%"))
    assert [tick.text for tick in chart.drawing.across] == ["10", "20", "50", "100", "200", "500", "1000"]
    assert [chart.drawing.across[index].at for index in (0, 3, -1)] == ["0.00%", "50.00%", "100.00%"]
    assert [(tick.at, tick.text) for tick in chart.drawing.up] == [
        ("100.00%", "0 %"),
        ("75.00%", "25 %"),
        ("50.00%", "50 %"),
        ("25.00%", "75 %"),
        ("0.00%", "100 %"),
    ]
    assert chart.table.head == ("path", "10 %", "25 %", "50 %", "75 %", "90 %", "99 %", "99.9 %")
    assert chart.table.body == ((DNAT, "20.0", "40.0", "100.0", "300.0", "700.0", "990.0", "1000"),)


def test_curves_share_an_axis_from_the_shortest_to_the_longest_time() -> None:
    first, second = shape(ecdf=((10.0, 0.5), (20.0, 1.0))), shape("b", ecdf=((50.0, 0.5), (100.0, 1.0)))
    drawing = ecdf_chart(run_of(first, second), Probe.TCP_RR).drawing
    assert [tick.text for tick in drawing.across] == ["10", "20", "50", "100"]
    assert drawing.lines[0].points.startswith("0.0,500.0 ")
    assert drawing.lines[1].points.endswith(" 1000.0,0.0")


def test_a_series_without_a_curve_or_of_another_probe_is_left_out() -> None:
    shapes = (
        shape(),
        shape("zero", ecdf=((0.0, 0.5), (10.0, 1.0))),
        replace(shape("http", ecdf=((10.0, 0.5), (20.0, 1.0))), probe=Probe.HTTP),
        replace(shape("point", ecdf=((10.0, 1.0),)), probe=Probe.HTTP),
    )
    chart = ecdf_chart(run_of(*shapes), Probe.TCP_RR)
    assert (chart.drawing.lines, chart.table.body) == ((), ())
    assert [line.key for line in ecdf_chart(run_of(*shapes), Probe.HTTP).drawing.lines] == ["http"]


def test_a_distribution_has_the_percentiles_of_the_latency_table() -> None:
    source = random.Random(6)
    times = [int(source.lognormvariate(9.9, 0.3)) * (10 if source.random() < 0.02 else 1) for _ in range(20_000)]
    content = make_content(measurements=(make_run(("host", "bridge"), count=1),))
    (run,) = content.measurements
    block = replace(run.blocks[0], n=len(times), histogram=encode_times(times))
    series = summarise_series(run.series[0], [block])
    measured = replace(run, measurement=replace(run.measurement, series=(series,)), blocks=(block,))
    view = build_view(replace(content, measurements=(measured,))).runs[0]
    (figures,) = latency_table(view.measurement, Probe.TCP_RR).body
    distribution = ecdf_chart(view, Probe.TCP_RR).table
    percentiles = dict(zip(distribution.head, distribution.body[0], strict=True))
    assert [percentiles[f"{percent} %"] for percent in (50, 90, 99, 99.9)] == list(figures[2:6])
    assert figures[5] != figures[6]


def test_blocks_of_several_series_are_drawn_over_their_common_moments() -> None:
    first = shape(blocks=3, failed=1, lowest_us=10.0, median_us=20.0, highest_us=1000.4, median_p99_us=None)
    first = replace(first, at_s=(0.0, 2.0), p50_us=(10.0, 100.0), p99_us=(100.0, 1000.0))
    second = shape("b", at_s=(1.0, 2.0), p50_us=(10.0, 10.0), p99_us=(10.0, 10.0))
    chart = times_chart(run_of(first, second), Probe.TCP_RR)
    assert [line.points for line in chart.drawing.lines] == [
        "0.0,1000.0 1000.0,500.0",
        "500.0,1000.0 1000.0,1000.0",
    ]
    assert chart.table.body == (
        (DNAT, "3", "1", "10.0", "20.0", "1000", NOTHING),
        (DNAT, "0", "0", NOTHING, NOTHING, NOTHING, NOTHING),
    )
    assert "with a band up to its p99" in chart.description


@pytest.mark.parametrize(("count", "banded"), [(4, True), (5, False)])
def test_bands_are_drawn_for_at_most_four_series(count: int, banded: bool) -> None:
    shapes = [shape(str(number), at_s=(0.0, 1.0), p50_us=(1.0, 1.0), p99_us=(2.0, 2.0)) for number in range(count)]
    chart = times_chart(run_of(*shapes), Probe.TCP_RR)
    assert [bool(line.band) for line in chart.drawing.lines] == [banded] * count
    assert ("band" in chart.description) is banded


@pytest.mark.parametrize(
    ("count", "lines", "marks"),
    [
        (3, 1, [[0, 1, 2]]),
        (11, 1, [list(range(11))]),
        (12, 1, [list(range(12))]),
        (12, 2, [[0, 2, 4, 6, 8, 10], [1, 3, 5, 7, 9, 11]]),
    ],
)
def test_marks_of_a_line_are_further_on_than_those_of_the_line_before(
    count: int, lines: int, marks: list[list[int]]
) -> None:
    times = tuple(float(number) for number in range(count))
    shapes = [shape(str(n), at_s=times, p50_us=(10.0,) * count, p99_us=(10.0,) * count) for n in range(lines)]
    for line, expected in zip(times_chart(run_of(*shapes), Probe.TCP_RR).drawing.lines, marks, strict=True):
        spots = [f"{float(spot.partition(',')[0]) / 10:.2f}%" for spot in line.points.split()]
        assert [spots.index(x) for x, _y in line.marks] == expected


def test_an_interval_is_described_with_signs() -> None:
    assert describe_difference(1.5, (-1.4, 1.6)) == "+1.50 µs, 95 % interval [\N{MINUS SIGN}1.40, +1.60]"


def test_an_interval_that_continues_beyond_the_axis_is_marked() -> None:
    labels = {key: SeriesLabel("loopback", "", key, key) for key in "ab"}
    differences = [("a", "A", "host", 1.0, (0.5, 2.0), "slower"), ("b", "B", "host", 2.0, (1.0, 900.0), "slower")]
    chart = draw_intervals("Title", differences, ChartTable("", (), ()), labels=labels)
    assert chart is not None
    assert [(row.high, row.cut) for row in chart.rows] == [("33.33%", ""), ("100.00%", "high")]


def test_differences_without_a_baseline_have_no_row_for_it() -> None:
    table = ChartTable("", (), ())
    labels = {"a": SeriesLabel("loopback", "", "127.0.0.1 → host", "127.0.0.1")}
    chart = draw_intervals("Title", [("a", "A", "host", 1.0, (0.5, 2.0), "slower")], table, labels=labels)
    assert chart is not None
    assert chart.description == "Title: 127.0.0.1 → host +1.00 µs, 95 % interval [+0.50, +2.00]."
    assert [(row.low, row.at, row.high, row.verdict) for row in chart.rows] == [
        ("25.00%", "50.00%", "100.00%", "slower")
    ]
    assert draw_intervals("Title", [], table, labels={}) is None


def test_a_series_that_was_not_compared_has_a_dash_for_its_difference() -> None:
    measurement = run_view().measurement
    first, second = [one for one in measurement.comparisons if one.probe is Probe.TCP_RR][:2]
    changed = (replace(first, delta_us=None, ci95_us=None, verdict="open"), replace(second, ci95_us=None))
    table = latency_table(replace(measurement, comparisons=changed), Probe.TCP_RR)
    rows = {line[0]: line[7:] for line in table.body}
    named = name_series(measurement, Probe.TCP_RR)
    assert rows[named[first.baseline]] == ("baseline", "", "")
    assert rows[named[first.other]] == (NOTHING, "", "open")
    assert second.delta_us is not None
    assert rows[named[second.other]] == (signed(second.delta_us), NOTHING, second.verdict)
    others = set(rows) - {named[key] for key in (first.baseline, first.other, second.other)}
    assert {rows[name] for name in others} == {(NOTHING, "", "")}
    assert latency_table(measurement, Probe.HTTP).body == ()
