"""What the figures mean: median, percentiles, and bootstrap intervals, in plain Python."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a statistic lies, with the confidence that was asked for; both ends belong to it."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


def percentile(values: Iterable[float], percent: float) -> float:
    """The value below which ``percent`` (0 to 100) of ``values`` lie, interpolated linearly.

    Of n sorted values x[0]…x[n-1] it is the value at position (n-1)·percent/100, where a position between
    two values lies proportionally between them (definition 7 of Hyndman and Fan, "Sample quantiles in
    statistical packages", 1996; numpy's default). ValueError without values or beside 0 to 100.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("a percentile of nothing")
    if not 0 <= percent <= 100:
        raise ValueError(f"{percent} is not between 0 and 100")
    position = (len(ordered) - 1) * percent / 100
    below = int(position)
    if below + 1 == len(ordered):
        return ordered[below]
    share = position - below
    low, high = ordered[below], ordered[below + 1]
    # Not low + share * (high - low): that leaves the two values' range where the difference overflows or rounds.
    return low if low == high else min(max(low * (1 - share) + high * share, low), high)


def median(values: Iterable[float]) -> float:
    """The middle value, or the mean of the two in the middle. ValueError without values."""
    return percentile(values, 50)


def bootstrap_interval[T](
    samples: Sequence[T],
    statistic: Callable[[Sequence[T]], float],
    source: random.Random,
    *,
    confidence: float = 0.95,
    rounds: int = 2000,
) -> Interval:
    """The percentile bootstrap interval of ``statistic`` (Efron, 1979).

    ``samples`` are drawn anew with replacement ``rounds`` times; the interval holds the middle
    ``confidence`` of what ``statistic`` says of them. ``source`` decides: the same seed, the same interval.
    Samples that belong together are given as one, e.g. as a pair. ValueError without samples.
    """
    if not samples:
        raise ValueError("an interval of nothing")
    found = [statistic(source.choices(samples, k=len(samples))) for _ in range(rounds)]
    outside = (1 - confidence) / 2 * 100
    return Interval(percentile(found, outside), percentile(found, 100 - outside))


def ratio_of_medians(pairs: Sequence[tuple[float, float]]) -> float:
    """The median of the first ones over the median of the second ones; inf if that is 0."""
    below = median(other for _, other in pairs)
    return median(one for one, _ in pairs) / below if below else float("inf")
