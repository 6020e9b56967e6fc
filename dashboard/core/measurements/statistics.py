"""Medians, percentiles and bootstrap intervals, in plain Python."""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval, including both ends."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


def ends_of(interval: Interval | None) -> tuple[float, float] | None:
    """Returns both ends of an interval; None if there is no interval."""
    return None if interval is None else (interval.low, interval.high)


def percentile(values: Iterable[float], percent: float) -> float:
    """Returns the value below which ``percent`` (0 to 100) percent of ``values`` lie, interpolated linearly.

    Of n sorted values x[0]…x[n-1] it is the value at position (n-1)·percent/100; a position between two values is
    interpolated between them (definition 7 of Hyndman and Fan, "Sample quantiles in statistical packages", 1996;
    numpy's default). Raises ValueError without values, or if ``percent`` is not between 0 and 100.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("a percentile needs at least one value")
    if not 0 <= percent <= 100:
        raise ValueError(f"{percent} is not between 0 and 100")
    position = (len(ordered) - 1) * percent / 100
    below = int(position)
    if below + 1 == len(ordered):
        return ordered[below]
    share = position - below
    low, high = ordered[below], ordered[below + 1]
    # Not low + share * (high - low), which can leave the range of the two values by overflow or rounding.
    return low if low == high else min(max(low * (1 - share) + high * share, low), high)


def median(values: Iterable[float]) -> float:
    """Returns the middle value, or the mean of the two middle ones. Raises ValueError if ``values`` is empty."""
    return percentile(values, 50)


def middle_interval(values: Sequence[float], confidence: float) -> Interval:
    """Returns the interval that holds the middle ``confidence`` (0 to 1) of ``values``."""
    outside = (1 - confidence) / 2 * 100
    return Interval(percentile(values, outside), percentile(values, 100 - outside))


def bootstrap_interval[T](
    samples: Sequence[T],
    statistic: Callable[[Sequence[T]], float],
    source: random.Random,
    *,
    confidence: float = 0.95,
    rounds: int = 2000,
) -> Interval:
    """Returns the percentile bootstrap interval of ``statistic`` (Efron, 1979).

    ``samples`` are resampled with replacement ``rounds`` times. The interval holds the middle ``confidence`` (0 to 1)
    of the values of ``statistic``. The same seed of ``source`` gives the same interval. Samples that belong together,
    such as a pair, must be passed as one. Raises ValueError without samples.
    """
    if not samples:
        raise ValueError("an interval needs at least one sample")
    return middle_interval([statistic(source.choices(samples, k=len(samples))) for _ in range(rounds)], confidence)


def resampled_medians(samples: Sequence[float], source: random.Random, rounds: int = 2000) -> list[float]:
    """Returns the sorted medians of ``rounds`` bootstrap resamples. They are the same as in ``bootstrap_interval`` with
    ``median``, but are computed in a tenth of the time. Raises ValueError without samples."""
    if not samples:
        raise ValueError("a median needs at least one sample")
    size = len(samples)
    half, odd = divmod(size, 2)
    found = []
    for _ in range(rounds):
        drawn = sorted(source.choices(samples, k=size))
        found.append(drawn[half] if odd else (drawn[half - 1] + drawn[half]) / 2)
    found.sort()
    return found


def rank_interval(values: Sequence[float], confidence: float = 0.95) -> Interval | None:
    """Returns a confidence interval of the median that is valid for any distribution (the inverted sign test). Its ends
    are two of the values. It covers the median with at least ``confidence``. None with too few values (95 % needs
    6)."""
    ordered, size, outside = sorted(values), len(values), (1 - confidence) / 2
    if size > 500:  # normal approximation of the binomial distribution
        place = int((size - NormalDist().inv_cdf(1 - outside) * size**0.5) / 2)
        return Interval(ordered[place - 1], ordered[size - place])
    below = term = 0.5**size
    if size == 0 or below > outside:
        return None
    place = 0
    while below <= outside:
        place += 1
        term *= (size - place + 1) / place
        below += term
    return Interval(ordered[place - 1], ordered[size - place])


def small_sample_confidence(confidence: float, size: int) -> float:
    """Returns the confidence to request from a percentile bootstrap of ``size`` samples so that it really covers
    ``confidence``. 1.0 for fewer than 3 samples.

    The plain percentile interval is too narrow by the factor sqrt((n-1)/n). It is also too narrow because it uses
    normal instead of Student quantiles (Hesterberg, "What teachers should know about the bootstrap", 2015, section
    5.3).
    """
    if size < 3:
        return 1.0
    normal = NormalDist()
    z = -normal.inv_cdf((1 - confidence) / 2)
    df = size - 1
    # Student's quantile by its Cornish-Fisher expansion (Abramowitz and Stegun, 26.7.5).
    t = (
        z
        + (z**3 + z) / (4 * df)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * df**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * df**3)
    )
    return 1 - 2 * normal.cdf(-t * (size / df) ** 0.5)
