"""The trend of a repeated experiment: the medians of its series over time, and what changed from report to report.

A point is the median of the blocks of one report, with its 95 % interval by ranks. Reports are not paired, so changes
of the environment, which may explain a difference, are marked on the axis.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dashboard.core.measurements.axes import Tick, log_ticks, place
from dashboard.core.measurements.charts import ChartView, LineView, Scale, place_labels
from dashboard.core.measurements.formatting import NOTHING, micros, moment_of
from dashboard.core.measurements.measurement import Probe
from dashboard.core.measurements.series_key import series_signature
from dashboard.core.measurements.series_labels import label_signatures
from dashboard.core.measurements.statistics import median, rank_interval
from dashboard.core.reports.charts import ChartTable, LineChart
from dashboard.core.reports.environment import compare_environments
from dashboard.core.reports.figures import ReportFigures, SeriesFigures, series_by_signature

MAX_REPORTS = 100
DAY_S = 86_400
#: The least distance between two texts below the axis, as a share of the axis.
_MIN_DISTANCE = 0.4


@dataclass(frozen=True, slots=True)
class TrendReport:
    """The figures of a report, with its id."""

    id: str
    figures: ReportFigures


@dataclass(frozen=True, slots=True)
class TrendEntry:
    """A report in a trend. ``environment`` and ``verdicts`` list what changed since the previous report. If the
    environment changed, ``mark`` is the number of the change on the axis; otherwise it is empty. ``saved_at`` is in
    seconds since the epoch."""

    id: str
    title: str
    saved_at: float
    mark: str
    environment: tuple[str, ...]
    verdicts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trend:
    """The reports of a trend, oldest first, and one chart for each probe."""

    entries: tuple[TrendEntry, ...]
    charts: tuple[LineChart, ...]


@dataclass(frozen=True, slots=True)
class _Point:
    saved_at: float
    median: float
    low: float
    high: float


type _Points = dict[int, tuple[SeriesFigures, _Point]]  # by the position of the report


def _point(saved_at: float, series: SeriesFigures) -> _Point | None:
    values = [block.center_us for block in series.blocks if block.counts]
    middle = median(values)
    if middle <= 0:
        return None
    interval = rank_interval(values)
    low, high = (middle, middle) if interval is None else (max(interval.low, 0.001), max(interval.high, 0.001))
    return _Point(saved_at, middle, low, high)


def _list_verdicts(figures: ReportFigures) -> dict[str, str]:
    """Returns the verdict on each claim and on each pair of series. The key is a text that names the claim or the two
    series."""
    verdicts = {f"the claim {claim.id}": claim.verdict.word for claim in figures.claims}
    for run in figures.measurements:
        options, modes = run.measurement.options, figures.modes
        names = {one.key: f"{one.path.server}: {series_signature(one, modes, options)}" for one in run.series}
        for one in run.measurement.comparisons:
            verdicts[f"{names.get(one.other, one.other)} to {names.get(one.baseline, one.baseline)}"] = one.verdict
    return verdicts


def list_entries(reports: Sequence[TrendReport]) -> tuple[TrendEntry, ...]:
    """Returns an entry for each report, with what changed since the previous one. A verdict is compared with the newest
    earlier verdict on the same subject, which may be several reports back."""
    entries: list[TrendEntry] = []
    known: dict[str, str] = {}
    mark = 0
    for number, report in enumerate(reports):
        figures = report.figures
        environment: tuple[str, ...] = ()
        if number:
            rows = compare_environments((reports[number - 1].figures.report_environment, figures.report_environment))
            environment = tuple(f"{row.label}: {row.texts[0]} → {row.texts[1]}" for row in rows if row.differs)
        mark += bool(environment)
        verdicts = _list_verdicts(figures)
        changed = tuple(
            f"{name}: {known[name]} → {verdict}"
            for name, verdict in verdicts.items()
            if known.get(name, verdict) != verdict
        )
        label = str(mark) if environment else ""
        entries.append(TrendEntry(report.id, figures.title, figures.saved_at, label, environment, changed))
        known |= verdicts
    return tuple(entries)


def date_ticks(times: Sequence[float]) -> tuple[Tick, ...]:
    """Returns ticks for a time axis from the first to the last of ``times`` (seconds since the epoch, ascending).
    Labels are dates in UTC; if the axis spans at most two days, they also have hours and minutes. A time whose label
    would overlap the previous one has no tick."""
    first, width = times[0], (times[-1] - times[0]) or 1.0
    form = "%Y-%m-%d" if width > 2 * DAY_S else "%m-%d %H:%M"
    ticks: list[Tick] = []
    before = -1.0
    for time in times:
        at = (time - first) / width
        if not ticks or at - before > _MIN_DISTANCE:
            ticks.append(Tick(place(at), moment_of(time).strftime(form)))
            before = at
    return tuple(ticks)


def _format_point(point: _Point) -> str:
    return f"{micros(point.median)} [{micros(point.low)}, {micros(point.high)}]"


def _format_points(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x * 1000:.1f},{y * 1000:.1f}" for x, y in points)


def _chart(probe: Probe, entries: Sequence[TrendEntry], series: dict[str, _Points]) -> LineChart:
    times = [entry.saved_at for entry in entries]
    first, width = times[0], (times[-1] - times[0]) or 1.0
    points = [point for own in series.values() for _figures, point in own.values()]
    ticks = log_ticks(min(point.low for point in points), max(point.high for point in points))
    bottom, top = math.log10(ticks[0]), math.log10(ticks[-1])

    def x_of(saved_at: float) -> float:
        return (saved_at - first) / width

    def y_of(value: float) -> float:
        return 1 - (math.log10(value) - bottom) / (top - bottom)

    lines = []
    first_of = {key: next(iter(own.values()))[0] for key, own in series.items()}
    labels = label_signatures(series)
    for key, own in series.items():
        figures, look = first_of[key], labels[key]
        own_points = [point for _figures, point in own.values()]
        medians = [(x_of(point.saved_at), y_of(point.median)) for point in own_points]
        band = [(x_of(point.saved_at), y_of(point.low)) for point in own_points]
        band += [(x_of(point.saved_at), y_of(point.high)) for point in reversed(own_points)]
        lines.append(
            LineView(
                key,
                figures.label,
                figures.mode,
                look.dash,
                _format_points(medians),
                _format_points(band) if len(own_points) > 1 else "",
                tuple((place(x), place(y)) for x, y in medians),
                look.mark,
                look.words,
                look.short,
            )
        )
    body = tuple(
        (
            moment_of(entry.saved_at).strftime("%Y-%m-%d %H:%M"),
            *(_format_point(own[number][1]) if number in own else NOTHING for own in series.values()),
        )
        for number, entry in enumerate(entries)
    )
    title = f"Medians over time ({probe})"
    return LineChart(
        title,
        f"{title}: the median of each series in each report with its 95 % interval, in microseconds. Numbered "
        "marks on the axis show changes of the environment. The table has the figures.",
        ChartView(
            place_labels(lines) if max(map(len, series.values())) > 1 else (),
            date_ticks(times),
            tuple(Tick(place(y_of(value)), f"{value:g}") for value in ticks),
            moments=tuple(Tick(place(x_of(entry.saved_at)), entry.mark) for entry in entries if entry.mark),
            x=Scale(first, first + width, "time"),
            y=Scale(ticks[0], ticks[-1]),
        ),
        "when the report was saved (UTC)",
        ChartTable(
            "Median and its 95 % interval in microseconds", ("saved (UTC)", *(line.words for line in lines)), body
        ),
    )


def build_trend(reports: Sequence[TrendReport]) -> Trend:
    """Returns the trend of the newest ``MAX_REPORTS`` of the reports, which must be of one experiment."""
    ordered = sorted(reports, key=lambda report: report.figures.saved_at)[-MAX_REPORTS:]
    entries = list_entries(ordered)
    points: dict[Probe, dict[str, _Points]] = {}
    for number, report in enumerate(ordered):
        for signature, series in series_by_signature(report.figures).items():
            point = _point(report.figures.saved_at, series)
            if point is not None:
                points.setdefault(series.probe, {}).setdefault(signature, {})[number] = (series, point)
    return Trend(entries, tuple(_chart(probe, entries, series) for probe, series in points.items()))
