"""Axes of charts: ticks at round numbers on a linear or logarithmic scale, and the positions of values."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dashboard.core.measurements.formatting import signed

#: Bounds of an axis, since imported reports may contain any value.
MOST, LEAST = 1e12, 1e-12
#: An interval is drawn up to this multiple of the greatest difference, so that one disturbed path leaves room for the
#: others.
MAX_REACH = 3.0


@dataclass(frozen=True, slots=True)
class Tick:
    """A tick of an axis. ``at`` is its position as a percentage (see ``place``), ``text`` its label."""

    at: str
    text: str


def place(value: float) -> str:
    """Formats a fraction of an axis (0 to 1) as a percentage for SVG: ``12.50%``, independent of the locale."""
    return f"{value * 100:.2f}%"


def choose_ticks(low: float, high: float, wanted: int = 4) -> tuple[float, ...]:
    """Returns round numbers at equal distances that cover the range from ``low`` to ``high``, in about ``wanted``
    steps. A step is 1, 2 or 5 times a power of ten."""
    width = (high - low) or 1.0
    rough = width / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return tuple(number * step for number in range(first, max(last, first + 1) + 1))


def _bound(value: float) -> float:
    return min(max(value, -MOST), MOST) if abs(value) > LEAST else 0.0


def _tick_text(value: float, step: float) -> str:
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    return signed(value, digits)


def lay_out_axis(values: Sequence[float]) -> tuple[Callable[[float], str], str, tuple[Tick, ...]]:
    """Returns an axis that contains ``values`` and zero. The result has three parts: a function from a value to its
    position, the position of zero, and the ticks. Values beyond the axis get the position of its end."""
    bounded = [_bound(value) for value in values]
    numbers = choose_ticks(min(0.0, *bounded), max(0.0, *bounded))
    low, width, step = numbers[0], numbers[-1] - numbers[0], numbers[1] - numbers[0]

    def at(value: float) -> str:
        return place(min(max((_bound(value) - low) / width, 0.0), 1.0))

    return at, at(0.0), tuple(Tick(at(value), _tick_text(value, step)) for value in numbers)


@dataclass(frozen=True, slots=True)
class DifferenceAxis:
    """The axis of a chart of differences. ``at`` returns the position of a value, ``zero`` is the position of zero. An
    interval is cut off at -``reach`` and ``reach``."""

    at: Callable[[float], str]
    zero: str
    ticks: tuple[Tick, ...]
    reach: float

    def cut(self, interval: tuple[float, float]) -> str:
        """Returns the sides on which an interval is cut off: ``low``, ``high``, ``low high``, or an empty text."""
        low, high = interval
        return " ".join(["low"] * (low < -self.reach) + ["high"] * (high > self.reach))


def lay_out_differences(values: Sequence[float], intervals: Sequence[tuple[float, float]]) -> DifferenceAxis:
    """Returns an axis for differences and their intervals. The axis contains every value, but intervals only up to its
    ``reach``. The reach is ``MAX_REACH`` times the largest absolute value, or times the median of the absolute ends of
    the intervals if that is larger."""
    ends = sorted(abs(end) for interval in intervals for end in interval)
    reach = MAX_REACH * max([*map(abs, values), ends[(len(ends) - 1) // 2]])
    shown = [min(max(end, -reach), reach) for interval in intervals for end in interval]
    return DifferenceAxis(*lay_out_axis([*values, *shown]), reach)


def log_ticks(low: float, high: float) -> tuple[float, ...]:
    """Returns ticks of a logarithmic axis that cover the range from ``low`` to ``high``. Both must be greater than 0.
    Powers of ten are ticks. On an axis of up to two decades, 2 and 5 times each power are ticks, too. On an axis of
    three decades, 3 times each power is a tick, too. The axis covers only the part of the range from ``LEAST`` to
    ``MOST``."""
    low, high = (min(max(value, LEAST), MOST) for value in (low, high))
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    factors = (1.0, 2.0, 5.0) if last - first <= 2 else (1.0, 3.0) if last - first <= 3 else (1.0,)
    found = [factor * 10.0**power for power in range(first, last + 1) for factor in factors]
    start = max((number for number, value in enumerate(found) if value <= low), default=0)
    end = next((number for number, value in enumerate(found) if value >= high), len(found) - 1)
    return tuple(found[start : max(end, start + 1) + 1])
