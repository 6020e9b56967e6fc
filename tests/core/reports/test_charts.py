"""The drawings of a report: places that hold, a colour and a shape each, and the same figures as a table."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from dashboard.core.measurements.measurement import Probe
from dashboard.core.reports.charts import LineChart, ecdf_chart, interval_chart, time_at, times_chart
from dashboard.core.reports.view import RunView, build_view
from tests.core.report_builders import make_content, make_run


@cache
def run_view(count: int = 30) -> RunView:
    return build_view(make_content(measurements=(make_run(count=count),))).runs[0]


def at(place: str) -> float:
    return float(place.removesuffix("%"))


def test_differences_stand_on_one_axis_with_zero() -> None:
    measurement = run_view().measurement
    chart = interval_chart(measurement, Probe.TCP_RR)
    assert chart is not None
    assert chart.zero in {tick.at for tick in chart.ticks}
    assert (chart.rows[0].label, chart.rows[0].at, chart.rows[0].mode) == ("host/loopback", chart.zero, "host")
    for row in chart.rows[1:]:
        assert 0 <= at(row.low) <= at(row.at) <= at(row.high) <= 100
        assert row.label in chart.said
        assert row.said in chart.said
    proxy = next(row for row in chart.rows if row.label == "bridge/published-proxy")
    assert at(proxy.low) > at(chart.zero) + 50
    assert proxy.verdict == "slower"


def test_the_table_beside_has_every_path_that_was_measured() -> None:
    measurement = run_view().measurement
    chart = interval_chart(measurement, Probe.TCP_RR)
    assert chart is not None
    measured = [one for one in measurement.series if one.n]
    assert [line[0] for line in chart.table.body] == [f"{one.column}/{one.path}" for one in measured]
    assert all(len(line) == len(chart.table.head) for line in chart.table.body)
    assert "baseline" in chart.table.body[0]


def test_nothing_is_drawn_without_an_interval() -> None:
    assert interval_chart(run_view(4).measurement, Probe.TCP_RR) is None
    assert interval_chart(run_view().measurement, Probe.UDP_RR) is None


@pytest.mark.parametrize("draw", [times_chart, ecdf_chart])
def test_each_line_is_known_by_its_shape_or_its_dash(draw: object) -> None:
    chart = draw(run_view(), Probe.TCP_RR)  # type: ignore[operator]
    assert isinstance(chart, LineChart)
    looks = {(one.mode, one.dash) for one in chart.drawing.lines}
    families = {one.key.removesuffix("-ipv6") for one in chart.drawing.lines}
    assert len(looks) >= len(families) - 1
    for one in chart.drawing.lines:
        assert 4 <= len(one.marks) <= 9
        spots = [float(value) for spot in one.points.split() for value in spot.split(",")]
        assert min(spots) >= 0
        assert max(spots) <= 1000
    assert [line[0] for line in chart.table.body] == [one.label for one in chart.drawing.lines]
    assert all(len(line) == len(chart.table.head) for line in chart.table.body)


def test_curves_rise_to_the_whole() -> None:
    chart = ecdf_chart(run_view(), Probe.TCP_RR)
    for one in chart.drawing.lines:
        spots = [tuple(map(float, spot.split(","))) for spot in one.points.split()]
        assert spots == sorted(spots, key=lambda spot: (spot[0], -spot[1]))
        assert spots[-1][1] == 0
    assert chart.drawing.up[-1].text == "100 %"
    assert time_at(((10.0, 0.4), (20.0, 0.9)), 0.5) == 20.0
    assert time_at(((10.0, 0.4),), 0.5) is None


def test_many_series_have_no_bands() -> None:
    run = run_view()
    assert len(run.shapes) > 4
    assert not any(one.band for one in times_chart(run, Probe.TCP_RR).drawing.lines)
    few = replace(run, shapes=run.shapes[:3])
    assert all(one.band for one in times_chart(few, Probe.TCP_RR).drawing.lines)


def test_a_run_without_blocks_is_an_empty_drawing() -> None:
    run = run_view(0)
    assert times_chart(run, Probe.TCP_RR).drawing.lines == ()
    assert ecdf_chart(run, Probe.TCP_RR).drawing.lines == ()
