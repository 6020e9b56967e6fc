"""Figures with their references, intervals and promises. Pure: samples in, values out."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from statistics import fmean

from dashboard.core.measurements.statistics import bootstrap_interval, median, percentile, small_sample_confidence

SEED = 1
#: In place of a percentile: the mean. For differences of noisy figures, where a median wastes a third of the samples.
MEAN = -1.0


class LimitedValue(StrEnum):
    """The value that a promise limits: the figure itself, or its ratio to the reference."""

    VALUE = "value"
    RATIO = "ratio"


class Verdict(StrEnum):
    """Whether a promise is kept. The figure decides; the interval says how certain that is."""

    KEPT = "kept"
    KEPT_BARELY = "kept, but the interval reaches beyond"
    BROKEN_BARELY = "not kept, but the interval reaches within"
    BROKEN = "not kept"


@dataclass(frozen=True, slots=True)
class Promise:
    """A promise: the value ``of`` is at most ``limit``, and at least ``least`` if that is given."""

    of: LimitedValue
    limit: float
    least: float | None = None

    def allows(self, value: float) -> bool:
        """Whether a value keeps the promise."""
        return value <= self.limit and (self.least is None or value >= self.least)


def at_most(limit: float) -> Promise:
    """The promise that the figure is at most ``limit``."""
    return Promise(LimitedValue.VALUE, limit)


def between(least: float, limit: float) -> Promise:
    """The promise that the figure lies between ``least`` and ``limit``."""
    return Promise(LimitedValue.VALUE, limit, least)


def ratio_at_most(limit: float) -> Promise:
    """The promise that the figure is at most ``limit`` times the reference."""
    return Promise(LimitedValue.RATIO, limit)


def within_factor(factor: float) -> Promise:
    """The promise that neither the figure nor the reference exceeds ``factor`` times the other."""
    return Promise(LimitedValue.RATIO, factor, 1 / factor)


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure. ``value`` and ``reference_value`` are the same ``statistic`` in ``unit``; intervals are 95 %
    bootstrap intervals. Without a reference its fields are None."""

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
class ClaimOutcome:
    """The verdicts of one claim in the runs of a benchmark, without repetitions, and the reason of the last run."""

    id: str
    statement: str
    verdicts: tuple[str, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one benchmark. ``promise`` is a sentence; ``notes`` are facts that a reader needs to judge the
    figures; ``claims`` are the outcomes of the benchmark that runs claims."""

    name: str
    title: str
    promise: str
    figures: tuple[Figure, ...]
    notes: tuple[str, ...] = ()
    claims: tuple[ClaimOutcome, ...] = ()

    @property
    def kept(self) -> bool:
        """Whether every promise of the result is kept."""
        return all(figure.verdict not in {Verdict.BROKEN, Verdict.BROKEN_BARELY} for figure in self.figures)


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


def judge(promise: Promise | None, value: float, interval: tuple[float, float]) -> Verdict | None:
    """The verdict on a figure with its interval; None without a promise."""
    if promise is None:
        return None
    low, high = interval
    if promise.allows(value):
        return Verdict.KEPT if promise.allows(low) and promise.allows(high) else Verdict.KEPT_BARELY
    entirely_outside = low > promise.limit or (promise.least is not None and high < promise.least)
    return Verdict.BROKEN if entirely_outside else Verdict.BROKEN_BARELY


def format_percent(percent: float) -> str:
    """The name of a statistic, such as ``median``, ``p99`` or ``mean``."""
    return {50: "median", MEAN: "mean"}.get(percent, f"p{percent:g}")


def _statistic(values: Sequence[float], percent: float) -> float:
    return fmean(values) if percent == MEAN and values else percentile(values, percent)


def figure(
    name: str, unit: str, values: Sequence[float], *, percent: float = 50, promise: Promise | None = None
) -> Figure:
    """A percentile of ``values``, or their ``MEAN``, without a reference. Raises ValueError without values."""
    value = _statistic(values, percent)
    ci95 = interval_of(values, lambda drawn: _statistic(drawn, percent))
    verdict = judge(promise, value, ci95)
    return Figure(name, format_percent(percent), unit, len(values), value, ci95, promise=promise, verdict=verdict)


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
    """A percentile (or ``MEAN``) of the first values of the pairs, compared with that of the second values, the
    reference.

    The interval of the ratio resamples pairs, so that a disturbance of both does not widen it. ``paired``: the ratio is
    the median of the pairs' ratios, for a machine that changes between several states, each longer than a pair.
    """

    def ratio(drawn: Sequence[tuple[float, float]]) -> float:
        if paired:
            return median([ours / theirs if theirs else float("inf") for ours, theirs in drawn])
        below = _statistic([theirs for _, theirs in drawn], percent)
        return _statistic([ours for ours, _ in drawn], percent) / below if below else float("inf")

    of_value = promise if promise is not None and promise.of is LimitedValue.VALUE else None
    of_ratio = promise if of_value is None else None
    alone = figure(name, unit, [ours for ours, _ in pairs], percent=percent, promise=of_value)
    whole, ratio_ci95 = ratio(pairs), interval_of(pairs, ratio)
    return replace(
        alone,
        reference=reference,
        reference_value=_statistic([theirs for _, theirs in pairs], percent),
        ratio=whole,
        ratio_ci95=ratio_ci95,
        promise=promise,
        verdict=alone.verdict or judge(of_ratio, whole, ratio_ci95),
    )


def percentiles_compared(
    name: str, unit: str, pairs: Sequence[tuple[float, float]], reference: str, promises: dict[float, Promise | None]
) -> list[Figure]:
    """A figure for each percentile, with its promise."""
    return [
        compared(name, unit, pairs, reference, percent=percent, promise=promise)
        for percent, promise in promises.items()
    ]


def share(name: str, happened: Sequence[bool], promise: Promise | None = None) -> Figure:
    """The share of runs with an event, as a figure per 100 runs."""
    return figure(name, "% of runs", [100.0 * each for each in happened], percent=MEAN, promise=promise)


def spread(values: Sequence[float]) -> str:
    """Minimum, median and maximum, for a note."""
    return f"{min(values):.3g} … {median(values):.3g} … {max(values):.3g}"


def interval_of[T](samples: Sequence[T], statistic: Callable[[Sequence[T]], float]) -> tuple[float, float]:
    """The 95 % interval, corrected for few samples. Seeded: the same samples give the same interval on every
    machine."""
    source = random.Random(SEED)  # noqa: S311 - nothing secret
    confidence = small_sample_confidence(0.95, len(samples))
    found = bootstrap_interval(samples, statistic, source, confidence=confidence)
    return found.low, found.high
