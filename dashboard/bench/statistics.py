"""Figures with their references, intervals and promises. Pure: samples in, values out."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import fmean

from dashboard.core.measurements.statistics import (
    Interval,
    bootstrap_interval,
    median,
    percentile,
    small_sample_confidence,
)

SEED = 1


class Of(StrEnum):
    """What a promise limits: the figure itself, or its ratio to the reference."""

    VALUE = "value"
    RATIO = "ratio"
    APART = "apart"  # the ratio, whichever way round it is greater


class Verdict(StrEnum):
    """Whether a promise is kept. The figure decides; the interval says how sure that is."""

    KEPT = "kept"
    KEPT_BARELY = "kept, but the interval reaches beyond"
    BROKEN_BARELY = "not kept, but the interval reaches within"
    BROKEN = "not kept"


@dataclass(frozen=True, slots=True)
class Promise:
    """At most ``limit``, and at least ``least`` where that is given."""

    of: Of
    limit: float
    least: float | None = None

    def allows(self, value: float) -> bool:
        """Whether a value keeps it."""
        return value <= self.limit and (self.least is None or value >= self.least)


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure. ``value`` and ``reference_value`` are the same ``statistic`` in ``unit``;
    intervals are 95 % bootstrap intervals; what was not compared is None."""

    name: str
    statistic: str
    unit: str
    n: int
    value: float
    ci95: tuple[float, float]
    reference: str = ""
    reference_value: float | None = None
    ratio: float | None = None
    ratio_ci95: tuple[float, float] | None = None
    promise: Promise | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What one benchmark found. ``promise`` in words; ``notes`` are what a reader must know besides."""

    name: str
    title: str
    promise: str
    figures: tuple[Figure, ...]
    notes: tuple[str, ...] = ()

    @property
    def kept(self) -> bool:
        """Whether every promise in it is kept."""
        return all(one.verdict not in {Verdict.BROKEN, Verdict.BROKEN_BARELY} for one in self.figures)


@dataclass(frozen=True, slots=True)
class Report:
    """``bench/1``: all benchmarks of a run. ``failed`` maps a benchmark that could not be run to the reason."""

    date: str
    machine: dict[str, str]
    results: tuple[Result, ...]
    failed: dict[str, str] = field(default_factory=dict)
    quick: bool = False
    kept: bool = True
    schema: str = "bench/1"


def judge(promise: Promise, value: float, interval: tuple[float, float]) -> Verdict:
    """The verdict on a figure with its interval."""
    low, high = interval
    if promise.allows(value):
        return Verdict.KEPT if promise.allows(low) and promise.allows(high) else Verdict.KEPT_BARELY
    whole_beyond = low > promise.limit or (promise.least is not None and high < promise.least)
    return Verdict.BROKEN if whole_beyond else Verdict.BROKEN_BARELY


#: In place of a percentile: the mean, for differences of noisy figures, of which the median wastes a third.
MEAN = -1.0


def say_percent(percent: float) -> str:
    """``median``, ``p99`` or ``mean``."""
    return {50: "median", MEAN: "mean"}.get(percent, f"p{percent:g}")


def _statistic(values: Sequence[float], percent: float) -> float:
    return fmean(values) if percent == MEAN and values else percentile(values, percent)


def figure(
    name: str, unit: str, values: Sequence[float], *, percent: float = 50, promise: Promise | None = None
) -> Figure:
    """A percentile of ``values``, or their ``MEAN``, without a reference. ValueError if there are none."""
    value = _statistic(values, percent)
    found = _interval(values, lambda drawn: _statistic(drawn, percent))
    ci95 = (found.low, found.high)
    verdict = judge(promise, value, ci95) if promise is not None else None
    return Figure(name, say_percent(percent), unit, len(values), value, ci95, promise=promise, verdict=verdict)


def compared(
    name: str,
    unit: str,
    pairs: Sequence[tuple[float, float]],
    reference: str,
    *,
    percent: float = 50,
    promise: Promise | None = None,
    paired: bool = False,
) -> Figure:
    """A percentile (or ``MEAN``) of the first ones beside that of the second ones, measured in turn with them.

    The interval of the ratio draws pairs, so that what disturbs both does not widen it. ``paired``: the ratio is the
    median of the pairs' ratios, where the machine has several states and each holds for a pair.
    """

    def ratio(drawn: Sequence[tuple[float, float]]) -> float:
        if paired:
            return median([one / other if other else float("inf") for one, other in drawn])
        below = _statistic([other for _, other in drawn], percent)
        return _statistic([one for one, _ in drawn], percent) / below if below else float("inf")

    alone = figure(name, unit, [one for one, _ in pairs], percent=percent)
    found = _interval(pairs, ratio)
    whole, ratio_ci95 = ratio(pairs), (found.low, found.high)
    verdict = None
    if promise is not None:
        limited = {
            Of.VALUE: (alone.value, alone.ci95),
            Of.RATIO: (whole, ratio_ci95),
            Of.APART: (_apart(whole), _furthest(ratio_ci95)),
        }
        verdict = judge(promise, *limited[promise.of])
    return Figure(
        name,
        alone.statistic,
        unit,
        len(pairs),
        alone.value,
        alone.ci95,
        reference,
        _statistic([other for _, other in pairs], percent),
        whole,
        ratio_ci95,
        promise,
        verdict,
    )


def share(name: str, happened: Sequence[bool], promise: Promise | None = None) -> Figure:
    """In how many of 100 runs something happened."""
    return figure(name, "% of runs", [100.0 * one for one in happened], percent=MEAN, promise=promise)


def _apart(ratio: float) -> float:
    return max(ratio, 1 / ratio) if ratio else float("inf")


def _furthest(ratios: tuple[float, float]) -> tuple[float, float]:
    """The least and the most that the two can be apart."""
    low, high = ratios
    ends = (_apart(low), _apart(high))
    return (1.0 if low <= 1 <= high else min(ends), max(ends))


def spread(values: Sequence[float]) -> str:
    """Least, middle and most, for a note."""
    return f"{min(values):.3g} … {median(values):.3g} … {max(values):.3g}"


def _interval[T](samples: Sequence[T], statistic: Callable[[Sequence[T]], float]) -> Interval:
    """95 %, allowing for few samples. Seeded: the same samples give the same interval on every machine."""
    source = random.Random(SEED)  # noqa: S311 - nothing secret
    return bootstrap_interval(samples, statistic, source, confidence=small_sample_confidence(0.95, len(samples)))
