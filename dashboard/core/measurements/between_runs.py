"""Differences between two runs that did not take turns: before and after, this machine and that one.

Blocks of one run stand in no pairs with those of another, so each run's blocks are drawn anew for themselves: a
bootstrap of clusters, since the requests of one block share its moment (Davison and Hinkley, "Bootstrap methods and
their application", 1997, section 3.8). Whatever differs from run to run and not from block to block, such as another
temperature, neighbour or layout of memory, is in the difference and in no interval: ``DRIFT_SENTENCE`` says so
wherever a figure stands, and a difference that is not larger than what moved inside one of the runs is not decided.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from dashboard.core.measurements.statistics import Interval, median, percentile, resampled_medians
from dashboard.core.measurements.verdicts import (
    CONFIDENCE,
    LEAST_FOR_P99,
    LEAST_ROUNDS,
    VERDICT_CONFIDENCE,
    Inconclusive,
    Verdict,
    decide,
    default_margin,
)

#: So often are the blocks drawn anew: long runs less often, since that takes longer and their intervals are narrow.
LEAST_DRAWS, MOST_DRAWS, DRAWN_VALUES = 400, 2000, 200_000
#: A run is cut into so many stretches to see how far its median moved.
STRETCHES = 4
DRIFT_SENTENCE = (
    "The runs did not take turns: what changed between them, such as load, clock speed or where the processes ran, is "
    "in the difference and not in its interval."
)


class Timed(Protocol):
    """What is needed of a block, as in ``core.measurements.measurement``."""

    @property
    def round(self) -> int:
        """Its place in the order of the run."""

    @property
    def n(self) -> int:
        """How many requests it timed."""

    @property
    def center_us(self) -> float:
        """What is compared."""

    @property
    def p99_us(self) -> float:
        """Its tail."""

    @property
    def counts(self) -> bool:
        """Whether it takes part."""


@dataclass(frozen=True, slots=True)
class Between:
    """The difference of the medians, later minus earlier, with its 95 % interval (None with fewer than
    ``LEAST_ROUNDS`` blocks in one of them). ``drift_us``: how far the median moved inside one run, the larger of the
    two; None where blocks are too few to say. ``p99`` fields: the same of the blocks' p99. ``blocks`` of each."""

    verdict: Verdict
    blocks: tuple[int, int]
    delta_us: float | None = None
    ci95_us: Interval | None = None
    drift_us: float | None = None
    p99_delta_us: float | None = None
    p99_ci95_us: Interval | None = None


def _resampled(before: Sequence[float], after: Sequence[float], source: random.Random, rounds: int) -> list[float]:
    ones, others = resampled_medians(before, source, rounds), resampled_medians(after, source, rounds)
    source.shuffle(others)  # both come sorted
    return sorted(other - one for one, other in zip(ones, others, strict=True))


def _ends(differences: Sequence[float], confidence: float) -> Interval:
    outside = (1 - confidence) / 2 * 100
    return Interval(percentile(differences, outside), percentile(differences, 100 - outside))


def difference_interval(
    before: Sequence[float],
    after: Sequence[float],
    source: random.Random,
    *,
    confidence: float = CONFIDENCE,
    rounds: int = 2000,
) -> Interval:
    """The percentile bootstrap interval of the difference of two medians.

    Without a correction for few values: simulated from 12 values on it covers the truth in 95 to 97 of 100, with the
    one that paired differences need it would cover it in 97 to 98.
    """
    return _ends(_resampled(before, after, source, rounds), confidence)


def drift_of(values: Sequence[float]) -> float | None:
    """How far the medians of a run's stretches lie apart; None with fewer than ``LEAST_ROUNDS`` in each."""
    size = len(values) // STRETCHES
    if size < LEAST_ROUNDS:
        return None
    middles = [median(values[number * size : (number + 1) * size]) for number in range(STRETCHES)]
    return max(middles) - min(middles)


def compare_blocks(
    before: Sequence[Timed], after: Sequence[Timed], *, margin_us: float | None = None, seed: int = 1
) -> Between:
    """What two runs of the same series say about each other; the same blocks and seed, the same interval."""
    ones = sorted((one for one in before if one.counts), key=lambda one: one.round)
    others = sorted((one for one in after if one.counts), key=lambda one: one.round)
    sizes = (len(ones), len(others))
    if not all(sizes):
        return Between(Inconclusive("one of the runs has no block that counts"), sizes)
    mine, theirs = [one.center_us for one in ones], [one.center_us for one in others]
    delta = median(theirs) - median(mine)
    if min(sizes) < LEAST_ROUNDS:
        return Between(Inconclusive(f"only {min(sizes)} blocks in one run; {LEAST_ROUNDS} are needed"), sizes, delta)
    source = random.Random(seed)  # noqa: S311 - statistics
    rounds = min(MOST_DRAWS, max(LEAST_DRAWS, DRAWN_VALUES // sum(sizes)))
    drawn = _resampled(mine, theirs, source, rounds)
    interval = _ends(drawn, CONFIDENCE)
    margin = margin_us or default_margin(median(mine))
    verdict = decide(delta, interval, _ends(drawn, VERDICT_CONFIDENCE), margin)
    drift = max((one for one in (drift_of(mine), drift_of(theirs)) if one is not None), default=None)
    if drift is not None and margin < abs(delta) <= drift and not isinstance(verdict, Inconclusive):
        verdict = Inconclusive(f"the median moved by {drift:.2f} µs inside one of the runs")
    tails = [[one.p99_us for one in run if one.n >= LEAST_FOR_P99] for run in (ones, others)]
    if min(len(one) for one in tails) < LEAST_ROUNDS:
        return Between(verdict, sizes, delta, interval, drift)
    tail = difference_interval(tails[0], tails[1], source, rounds=rounds)
    return Between(verdict, sizes, delta, interval, drift, median(tails[1]) - median(tails[0]), tail)
