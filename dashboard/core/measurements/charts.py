"""Charts of latency over time, rendered without scripts: blocks of one run, runs of one series.

An SVG of 1000 by 1000 units is stretched to its box; labels are positioned by percentages and keep their size. The
vertical axis is logarithmic, because a tail is often a hundred times the median."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dashboard.core.measurements.axes import Tick, choose_ticks, log_ticks, place
from dashboard.core.measurements.formatting import NOTHING, dash_of, fixed, micros, mode_of
from dashboard.core.measurements.headline import label_of
from dashboard.core.measurements.measurement import Measurement
from dashboard.core.measurements.statistics import median

#: Charts with more points are thinned out: a screen cannot show more.
MAX_POINTS = 400
MAX_MARKS = 120


@dataclass(frozen=True, slots=True)
class Times:
    """One line and its band: p50 and p99 at each x; None without a measurement."""

    key: str
    label: str
    mode: str
    dash: str
    p50: tuple[float | None, ...]
    p99: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Columns:
    """Blocks by round: ``x`` is the start of each round's first block, in seconds since the start of the run."""

    rounds: tuple[int, ...]
    x: tuple[float, ...]
    series: tuple[Times, ...]


@dataclass(frozen=True, slots=True)
class LineView:
    """A line of up to ``MAX_POINTS`` points, the area between p50 and p99, and a mark at each isolated point."""

    key: str
    label: str
    mode: str
    dash: str
    points: str
    band: str
    marks: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ChartView:
    """A chart, empty without measurements. ``unit`` follows the highest tick; ``moments`` are vertical lines with
    labels."""

    lines: tuple[LineView, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    unit: str = "µs"
    moments: tuple[Tick, ...] = ()


@dataclass(frozen=True, slots=True)
class BlocksView:
    """The figures of a series' blocks: the table beside the chart."""

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


def align_blocks(
    measurement: Measurement, blocks: Sequence[Mapping[str, Any]], modes: Mapping[str, str] | None = None
) -> Columns:
    """The valid blocks by round. ``modes`` are those of the columns."""
    begun: dict[int, float] = {}
    values: dict[str, dict[int, tuple[float, float]]] = {}
    for block in blocks:
        number, started = int(block["round"]), float(block["started_s"])
        begun[number] = min(started, begun.get(number, started))
        if not block["error"] and block["n"]:
            values.setdefault(str(block["series"]), {})[number] = (float(block["p50_us"]), float(block["p99_us"]))
    rounds = tuple(sorted(begun))
    return Columns(
        rounds,
        tuple(round(begun[one], 3) for one in rounds),
        tuple(
            Times(
                one.key,
                one.key if "/" in one.key else label_of(one),
                mode_of(one.column, modes),
                dash_of(one.path),
                *(
                    tuple(round(own[at][which], 3) if at in own else None for at in rounds)
                    for own in (values.get(one.key, {}),)
                    for which in (0, 1)
                ),
            )
            for one in measurement.series
            if not one.unavailable
        ),
    )


def _thinned(x: Sequence[float], one: Times) -> list[tuple[float, float, float]]:
    points = [
        (at, p50, p99)
        for at, p50, p99 in zip(x, one.p50, one.p99, strict=True)
        if p50 is not None and p99 is not None and p50 > 0
    ]
    step = max(1, math.ceil(len(points) / MAX_POINTS))
    return points[::step]


def _share(spot: str) -> tuple[str, str]:
    """A position in the 1000 by 1000 units as percentages."""
    across, up = (float(value) / 1000 for value in spot.split(","))
    return place(across), place(up)


def draw_times(
    x: Sequence[float], series: Sequence[Times], across: Sequence[Tick] = (), *, banded: bool = True
) -> ChartView:
    """The chart of all series. ``across`` are the ticks of x as fractions of its range, seconds by default. Without
    bands the vertical axis fits the medians only."""
    drawn = {one.key: _thinned(x, one) for one in series}
    times = [
        value
        for points in drawn.values()
        for _at, p50, p99 in points
        for value in (p50, max(p50, p99) if banded else p50)
    ]
    if not times:
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
        lines.append(LineView(one.key, one.label, one.mode, one.dash, " ".join(middle), band, marks))
    seconds = [Tick(place(value / width), fixed(value, 0 if ticks[1] >= 1 else 1)) for value in ticks]
    return ChartView(
        tuple(lines),
        tuple(across or seconds),
        tuple(Tick(place(1 - (math.log10(value) - bottom) / height), f"{value:g}") for value in up),
    )


def count_blocks(
    measurement: Measurement, blocks: Sequence[Mapping[str, Any]], modes: Mapping[str, str] | None = None
) -> tuple[BlocksView, ...]:
    """The number of blocks of each series, and the range of their medians."""
    found = []
    for one in measurement.series:
        if one.unavailable:
            continue
        own = [block for block in blocks if block["series"] == one.key]
        good = [block for block in own if not block["error"] and block["n"]]
        middles = [float(block["p50_us"]) for block in good]
        tails = [float(block["p99_us"]) for block in good]
        figures = (min(middles), median(middles), max(middles), median(tails)) if good else (None,) * 4
        texts = [micros(value) if value is not None else NOTHING for value in figures]
        label = one.key if "/" in one.key else label_of(one)
        mode = mode_of(one.column, modes)
        found.append(BlocksView(one.key, label, mode, dash_of(one.path), len(own), len(own) - len(good), *texts))
    return tuple(found)
