"""The same experiment repeated: its series over time, with what changed between one report and the next.

Each point is the median of a report's blocks with its 95 % interval by ranks. Points of different reports are unpaired:
what changed between them stands at their moments.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.core.measurements.axes import Tick, log_ticks, place
from dashboard.core.measurements.charts import ChartView, LineView
from dashboard.core.measurements.formatting import NOTHING, dash_of, micros, moment_of
from dashboard.core.measurements.measurement import Probe
from dashboard.core.measurements.series_key import series_signature
from dashboard.core.measurements.statistics import median, rank_interval
from dashboard.core.reports.charts import ChartTable, LineChart
from dashboard.core.reports.environment import compare_places
from dashboard.core.reports.figures import LightReport, Measured, series_of

MOST_REPORTS = 100
DAY_S = 86_400
#: Texts below the axis stand this share of it apart.
_APART = 0.4


@dataclass(frozen=True, slots=True)
class Kept:
    """A report with its number and when it was saved, in seconds since the epoch."""

    id: str
    light: LightReport


@dataclass(frozen=True, slots=True)
class Moment:
    """A report in its place. ``environment`` and ``verdicts`` are sentences on what is not as in the one before;
    ``mark`` numbers a changed environment on the axis, empty without one."""

    id: str
    title: str
    saved_at: float
    mark: str
    environment: tuple[str, ...]
    verdicts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trend:
    """Oldest first; a chart for each probe."""

    moments: tuple[Moment, ...]
    charts: tuple[LineChart, ...]


@dataclass(frozen=True, slots=True)
class _Point:
    at: float
    middle: float
    low: float
    high: float


def _point(at: float, one: Measured) -> _Point | None:
    values = [block.center_us for block in one.blocks if block.counts]
    middle = median(values)
    if middle <= 0:
        return None
    ends = rank_interval(values)
    return _Point(at, middle, *((middle, middle) if ends is None else (max(ends.low, 0.001), ends.high)))


def _verdicts(light: LightReport) -> dict[str, str]:
    """Every verdict of a report, by what it is about."""
    found = {f"the claim {one.id}": str(one.verdict) for one in light.claims}
    for run in light.measurements:
        options, modes = run.measurement.options, light.modes
        named = {one.key: f"{one.path.server}: {series_signature(one, modes, options)}" for one in run.series}
        for one in run.measurement.comparisons:
            name = f"{named.get(one.other, one.other)} against {named.get(one.baseline, one.baseline)}"
            found[name] = one.verdict
    return found


def _changed(before: dict[str, str], now: dict[str, str]) -> tuple[str, ...]:
    return tuple(f"{name}: {before[name]} → {said}" for name, said in now.items() if before.get(name, said) != said)


def list_moments(reports: Sequence[Kept]) -> tuple[Moment, ...]:
    """What each report has that the one before it had not. A verdict that one report lacks is compared with the last
    that was given."""
    found: list[Moment] = []
    known: dict[str, str] = {}
    mark = 0
    for number, one in enumerate(reports):
        environment: tuple[str, ...] = ()
        if number:
            rows = compare_places((reports[number - 1].light.place, one.light.place))
            environment = tuple(f"{row.label}: {row.texts[0]} → {row.texts[1]}" for row in rows if row.differs)
        mark += bool(environment)
        now = _verdicts(one.light)
        said = str(mark) if environment else ""
        found.append(Moment(one.id, one.light.title, one.light.saved_at, said, environment, _changed(known, now)))
        known |= now
    return tuple(found)


def date_ticks(moments: Sequence[float]) -> tuple[Tick, ...]:
    """Dates of some moments as shares of the whole time, in UTC; hours too where it is short."""
    first, width = moments[0], (moments[-1] - moments[0]) or 1.0
    form = "%Y-%m-%d" if width > 2 * DAY_S else "%m-%d %H:%M"
    found: list[Tick] = []
    before = -1.0
    for moment in moments:
        at = (moment - first) / width
        if not found or at - before > _APART:
            found.append(Tick(place(at), moment_of(moment).strftime(form)))
            before = at
    return tuple(found)


def _said(point: _Point | None) -> str:
    return NOTHING if point is None else f"{micros(point.middle)} [{micros(point.low)}, {micros(point.high)}]"


def _chart(probe: Probe, moments: Sequence[Moment], series: dict[str, dict[int, tuple[Measured, _Point]]]) -> LineChart:
    times = [one.saved_at for one in moments]
    first, width = times[0], (times[-1] - times[0]) or 1.0
    points = [point for own in series.values() for _measured, point in own.values()]
    up = log_ticks(min(one.low for one in points), max(one.high for one in points))
    scale = _Scale(up)
    lines = []
    for key, own in series.items():
        one = next(iter(own.values()))[0]
        chosen = [point for _measured, point in own.values()]
        across = [(point.at - first) / width for point in chosen]
        middles = [scale.at(point.middle) for point in chosen]
        band = [(x, scale.at(point.low)) for x, point in zip(across, chosen, strict=True)]
        band += [(x, scale.at(point.high)) for x, point in reversed(list(zip(across, chosen, strict=True)))]
        spots = list(zip(across, middles, strict=True))
        lines.append(
            LineView(
                key,
                one.label,
                one.mode,
                dash_of(one.path),
                _spots(spots),
                _spots(band) if len(chosen) > 1 else "",
                tuple((place(x), place(y)) for x, y in spots),
            )
        )
    labels = tuple(line.label for line in lines)
    body = tuple(
        (
            moment_of(moment.saved_at).strftime("%Y-%m-%d %H:%M"),
            *(_said(own[number][1] if number in own else None) for own in series.values()),
        )
        for number, moment in enumerate(moments)
    )
    title = f"Medians over time ({probe})"
    return LineChart(
        title,
        f"{title}: the median of each series in each report with its 95 % interval, in microseconds. Numbers on the "
        "axis are moments at which the environment changed. The table has the figures.",
        ChartView(
            tuple(lines),
            date_ticks(times),
            tuple(Tick(place(scale.at(value)), f"{value:g}") for value in up),
            moments=tuple(Tick(place((one.saved_at - first) / width), one.mark) for one in moments if one.mark),
        ),
        "when the report was saved (UTC)",
        ChartTable("Median and its 95 % interval in microseconds", ("saved (UTC)", *labels), body),
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    """A logarithmic axis from the bottom up, as shares from the top down."""

    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        low, high = math.log10(self.ticks[0]), math.log10(self.ticks[-1])
        return 1 - (math.log10(value) - low) / (high - low)


def _spots(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x * 1000:.1f},{y * 1000:.1f}" for x, y in points)


def build_trend(reports: Sequence[Kept]) -> Trend:
    """The reports of one experiment, in the order in which they were saved; the newest ``MOST_REPORTS``."""
    ordered = sorted(reports, key=lambda one: one.light.saved_at)[-MOST_REPORTS:]
    moments = list_moments(ordered)
    found: dict[Probe, dict[str, dict[int, tuple[Measured, _Point]]]] = {}
    for number, one in enumerate(ordered):
        for signature, measured in series_of(one.light).items():
            point = _point(one.light.saved_at, measured)
            if point is not None:
                found.setdefault(measured.probe, {}).setdefault(signature, {})[number] = (measured, point)
    return Trend(moments, tuple(_chart(probe, moments, series) for probe, series in found.items()))
