"""The drawings of a report as values, each with the table that stands beside it.

Templates draw them as SVG and the document as its own shapes, so nothing here is markup. Places are percentages or
units of a square of 1000, as in ``core.measurements.charts``. What belongs to one mode has its colour and its shape, and each
way of one mode a dash of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dashboard.core.measurements.axes import Tick, lay_out_axis, log_ticks, place
from dashboard.core.measurements.charts import ChartView, LineView, Times, draw_times
from dashboard.core.measurements.formatting import NOTHING, dash_of, fixed, micros, mode_of, say_interval, signed
from dashboard.core.measurements.headline import label_of
from dashboard.core.measurements.measurement import ComparisonResult, Measurement, Probe, SeriesResult
from dashboard.core.reports.view import RunView, SeriesShape

#: Bands of more series than this cannot be told apart.
MOST_BANDS = 4
#: Shapes along a line, so that it is known without its colour.
MARKS = 6
_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class ChartTable:
    """The figures of a drawing: as many texts in each line as in ``head``; the first one names the line."""

    caption: str
    head: tuple[str, ...]
    body: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class IntervalRow:
    """One difference: ``low``, ``at`` and ``high`` are places on the axis, ``said`` is the same in words."""

    key: str
    label: str
    mode: str
    low: str
    at: str
    high: str
    said: str
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class IntervalChart:
    """Differences as dots with their intervals, on one axis that holds zero. ``said`` is the drawing in a sentence."""

    title: str
    said: str
    rows: tuple[IntervalRow, ...]
    ticks: tuple[Tick, ...]
    zero: str
    table: ChartTable


@dataclass(frozen=True, slots=True)
class LineChart:
    """Lines over an axis that ``across`` names; ``drawing`` has no lines where there is nothing to draw."""

    title: str
    said: str
    drawing: ChartView
    across: str
    table: ChartTable


def difference_said(delta: float, interval: tuple[float, float]) -> str:
    """``+1.5 µs, 95 % interval [+1.4, +1.6]``."""
    return f"{signed(delta)} µs, 95 % interval {say_interval(interval)}"


def draw_intervals(
    title: str,
    found: Sequence[tuple[str, str, str, float, tuple[float, float], str]],
    table: ChartTable,
    baseline: tuple[str, str, str] | None = None,
) -> IntervalChart | None:
    """Differences (key, label, mode, value, interval, verdict) on one axis, below the ``baseline`` (key, label, mode)
    at zero; None without any."""
    if not found:
        return None
    at, zero, ticks = lay_out_axis([end for one in found for end in one[4]])
    rows = [IntervalRow(*baseline, zero, zero, zero, "the baseline")] if baseline is not None else []
    rows += [
        IntervalRow(key, label, mode, at(ends[0]), at(value), at(ends[1]), difference_said(value, ends), verdict)
        for key, label, mode, value, ends, verdict in found
    ]
    said = "; ".join(f"{row.label} {row.said}" for row in rows)
    return IntervalChart(title, f"{title}: {said}.", tuple(rows), ticks, zero, table)


def _verdict_cells(one: ComparisonResult | None, *, baseline: bool) -> tuple[str, str, str]:
    if one is None or one.delta_us is None:
        return ("baseline" if baseline else NOTHING, "", one.verdict if one is not None else "")
    return signed(one.delta_us), say_interval(one.ci95_us) or NOTHING, one.verdict


def _series_cells(one: SeriesResult, compared: ComparisonResult | None, *, baseline: bool) -> tuple[str, ...]:
    times = (one.p50_us, one.p90_us, one.p99_us, one.p999_us, one.max_us)
    return (label_of(one), str(one.n), *map(micros, times), *_verdict_cells(compared, baseline=baseline))


def latency_table(measurement: Measurement, probe: Probe) -> ChartTable:
    """Every path of a probe that was measured: percentiles, and its difference with the interval."""
    compared = {one.other: one for one in measurement.comparisons if one.probe is probe}
    baselines = {one.baseline for one in compared.values()}
    return ChartTable(
        f"Times of {probe} in microseconds; the difference is that of the medians, with its 95 % interval",
        ("path", "n", "p50", "p90", "p99", "p99.9", "longest", "difference", "95 % interval", "verdict"),
        tuple(
            _series_cells(one, compared.get(one.key), baseline=one.key in baselines)
            for one in measurement.series
            if one.probe is probe and one.n
        ),
    )


def interval_chart(
    measurement: Measurement, probe: Probe, modes: Mapping[str, str] | None = None
) -> IntervalChart | None:
    """What each path of a probe costs beside the baseline; None where nothing has an interval yet."""
    series = {one.key: one for one in measurement.series if one.probe is probe and one.n}
    compared = [one for one in measurement.comparisons if one.probe is probe and one.other in series]

    def named(one: SeriesResult) -> tuple[str, str, str]:
        return one.key, label_of(one), mode_of(one.column, modes)

    baseline = next((series[one.baseline] for one in compared if one.baseline in series), None)
    against = f" against {label_of(baseline)}" if baseline is not None else ""
    return draw_intervals(
        f"Difference of the medians{against} ({probe})",
        [
            (*named(series[one.other]), one.delta_us, one.ci95_us, one.verdict)
            for one in compared
            if one.delta_us is not None and one.ci95_us is not None
        ],
        latency_table(measurement, probe),
        named(baseline) if baseline is not None else None,
    )


def _mark(lines: Sequence[LineView]) -> tuple[LineView, ...]:
    """Every line with a few shapes on it, each line's a little further on than those of the one before."""
    marked = []
    for number, one in enumerate(lines):
        spots = [spot.split(",") for spot in one.points.split()]
        step = max(1, len(spots) // MARKS)
        first = (number * step // max(1, len(lines))) % step
        chosen = spots[first::step]
        marks = tuple((place(float(x) / 1000), place(float(y) / 1000)) for x, y in chosen)
        marked.append(replace(one, marks=marks))
    return tuple(marked)


def _shapes(run: RunView, probe: Probe) -> list[SeriesShape]:
    return [one for one in run.shapes if one.probe is probe]


def times_chart(run: RunView, probe: Probe) -> LineChart:
    """Medians of the blocks over the run, with the band up to p99 where the series are few."""
    shapes = _shapes(run, probe)
    moments = sorted({at for one in shapes for at in one.at_s})
    place_of = {at: number for number, at in enumerate(moments)}
    series = []
    for one in shapes:
        middles: list[float | None] = [None] * len(moments)
        tails: list[float | None] = [None] * len(moments)
        for at, p50, p99 in zip(one.at_s, one.p50_us, one.p99_us, strict=True):
            middles[place_of[at]], tails[place_of[at]] = p50, p99
        series.append(Times(one.key, one.label, one.mode, dash_of(one.path), tuple(middles), tuple(tails)))
    banded = len(series) <= MOST_BANDS
    drawn = draw_times(moments, series, banded=banded) if moments else ChartView((), (), ())
    title = f"Block by block ({probe})"
    return LineChart(
        title,
        f"{title}: the median of each block in microseconds over the seconds of the run"
        f"{', with a band up to its p99' if banded else ''}. The table has the figures.",
        replace(drawn, lines=_mark(drawn.lines)),
        "seconds since the run began",
        ChartTable(
            "Medians of the blocks in microseconds",
            ("path", "blocks", "failed", "lowest", "middle", "highest", "middle p99"),
            tuple(
                (
                    one.label,
                    str(one.blocks),
                    str(one.failed),
                    *map(micros, (one.lowest_us, one.middle_us, one.highest_us, one.tail_us)),
                )
                for one in shapes
            ),
        ),
    )


def time_at(curve: Sequence[tuple[float, float]], share: float) -> float | None:
    """The time within which ``share`` of the requests were answered, as far as the curve knows."""
    return next((time for time, reached in curve if reached >= share), None)


def ecdf_chart(run: RunView, probe: Probe) -> LineChart:
    """Which share of the requests took at most how long; time on a logarithmic axis."""
    shapes = [one for one in _shapes(run, probe) if one.ecdf and one.ecdf[0][0] > 0]
    title = f"Distribution ({probe})"
    table = ChartTable(
        "Time in microseconds within which a share of the requests was answered",
        ("path", "10 %", "25 %", "50 %", "75 %", "90 %", "99 %", "99.9 %"),
        tuple(
            (one.label, *(micros(time_at(one.ecdf, share)) for share in (0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999)))
            for one in shapes
        ),
    )
    said = f"{title}: the share of requests that took at most so long. The table has the figures."
    if not shapes:
        return LineChart(title, said, ChartView((), (), ()), "", table)
    ticks = log_ticks(min(one.ecdf[0][0] for one in shapes), max(one.ecdf[-1][0] for one in shapes))
    left = math.log10(ticks[0])
    width = math.log10(ticks[-1]) - left

    def across(time: float) -> float:
        return (math.log10(time) - left) / width

    lines = [
        LineView(
            one.key,
            one.label,
            one.mode,
            dash_of(one.path),
            " ".join(f"{across(time) * 1000:.1f},{1000 - share * 1000:.1f}" for time, share in one.ecdf),
            "",
        )
        for one in shapes
    ]
    drawn = ChartView(
        _mark(lines),
        tuple(Tick(place(across(value)), f"{value:g}") for value in ticks),
        tuple(Tick(place(1 - share), f"{fixed(share * 100, 0)} %") for share in _SHARES),
        unit="",
    )
    return LineChart(title, said, drawn, "microseconds", table)
