"""Charts of latency over time that need no scripts: the blocks of one run, or the runs of one series.

The lines are in an SVG of 1000 by 1000 units that is stretched to its box. Labels are positioned by percentages, so
they keep their size. The vertical axis is logarithmic, because a tail is often a hundred times the median.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dashboard.core.measurements.axes import Tick, choose_ticks, log_ticks, place
from dashboard.core.measurements.formatting import NOTHING, fixed, micros, mode_of
from dashboard.core.measurements.headline import label_of
from dashboard.core.measurements.measurement import Measurement, SeriesResult
from dashboard.core.measurements.series_labels import label_measured, spread_labels
from dashboard.core.measurements.statistics import median

#: Charts with more points are thinned out: a screen cannot show more.
MAX_POINTS = 400
MAX_MARKS = 120
#: About how many shapes are drawn along a line among others: they identify it without its colour.
MARKS = 6
#: The height of the drawing area in pixels, in which labels are kept apart.
HEIGHT_PX = 240


@dataclass(frozen=True, slots=True)
class Times:
    """The values of one line of a chart. ``p50`` (the line) and ``p99`` (the edge of its band) are in µs, one for each
    x; None where nothing was measured. ``mark``, ``dash``, ``words`` and ``short`` are those of the series'
    ``SeriesLabel``."""

    key: str
    label: str
    mode: str
    dash: str
    p50: tuple[float | None, ...]
    p99: tuple[float | None, ...]
    mark: str = ""
    words: str = ""
    short: str = ""


@dataclass(frozen=True, slots=True)
class Columns:
    """The values of a chart, one for each round and line. ``rounds`` are the numbers of the rounds. ``x`` is when the
    first block of each round started, in seconds since the start of the run. ``series`` are the lines."""

    rounds: tuple[int, ...]
    x: tuple[float, ...]
    series: tuple[Times, ...]


@dataclass(frozen=True, slots=True)
class LineView:
    """A line as it is drawn.

    ``points`` are the SVG points of the line, in units of 1000 by 1000. ``band`` are those of the area between p50 and
    p99. ``marks`` are the positions of shapes along the line.

    ``label_at`` is the height of the label, which is beside the chart. ``end`` is the height of the line's end, from
    which a leader line leads to the label; empty without a leader line. ``mark``, ``dash``, ``words`` and ``short`` are
    those of the series' ``SeriesLabel``.
    """

    key: str
    label: str
    mode: str
    dash: str
    points: str
    band: str
    marks: tuple[tuple[str, str], ...] = ()
    mark: str = ""
    words: str = ""
    short: str = ""
    end: str = ""
    label_at: str = ""


@dataclass(frozen=True, slots=True)
class Scale:
    """The values at the two ends of an axis, for converting a position into a value. ``kind`` is ``linear``, ``log`` or
    ``time`` (linear, in seconds since the epoch)."""

    first: float
    last: float
    kind: str = "log"


@dataclass(frozen=True, slots=True)
class ChartView:
    """A chart as it is drawn.

    ``lines`` is empty if no series has two points. ``across`` are the ticks of the horizontal axis, ``up`` those of the
    vertical one. ``unit`` is written after the label of the highest tick. ``moments`` are vertical lines with labels.
    ``x`` and ``y`` are the scales of the axes; the scale ``y`` begins at the bottom.
    """

    lines: tuple[LineView, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    unit: str = "µs"
    moments: tuple[Tick, ...] = ()
    x: Scale | None = None
    y: Scale | None = None


@dataclass(frozen=True, slots=True)
class BlocksView:
    """The figures of one series' blocks as texts, for the table beside the chart. ``middle`` is the median of the
    blocks' medians, ``tail`` the median of their p99."""

    key: str
    label: str
    mode: str
    dash: str
    count: int
    failed: int
    lowest: str
    middle: str
    highest: str
    tail: str
    mark: str = ""
    words: str = ""


def add_marks(lines: Sequence[LineView]) -> tuple[LineView, ...]:
    """Returns the lines with about ``MARKS`` shapes on each. The shapes of different lines are at different x
    positions, so that they do not cover each other."""
    marked = []
    for number, line in enumerate(lines):
        points = line.points.split()
        step = max(1, len(points) // MARKS)
        first = (number * step // max(1, len(lines))) % step
        marked.append(replace(line, marks=tuple(_share(point) for point in points[first::step])))
    return tuple(marked)


def place_labels(lines: Sequence[LineView], *, leaders: bool = True) -> tuple[LineView, ...]:
    """Returns the lines with positions for their labels that do not overlap. If ``leaders`` is true, each label is as
    near as possible to the end of its line, and a leader line connects them. Otherwise the labels are in the order of
    the lines."""
    ends = [float(line.points.rpartition(",")[2] or 0) / 1000 if leaders else 0.0 for line in lines]
    placed = spread_labels([end * HEIGHT_PX for end in ends], HEIGHT_PX)
    return tuple(
        replace(line, end=place(end) if leaders else "", label_at=place(at / HEIGHT_PX))
        for line, end, at in zip(lines, ends, placed, strict=True)
    )


def align_blocks(
    measurement: Measurement, blocks: Sequence[Mapping[str, Any]], modes: Mapping[str, str] | None = None
) -> Columns:
    """Returns the p50 and p99 of the valid blocks as the values of one chart. Each series that could be measured has
    one entry, with a p50 and a p99 for every round: None if the series has no valid block in the round. ``blocks`` are
    dictionaries with the fields of ``Block``. ``modes`` maps columns to modes (``mode_of``)."""
    begun: dict[int, float] = {}
    values: dict[str, dict[int, tuple[float, float]]] = {}
    for block in blocks:
        number, started = int(block["round"]), float(block["started_s"])
        begun[number] = min(started, begun.get(number, started))
        if not block["error"] and block["n"]:
            values.setdefault(str(block["series"]), {})[number] = (float(block["p50_us"]), float(block["p99_us"]))
    rounds = tuple(sorted(begun))
    labels = label_measured(measurement)

    def times(result: SeriesResult) -> Times:
        own, look = values.get(result.key, {}), labels[result.key]
        p50, p99 = (tuple(round(own[at][which], 3) if at in own else None for at in rounds) for which in (0, 1))
        label = result.key if "/" in result.key else label_of(result)
        mode = mode_of(result.column, modes)
        return Times(result.key, label, mode, look.dash, p50, p99, look.mark, look.words, look.short)

    return Columns(
        rounds,
        tuple(round(begun[one], 3) for one in rounds),
        tuple(times(one) for one in measurement.series if not one.unavailable),
    )


def _thinned(x: Sequence[float], times: Times) -> list[tuple[float, float, float]]:
    points = [
        (at, p50, p99)
        for at, p50, p99 in zip(x, times.p50, times.p99, strict=True)
        if p50 is not None and p99 is not None and p50 > 0
    ]
    step = max(1, math.ceil(len(points) / MAX_POINTS))
    return points[::step]


def _share(point: str) -> tuple[str, str]:
    """Converts a point in units of 1000 by 1000 (``x,y``) into two percentages."""
    across, up = (float(value) / 1000 for value in point.split(","))
    return place(across), place(up)


def draw_times(
    x: Sequence[float], series: Sequence[Times], across: Sequence[Tick] = (), *, banded: bool = True
) -> ChartView:
    """Returns the chart of all series. It has no lines if no series has two points.

    ``x`` are the horizontal positions of the values. ``across`` are the ticks of the horizontal axis. If they are
    given, ``x`` is in seconds since the epoch, and the axis begins and ends with ``x``. Otherwise ``x`` is in seconds,
    and the axis starts at 0 and gets ticks of its own. If ``banded`` is false, no bands are drawn, and the vertical
    axis fits the medians only.
    """
    drawn = {one.key: _thinned(x, one) for one in series}
    times = [
        value
        for points in drawn.values()
        for _at, p50, p99 in points
        for value in (p50, max(p50, p99) if banded else p50)
    ]
    if max(map(len, drawn.values()), default=0) < 2:
        return ChartView((), (), ())
    up = log_ticks(min(times), max(times))
    bottom, height = math.log10(up[0]), math.log10(up[-1]) - math.log10(up[0])
    left = x[0] if across else 0.0
    ticks = choose_ticks(left, x[-1], 6) if not across else ()
    width = ((x[-1] - left) if across else ticks[-1]) or 1.0

    def spot(at: float, value: float) -> str:
        return f"{(at - left) / width * 1000:.1f},{1000 - (math.log10(value) - bottom) / height * 1000:.1f}"

    lines = []
    for one in series:
        points = drawn[one.key]
        middle = [spot(at, p50) for at, p50, _p99 in points]
        tail = [spot(at, max(p50, p99)) for at, p50, p99 in reversed(points)]
        band = " ".join([*middle, *tail]) if banded and len(points) > 1 else ""
        marks = tuple(_share(spotted) for spotted in middle) if len(series) == 1 and len(points) <= MAX_MARKS else ()
        if not middle:
            continue
        look = (one.mark, one.words or one.label, one.short or one.label)
        lines.append(LineView(one.key, one.label, one.mode, one.dash, " ".join(middle), band, marks, *look))
    seconds = [Tick(place(value / width), fixed(value, 0 if ticks[1] >= 1 else 1)) for value in ticks]
    return ChartView(
        place_labels(lines if len(series) == 1 else add_marks(lines)),
        tuple(across or seconds),
        tuple(Tick(place(1 - (math.log10(value) - bottom) / height), f"{value:g}") for value in up),
        x=Scale(left, left + width, "time" if across else "linear"),
        y=Scale(up[0], up[-1]),
    )


def count_blocks(
    measurement: Measurement, blocks: Sequence[Mapping[str, Any]], modes: Mapping[str, str] | None = None
) -> tuple[BlocksView, ...]:
    """Returns the figures of each series' blocks: how many there are, how many failed, and the range of their medians.
    ``blocks`` are dictionaries with the fields of ``Block``. ``modes`` maps columns to modes (``mode_of``)."""
    found = []
    labels = label_measured(measurement)
    for one in measurement.series:
        if one.unavailable:
            continue
        own = [block for block in blocks if block["series"] == one.key]
        good = [block for block in own if not block["error"] and block["n"]]
        middles = [float(block["p50_us"]) for block in good]
        tails = [float(block["p99_us"]) for block in good]
        figures = (min(middles), median(middles), max(middles), median(tails)) if good else (None,) * 4
        lowest, middle, highest, tail = (micros(value) if value is not None else NOTHING for value in figures)
        label = one.key if "/" in one.key else label_of(one)
        mode = mode_of(one.column, modes)
        look = labels[one.key]
        found.append(
            BlocksView(
                one.key,
                label,
                mode,
                look.dash,
                len(own),
                len(own) - len(good),
                lowest,
                middle,
                highest,
                tail,
                look.mark,
                look.words,
            )
        )
    return tuple(found)
