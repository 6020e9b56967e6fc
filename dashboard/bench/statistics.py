"""Figures with references, confidence intervals and promises. Pure functions of samples."""

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
    """What a promise limits: the value of the figure, or its ratio to the reference."""

    VALUE = "value"
    RATIO = "ratio"


class Verdict(StrEnum):
    """Whether a promise is kept. The value decides; the confidence interval shows how certain that is."""

    KEPT = "kept"
    KEPT_BARELY = "kept, but the interval reaches beyond"
    BROKEN_BARELY = "not kept, but the interval reaches within"
    BROKEN = "not kept"


@dataclass(frozen=True, slots=True)
class Promise:
    """A promise that a number is at most ``limit`` and at least ``least`` (None: no lower limit). ``of`` states which
    number: the value of a figure, or the ratio of that value to the reference."""

    of: LimitedValue
    limit: float
    least: float | None = None

    def allows(self, value: float) -> bool:
        """Whether this value or ratio keeps the promise."""
        return value <= self.limit and (self.least is None or value >= self.least)


def at_most(limit: float) -> Promise:
    """Makes a promise that the value is at most ``limit``."""
    return Promise(LimitedValue.VALUE, limit)


def between(least: float, limit: float) -> Promise:
    """Makes a promise that the value is between ``least`` and ``limit``."""
    return Promise(LimitedValue.VALUE, limit, least)


def ratio_at_most(limit: float) -> Promise:
    """Makes a promise that the value is at most ``limit`` times that of the reference."""
    return Promise(LimitedValue.RATIO, limit)


def within_factor(factor: float) -> Promise:
    """Makes a promise that the values of the figure and of the reference differ at most by this factor, in either
    direction."""
    return Promise(LimitedValue.RATIO, factor, 1 / factor)


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure. ``value`` is the ``statistic`` of ``n`` samples, in ``unit``. ``reference`` is the name of
    the reference, and ``reference_value`` is the same statistic of its samples. ``ci95`` and ``ratio_ci95`` are 95 %
    bootstrap intervals. Without a reference, ``reference`` is empty, and the fields about its value and the ratio are
    None."""

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
    """The outcome of one claim in the runs of a benchmark: its different verdicts, and the last run's reason."""

    id: str
    statement: str
    verdicts: tuple[str, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one benchmark. ``promise`` is a phrase that states what is promised. ``notes`` are facts that a
    reader needs to judge the figures. ``claims`` are the outcomes of claims; empty unless the benchmark runs claims."""

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
    """The results of all benchmarks of a run, in the schema ``bench/1``. ``failed`` maps each benchmark that could not
    be run to the reason."""

    date: str
    machine: dict[str, str]
    results: tuple[Result, ...]
    failed: dict[str, str] = field(default_factory=dict)
    quick: bool = False
    kept: bool = True
    schema: str = "bench/1"


def judge(promise: Promise | None, value: float, interval: tuple[float, float]) -> Verdict | None:
    """The verdict on a value and its confidence interval; None if there is no promise."""
    if promise is None:
        return None
    low, high = interval
    if promise.allows(value):
        return Verdict.KEPT if promise.allows(low) and promise.allows(high) else Verdict.KEPT_BARELY
    entirely_outside = low > promise.limit or (promise.least is not None and high < promise.least)
    return Verdict.BROKEN if entirely_outside else Verdict.BROKEN_BARELY


def format_percent(percent: float) -> str:
    """The name of a percentile, such as ``median`` or ``p99``; ``mean`` for ``MEAN``."""
    return {50: "median", MEAN: "mean"}.get(percent, f"p{percent:g}")


def _statistic(values: Sequence[float], percent: float) -> float:
    return fmean(values) if percent == MEAN and values else percentile(values, percent)


def figure(
    name: str, unit: str, values: Sequence[float], *, percent: float = 50, promise: Promise | None = None
) -> Figure:
    """Makes a figure that is compared with no reference: a percentile of ``values``, or their mean if ``percent`` is
    ``MEAN``. Raises ValueError if ``values`` is empty."""
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
    """Makes a figure that is compared with a reference. Each pair contains a sample of the figure and one of the
    reference. The statistic of both is a percentile, or the mean if ``percent`` is ``MEAN``.

    The ratio is the ratio of the two statistics. If ``paired`` is true, it is the median of the ratios of the pairs
    instead. Use this if the machine changes between states that last longer than a pair. For the interval of the ratio,
    pairs are resampled, so that a disturbance of both samples does not widen it.
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
    """Makes a figure with ``compared`` for each percentile. ``promises`` maps each percentile to the promise of its
    figure."""
    return [
        compared(name, unit, pairs, reference, percent=percent, promise=promise)
        for percent, promise in promises.items()
    ]


def share(name: str, happened: Sequence[bool], promise: Promise | None = None) -> Figure:
    """Makes a figure with the percentage of runs in which an event happened. ``happened`` has an element for each
    run."""
    return figure(name, "% of runs", [100.0 * each for each in happened], percent=MEAN, promise=promise)


def spread(values: Sequence[float]) -> str:
    """The minimum, the median and the maximum as text, for a note."""
    return f"{min(values):.3g} … {median(values):.3g} … {max(values):.3g}"


def interval_of[T](samples: Sequence[T], statistic: Callable[[Sequence[T]], float]) -> tuple[float, float]:
    """The 95 % bootstrap interval of a statistic, corrected for few samples. The random numbers are seeded, so the same
    samples give the same interval on every machine."""
    source = random.Random(SEED)  # noqa: S311 - nothing secret
    confidence = small_sample_confidence(0.95, len(samples))
    found = bootstrap_interval(samples, statistic, source, confidence=confidence)
    return found.low, found.high
