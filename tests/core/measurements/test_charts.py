"""Charts over time: the chart rendered without JavaScript, and the figures next to it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dashboard.core.measurements import charts as measurement_charts
from dashboard.core.measurements.axes import Tick
from dashboard.core.measurements.charts import Scale
from dashboard.core.measurements.formatting import NOTHING
from tests.core.report_builders import light, make_run

VECTORS = json.loads((Path(__file__).resolve().parents[2] / "js/chart_vectors.json").read_text())


def test_a_failed_block_leaves_a_gap_and_is_counted() -> None:
    run = make_run()
    measurement, blocks = run.measurement, [light(one) for one in run.blocks]
    key = blocks[0]["series"]
    blocks[0] |= {"error": "The server closed the connection.", "n": 3}
    columns = measurement_charts.align_blocks(measurement, blocks)
    times = next(one for one in columns.series if one.key == key)
    assert times.p50[0] is None
    assert None not in times.p50[1:]
    counted = next(one for one in measurement_charts.count_blocks(measurement, blocks) if one.key == key)
    assert (counted.count, counted.failed) == (30, 1)


def test_a_long_run_is_thinned_out_before_it_is_drawn() -> None:
    x = tuple(number / 4 for number in range(5000))
    line = measurement_charts.Times("a", "a", "host", "", tuple(20.0 for _ in x), tuple(60.0 for _ in x))
    chart = measurement_charts.draw_times(x, [line])
    assert len(chart.lines[0].points.split()) <= measurement_charts.MAX_POINTS


def line(key: str, p50: tuple[float | None, ...], p99: tuple[float | None, ...]) -> measurement_charts.Times:
    return measurement_charts.Times(key, key.title(), "host", "dnat", p50, p99)


def test_a_line_its_band_and_its_marks_lie_on_a_logarithmic_axis() -> None:
    chart = measurement_charts.draw_times((0.0, 1.0, 2.0), [line("a", (10.0, 100.0, 10.0), (100.0, 1000.0, 100.0))])
    (drawn,) = chart.lines
    assert (drawn.key, drawn.label, drawn.mode, drawn.dash) == ("a", "A", "host", "dnat")
    assert drawn.points == "0.0,1000.0 500.0,500.0 1000.0,1000.0"
    assert drawn.band == f"{drawn.points} 1000.0,500.0 500.0,0.0 0.0,500.0"
    assert drawn.marks == (("0.00%", "100.00%"), ("50.00%", "50.00%"), ("100.00%", "100.00%"))
    assert [(tick.at, tick.text) for tick in chart.across] == [
        ("0.00%", "0.0"),
        ("25.00%", "0.5"),
        ("50.00%", "1.0"),
        ("75.00%", "1.5"),
        ("100.00%", "2.0"),
    ]
    assert [tick.text for tick in chart.up] == ["10", "20", "50", "100", "200", "500", "1000"]
    assert [chart.up[index].at for index in (0, 3, -1)] == ["100.00%", "50.00%", "0.00%"]


def test_without_bands_the_axis_fits_the_medians_alone() -> None:
    chart = measurement_charts.draw_times((0.0, 1.0), [line("a", (10.0, 100.0), (100.0, 1000.0))], banded=False)
    assert chart.lines[0].band == ""
    assert chart.up[-1].text == "100"
    assert chart.lines[0].points.startswith("0.0,1000.0 ")


def test_one_block_has_no_band_and_a_tail_below_the_median_is_drawn_at_the_median() -> None:
    both = [line("a", (10.0, None), (100.0, None)), line("b", (10.0, 20.0), (100.0, 100.0))]
    assert measurement_charts.draw_times((3.0, 4.0), both).lines[0].band == ""
    chart = measurement_charts.draw_times((0.0, 1.0), [line("a", (100.0, 100.0), (10.0, 10.0))])
    assert chart.lines[0].band == "0.0,1000.0 1000.0,1000.0 1000.0,1000.0 0.0,1000.0"


def test_series_without_a_measurement_or_a_time_are_omitted() -> None:
    x = (0.0, 1.0, 2.0, 3.0)
    chart = measurement_charts.draw_times(x, [line("a", (None, 0.0, 10.0, 10.0), (None, 10.0, None, 10.0))])
    assert chart.lines == ()
    both = [line("a", (None, 0.0, 10.0, 10.0), (None, 10.0, None, 10.0)), line("b", (10.0,) * 4, (10.0,) * 4)]
    assert measurement_charts.draw_times(x, both).lines[0].points == "1000.0,1000.0"
    assert measurement_charts.draw_times(x, [line("a", (None,) * 4, (None,) * 4)]) == measurement_charts.ChartView(
        (), (), ()
    )
    assert measurement_charts.draw_times(x, [line("a", (0.0,) * 4, (1.0,) * 4)]).lines == ()


def test_ticks_that_are_given_span_the_range_of_x() -> None:
    given = (Tick("0%", "Monday"), Tick("100%", "Friday"))
    chart = measurement_charts.draw_times((5.0, 6.0, 7.0), [line("a", (10.0,) * 3, (10.0,) * 3)], given)
    assert chart.across == given
    assert chart.lines[0].points == "0.0,1000.0 500.0,1000.0 1000.0,1000.0"
    assert (chart.x, chart.y) == (Scale(5.0, 7.0, "time"), Scale(10.0, 20.0))


@pytest.mark.parametrize("count", [0, 1])
def test_a_chart_is_not_drawn_from_one_point(count: int) -> None:
    x = tuple(float(number) for number in range(count))
    lines = [line("a", (10.0,) * count, (20.0,) * count), line("b", (None,) * count, (None,) * count)]
    assert measurement_charts.draw_times(x, lines).lines == ()


def test_labels_are_beside_the_ends_of_their_lines_and_apart() -> None:
    lines = [line(key, (10.0, value), (10.0, value)) for key, value in (("a", 10.0), ("b", 10.2), ("c", 1000.0))]
    drawn = {one.key: one for one in measurement_charts.draw_times((0.0, 1.0), lines).lines}
    heights = [float(drawn[key].label_at.rstrip("%")) * 2.4 for key in ("c", "b", "a")]
    assert heights[0] == float(drawn["c"].end.rstrip("%")) * 2.4 == 0
    assert heights[2] - heights[1] >= 17.9
    assert heights[2] <= 240


@pytest.mark.parametrize("case", VECTORS["times"])
def test_the_browser_draws_the_same_lines_and_labels(case: Any) -> None:
    series = [
        measurement_charts.Times(one["key"], one["key"], "host", "", tuple(one["p50"]), tuple(one["p99"]))
        for one in case["series"]
    ]
    chart = measurement_charts.draw_times(case["x"], series, banded=case["banded"])
    assert [[one.key, one.points, one.band, one.end, one.label_at] for one in chart.lines] == case["lines"]
    assert [[tick.at, tick.text] for tick in chart.across] == case["across"]
    assert [[tick.at, tick.text] for tick in chart.up] == case["up"]


def test_whole_seconds_have_no_decimals() -> None:
    chart = measurement_charts.draw_times((0.0, 6.0), [line("a", (10.0, 10.0), (10.0, 10.0))])
    assert [tick.text for tick in chart.across] == ["0", "1", "2", "3", "4", "5", "6"]


@pytest.mark.parametrize(
    ("count", "points", "marks"),
    [
        (measurement_charts.MAX_MARKS, measurement_charts.MAX_MARKS, measurement_charts.MAX_MARKS),
        (measurement_charts.MAX_MARKS + 1, measurement_charts.MAX_MARKS + 1, 0),
        (measurement_charts.MAX_POINTS, measurement_charts.MAX_POINTS, 0),
        (measurement_charts.MAX_POINTS + 2, measurement_charts.MAX_POINTS // 2 + 1, 0),
    ],
)
def test_a_long_line_has_no_marks_and_a_longer_one_fewer_points(count: int, points: int, marks: int) -> None:
    x = tuple(float(number) for number in range(count))
    (drawn,) = measurement_charts.draw_times(x, [line("a", (10.0,) * count, (20.0,) * count)]).lines
    assert (len(drawn.points.split()), len(drawn.marks)) == (points, marks)


def test_lines_beside_others_have_some_marks() -> None:
    both = [line("a", (10.0, 20.0), (20.0, 20.0)), line("b", (10.0, 20.0), (20.0, 20.0))]
    assert [one.marks for one in measurement_charts.draw_times((0.0, 1.0), both).lines] == [
        (("0.00%", "100.00%"), ("100.00%", "0.00%"))
    ] * 2


def test_a_round_begins_with_its_first_block_and_series_without_a_path_are_left_out() -> None:
    run = make_run(count=2)
    measurement = run.measurement
    first, second = measurement.series[0], next(one for one in measurement.series[1:] if not one.unavailable)
    measurement = replace(measurement, series=(first, second, replace(first, key="gone", unavailable="No route.")))
    blocks = [
        {"series": first.key, "round": 1, "started_s": 2.5, "n": 3, "error": "", "p50_us": 18.00049, "p99_us": 30.0},
        {"series": second.key, "round": 1, "started_s": 2.25049, "n": 3, "error": "", "p50_us": 19.0, "p99_us": 31.0},
        {"series": second.key, "round": 0, "started_s": 0.25, "n": 0, "error": "", "p50_us": 0.0, "p99_us": 0.0},
    ]
    columns = measurement_charts.align_blocks(measurement, blocks, {first.column: "macvlan"})
    assert (columns.rounds, columns.x) == ((0, 1), (0.25, 2.25))
    assert [(one.key, one.p50, one.p99) for one in columns.series] == [
        (first.key, (None, 18.0), (None, 30.0)),
        (second.key, (None, 19.0), (None, 31.0)),
    ]
    assert columns.series[0].mode == "macvlan"
    counted = measurement_charts.count_blocks(measurement, blocks, {first.column: "macvlan"})
    assert [(one.key, one.mode, one.count, one.failed) for one in counted] == [
        (first.key, "macvlan", 1, 0),
        (second.key, columns.series[1].mode, 2, 1),
    ]


def test_a_series_is_labelled_by_its_key_or_by_its_column_and_path() -> None:
    run = make_run(count=1)
    first = run.measurement.series[0]
    for key, label in (("host/loopback/http", "host/loopback/http"), ("", f"{first.column}/{first.path}")):
        measurement = replace(run.measurement, series=(replace(first, key=key),))
        assert [one.label for one in measurement_charts.align_blocks(measurement, []).series] == [label]
        assert [one.label for one in measurement_charts.count_blocks(measurement, [])] == [label]


def test_the_table_holds_the_range_of_the_medians_and_the_middle_of_the_tails() -> None:
    run = make_run(count=1)
    first = run.measurement.series[0]
    measurement = replace(run.measurement, series=(first,))
    blocks = [
        {"series": first.key, "n": 1, "error": "", "p50_us": p50, "p99_us": p99}
        for p50, p99 in ((12.0, 60.0), (10.0, 40.0), (17.0, 50.0))
    ]
    blocks += [{**blocks[0], "error": "The server closed the connection.", "p50_us": 1.0}, {**blocks[0], "n": 0}]
    (counted,) = measurement_charts.count_blocks(measurement, blocks)
    assert (counted.lowest, counted.middle, counted.highest, counted.tail) == ("10.0", "12.0", "17.0", "50.0")
    assert (counted.count, counted.failed) == (5, 2)
    (empty,) = measurement_charts.count_blocks(measurement, [])
    assert (empty.lowest, empty.middle, empty.highest, empty.tail) == (NOTHING,) * 4
