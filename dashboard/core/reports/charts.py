"""The charts of a report as values, each with the table of its figures.

The values contain no markup: templates draw the charts as SVG, and the PDF export draws them with Typst. Positions are
percentages, or units of a square of 1000 by 1000 as in ``core.measurements.charts``. Each mode has a colour and a
shape; dash patterns distinguish the paths of one mode.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dashboard.core.measurements.axes import Tick, lay_out_differences, log_ticks, place
from dashboard.core.measurements.charts import ChartView, LineView, Scale, Times, add_marks, draw_times, place_labels
from dashboard.core.measurements.formatting import NOTHING, fixed, format_interval, micros, mode_of, signed
from dashboard.core.measurements.headline import label_of
from dashboard.core.measurements.measurement import ComparisonResult, Measurement, Probe, SeriesResult
from dashboard.core.measurements.series_labels import SeriesLabel, label_measured, label_series, name_series
from dashboard.core.reports.view import PERCENTS, RunView

#: The bands of more series cannot be distinguished.
MAX_BANDS = 4
_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class ChartTable:
    """The figures of a chart as a table. Each line of ``body`` has as many texts as ``head``; the first one is the
    label of the line."""

    caption: str
    head: tuple[str, ...]
    body: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class IntervalRow:
    """One difference in an ``IntervalChart``.

    ``at`` is the position of the value on the axis. ``low`` and ``high`` are the positions of the ends of its interval.
    ``difference`` is a text with the value and its interval. ``cut`` names the ends (``low``, ``high``) at which the
    interval continues beyond the axis. ``mark``, ``words`` and ``dash`` come from the ``SeriesLabel`` of the series.
    """

    key: str
    label: str
    mode: str
    low: str
    at: str
    high: str
    difference: str
    verdict: str = ""
    mark: str = ""
    words: str = ""
    dash: str = ""
    cut: str = ""


@dataclass(frozen=True, slots=True)
class IntervalChart:
    """Differences as dots with their intervals, on one axis that includes zero. ``zero`` is the position of zero.
    ``description`` is the alternative text of the chart."""

    title: str
    description: str
    rows: tuple[IntervalRow, ...]
    ticks: tuple[Tick, ...]
    zero: str
    table: ChartTable


@dataclass(frozen=True, slots=True)
class LineChart:
    """Lines over a horizontal axis. ``across`` is the label of that axis, ``description`` the alternative text."""

    title: str
    description: str
    drawing: ChartView
    across: str
    table: ChartTable


def describe_difference(delta: float, interval: tuple[float, float]) -> str:
    """Returns a difference in µs and its interval as text: ``+1.50 µs, 95 % interval [+1.40, +1.60]``."""
    return f"{signed(delta)} µs, 95 % interval {format_interval(interval)}"


def draw_intervals(
    title: str,
    differences: Sequence[tuple[str, str, str, float, tuple[float, float], str]],
    table: ChartTable,
    baseline: tuple[str, str, str] | None = None,
    *,
    labels: Mapping[str, SeriesLabel],
) -> IntervalChart | None:
    """Returns a chart of differences; None if there are none.

    Each of ``differences`` is (key, label, mode, value in µs, interval, verdict). ``baseline`` (key, label, mode)
    becomes the first row, at zero. ``labels`` maps each key to its ``SeriesLabel``.
    """
    if not differences:
        return None
    axis = lay_out_differences([difference[3] for difference in differences], [one[4] for one in differences])
    at, zero, ticks = axis.at, axis.zero, axis.ticks
    rows = [IntervalRow(*baseline, zero, zero, zero, "the baseline")] if baseline is not None else []
    rows += [
        IntervalRow(
            *(key, label, mode, at(ends[0]), at(value), at(ends[1]), describe_difference(value, ends), verdict),
            cut=axis.cut(ends),
        )
        for key, label, mode, value, ends, verdict in differences
    ]
    looks = [(row, labels[row.key]) for row in rows]
    rows = [replace(row, mark=look.mark, words=look.words, dash=look.dash) for row, look in looks]
    description = "; ".join(f"{row.words} {row.difference}" for row in rows)
    return IntervalChart(title, f"{title}: {description}.", tuple(rows), ticks, zero, table)


def _verdict_cells(one: ComparisonResult | None, *, baseline: bool) -> tuple[str, str, str]:
    if one is None or one.delta_us is None:
        return ("baseline" if baseline else NOTHING, "", one.verdict if one is not None else "")
    return signed(one.delta_us), format_interval(one.ci95_us) or NOTHING, one.verdict


def _series_cells(
    name: str, result: SeriesResult, compared: ComparisonResult | None, *, baseline: bool
) -> tuple[str, ...]:
    times = (result.p50_us, result.p90_us, result.p99_us, result.p999_us, result.max_us)
    return (name, str(result.n), *map(micros, times), *_verdict_cells(compared, baseline=baseline))


def latency_table(measurement: Measurement, probe: Probe) -> ChartTable:
    """Returns a table of one probe: a line per measured path, with percentiles and the difference from the baseline."""
    compared = {comparison.other: comparison for comparison in measurement.comparisons if comparison.probe is probe}
    baselines = {one.baseline for one in compared.values()}
    names = name_series(measurement, probe)
    return ChartTable(
        f"Times of {probe} in microseconds, and the difference of the medians with its 95 % interval",
        ("path", "n", "p50", "p90", "p99", "p99.9", "max", "difference", "95 % interval", "verdict"),
        tuple(
            _series_cells(names[one.key], one, compared.get(one.key), baseline=one.key in baselines)
            for one in measurement.series
            if one.probe is probe and one.n
        ),
    )


def interval_chart(
    measurement: Measurement, probe: Probe, modes: Mapping[str, str] | None = None
) -> IntervalChart | None:
    """Returns the chart of the differences between the paths of a probe and their baseline; None if no difference has
    an interval. ``modes`` maps columns to modes; by default, the key of a column names its mode."""
    measured = (one for one in measurement.series if one.n and not one.unavailable)
    series = {one.key: one for one in measured if one.probe is probe}
    compared = [one for one in measurement.comparisons if one.probe is probe and one.other in series]

    def identity(result: SeriesResult) -> tuple[str, str, str]:
        return result.key, label_of(result), mode_of(result.column, modes)

    labels = label_measured(measurement, probe)
    baseline = next((series[one.baseline] for one in compared if one.baseline in series), None)
    against = f" to {labels[baseline.key].words}" if baseline is not None else ""
    return draw_intervals(
        f"Difference of the medians{against} ({probe})",
        [
            (*identity(series[one.other]), one.delta_us, one.ci95_us, one.verdict)
            for one in compared
            if one.delta_us is not None and one.ci95_us is not None
        ],
        latency_table(measurement, probe),
        identity(baseline) if baseline is not None else None,
        labels=labels,
    )


def times_chart(run: RunView, probe: Probe) -> LineChart:
    """Returns the chart of a run for one probe. Each series has a line with the medians of its blocks over time. If
    there are at most ``MAX_BANDS`` series, each line has a band up to the p99."""
    measured = [one for one in run.series if one.probe is probe]
    moments = sorted({at for one in measured for at in one.at_s})
    series = []
    labels = label_series((one.key, one.column, one.path, one.probe) for one in measured)
    for one in measured:
        look = labels[one.key]
        medians = dict(zip(one.at_s, one.p50_us, strict=True))
        tails = dict(zip(one.at_s, one.p99_us, strict=True))
        p50, p99 = (tuple(figures.get(at) for at in moments) for figures in (medians, tails))
        series.append(Times(one.key, one.label, one.mode, look.dash, p50, p99, look.mark, look.words, look.short))
    banded = len(series) <= MAX_BANDS
    drawn = draw_times(moments, series, banded=banded) if moments else ChartView((), (), ())
    title = f"Medians of blocks over time ({probe})"
    return LineChart(
        title,
        f"{title}: the median of each block in microseconds over the seconds of the run"
        f"{', with a band up to its p99' if banded else ''}. The table has the figures.",
        drawn,
        "seconds since the run began",
        ChartTable(
            "Medians of the blocks in microseconds",
            ("path", "blocks", "failed", "lowest", "median", "highest", "median p99"),
            tuple(
                (
                    labels[one.key].words,
                    str(one.blocks),
                    str(one.failed),
                    *map(micros, (one.lowest_us, one.median_us, one.highest_us, one.median_p99_us)),
                )
                for one in measured
            ),
        ),
    )


def ecdf_chart(run: RunView, probe: Probe) -> LineChart:
    """Returns the chart of the cumulative distributions of one probe: the share of requests that were answered within a
    time, on a logarithmic time axis."""
    series = [one for one in run.series if one.probe is probe and one.ecdf and one.ecdf[0][0] > 0]
    labels = label_series((one.key, one.column, one.path, one.probe) for one in series)
    title = f"Distribution ({probe})"
    table = ChartTable(
        "Time in microseconds within which a given share of the requests was answered",
        ("path", *(f"{percent:g} %" for percent in PERCENTS)),
        tuple((labels[one.key].words, *map(micros, one.percentiles_us)) for one in series),
    )
    description = f"{title}: the share of requests that were answered within a given time. The table has the figures."
    series = [one for one in series if len(one.ecdf) > 1]
    if not series:
        return LineChart(title, description, ChartView((), (), ()), "", table)
    ticks = log_ticks(min(one.ecdf[0][0] for one in series), max(one.ecdf[-1][0] for one in series))
    left = math.log10(ticks[0])
    width = math.log10(ticks[-1]) - left

    def across(time: float) -> float:
        return (math.log10(time) - left) / width

    lines = [
        LineView(
            one.key,
            one.label,
            one.mode,
            labels[one.key].dash,
            " ".join(f"{across(time) * 1000:.1f},{1000 - share * 1000:.1f}" for time, share in one.ecdf),
            "",
            mark=labels[one.key].mark,
            words=labels[one.key].words,
            short=labels[one.key].short,
        )
        for one in series
    ]
    drawn = ChartView(
        place_labels(add_marks(lines), leaders=False),
        tuple(Tick(place(across(value)), f"{value:g}") for value in ticks),
        tuple(Tick(place(1 - share), f"{fixed(share * 100, 0)} %") for share in _SHARES),
        unit="",
        x=Scale(ticks[0], ticks[-1]),
        y=Scale(0.0, 100.0, "linear"),
    )
    return LineChart(title, description, drawn, "microseconds", table)
