"""Verdicts from blocks: paired differences with their intervals, and when a run may stop."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dashboard.core.measurements.formatting import signed
from dashboard.core.measurements.measurement import MAX_BLOCKS, Block, Options, Stop
from dashboard.core.measurements.statistics import (
    Interval,
    median,
    middle_interval,
    resampled_medians,
    small_sample_confidence,
)

MIN_ROUNDS = 10
MIN_ROUNDS_TO_STOP = 20
MIN_FOR_P99 = 200
CONFIDENCE = 0.95
#: A verdict needs a higher confidence than the displayed interval, because a run has several comparisons.
VERDICT_CONFIDENCE = 0.99
_SMALLEST_MARGIN_US = 0.2
_MARGIN_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class Slower:
    """The compared path is slower than the baseline by ``by_us``, at the median."""

    by_us: float


@dataclass(frozen=True, slots=True)
class Faster:
    """The compared path is faster than the baseline by ``by_us``, at the median."""

    by_us: float


@dataclass(frozen=True, slots=True)
class Same:
    """The paths do not differ by more than ``within_us``, which is within the margin."""

    within_us: float


@dataclass(frozen=True, slots=True)
class Inconclusive:
    """The blocks prove neither that the paths differ nor that they do not. ``reason`` is a sentence without its full
    stop."""

    reason: str


Verdict = Slower | Faster | Same | Inconclusive


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict on paired differences. ``rounds`` is the number of pairs. ``delta_us`` is the median of the
    differences, None without pairs. ``ci95_us`` is its 95 % interval, None with fewer than ``MIN_ROUNDS`` pairs.
    ``p99_delta_us`` and ``p99_ci95_us`` are the same for the p99 of the blocks."""

    verdict: Verdict
    rounds: int
    delta_us: float | None = None
    ci95_us: Interval | None = None
    p99_delta_us: float | None = None
    p99_ci95_us: Interval | None = None


def default_margin(baseline_us: float) -> float:
    """Returns the largest difference in µs that does not matter: 1 % of the baseline's median, but at least 0.2 µs."""
    return max(_SMALLEST_MARGIN_US, _MARGIN_SHARE * baseline_us)


def pair_blocks(baseline: Sequence[Block], other: Sequence[Block]) -> list[tuple[Block, Block]]:
    """Returns pairs (baseline, other) of valid blocks of the same round, in the order of the rounds."""
    others = {one.round: one for one in other if one.counts}
    mine = {one.round: one for one in baseline if one.counts}
    return [(mine[number], others[number]) for number in sorted(mine.keys() & others.keys())]


def _between(medians: Sequence[float], size: int, confidence: float) -> Interval:
    return middle_interval(medians, small_sample_confidence(confidence, size))


def median_interval(
    differences: Sequence[float], source: random.Random, *, confidence: float = CONFIDENCE, rounds: int = 2000
) -> Interval:
    """Returns the bootstrap interval of the median of paired differences, corrected for small samples. ``rounds`` is
    the number of resamples."""
    return _between(resampled_medians(differences, source, rounds), len(differences), confidence)


def judge_differences(
    differences: Sequence[float], margin_us: float, source: random.Random, *, rounds: int = 2000
) -> Judgement:
    """Returns the verdict on paired differences (other minus baseline, in µs). Differences of up to ``margin_us`` do
    not matter. ``rounds`` is the number of resamples."""
    count = len(differences)
    if count == 0:
        return Judgement(Inconclusive("no round has a valid block of both paths"), 0)
    delta = median(differences)
    if count < MIN_ROUNDS:
        reason = f"only {count} paired block{'s' if count > 1 else ''}; {MIN_ROUNDS} are needed"
        return Judgement(Inconclusive(reason), count, delta)
    medians = resampled_medians(differences, source, rounds)
    interval = _between(medians, count, CONFIDENCE)
    strict = _between(medians, count, VERDICT_CONFIDENCE)
    return Judgement(decide(delta, interval, strict, margin_us), count, delta, interval)


def decide(delta: float, interval: Interval, strict: Interval, margin: float) -> Verdict:
    """Returns the verdict on a difference. ``interval`` is its 95 % interval, ``strict`` its 99 % interval. Differences
    of up to ``margin`` do not matter."""
    if -margin <= interval.low and interval.high <= margin:
        return Same(max(abs(interval.low), abs(interval.high)))
    if strict.low > 0 and delta >= margin:
        return Slower(delta)
    if strict.high < 0 and delta <= -margin:
        return Faster(-delta)
    text = f"the interval from {signed(interval.low, 2)} to {signed(interval.high, 2)} µs"
    if 0 in interval:
        return Inconclusive(f"{text} spans zero and is wider than ±{margin:.2f} µs")
    if 0 in strict:
        return Inconclusive(f"{text} is not significant at 99 %")
    return Inconclusive(f"{text} exceeds ±{margin:.2f} µs, but its median does not")


def judge_blocks(
    baseline: Sequence[Block],
    other: Sequence[Block],
    *,
    margin_us: float | None = None,
    seed: int = 1,
    rounds: int = 2000,
) -> Judgement:
    """Compares the blocks of ``other`` with those of ``baseline``, paired by round. ``margin_us`` is the largest
    negligible difference, None for ``default_margin``. The same blocks and seed give the same interval."""
    pairs = pair_blocks(baseline, other)
    differences = [two.center_us - one.center_us for one, two in pairs]
    margin = margin_us or default_margin(median(one.center_us for one, _ in pairs) if pairs else 0.0)
    found = judge_differences(differences, margin, random.Random(seed), rounds=rounds)  # noqa: S311 - statistics
    tails = [two.p99_us - one.p99_us for one, two in pairs if min(one.n, two.n) >= MIN_FOR_P99]
    if not tails:
        return found
    p99 = None
    if len(tails) >= MIN_ROUNDS:
        p99 = median_interval(tails, random.Random(seed + 1), rounds=rounds)  # noqa: S311 - statistics
    return Judgement(found.verdict, found.rounds, found.delta_us, found.ci95_us, median(tails), p99)


def name_of(verdict: Verdict) -> str:
    """Returns the name of a verdict: ``slower``, ``faster``, ``same`` or ``inconclusive``."""
    return type(verdict).__name__.lower()


def reason_of(judgement: Judgement) -> str:
    """Returns the reason of a verdict with its figures, as a sentence without its full stop."""
    match judgement.verdict:
        case Slower(by_us=by):
            return f"slower by {by:.2f} µs: the interval lies above zero"
        case Faster(by_us=by):
            return f"faster by {by:.2f} µs: the interval lies below zero"
        case Same(within_us=within):
            return f"no difference beyond {within:.2f} µs"
        case Inconclusive(reason=reason):
            return reason


def is_check_due(rounds: int) -> bool:
    """Whether the intervals are checked after this number of rounds. They are checked after 20 rounds, then each time
    that the number has grown by a tenth.

    Checks are few, and they end a run only if its intervals are narrow, never because a difference appears. With more
    checks, or a stop at the first difference, runs would find differences that do not exist.
    """
    if rounds < MIN_ROUNDS_TO_STOP:
        return False
    due = MIN_ROUNDS_TO_STOP
    while due < rounds:
        due += max(1, due // 10)
    return due == rounds


def decide_stop(
    blocks: Mapping[str, Sequence[Block]],
    baselines: Mapping[str, str],
    options: Options,
    *,
    rounds: int,
    elapsed_s: float,
) -> Stop | None:
    """Returns why the run must end after ``rounds`` complete rounds; None if it continues.

    ``baselines`` maps keys of series to the keys of their baselines. The reason is TIME if the time limit has passed,
    or if another round could exceed ``MAX_BLOCKS``. It is NARROW if the 99 % interval of every series against its
    baseline is at most ``options.width_us`` wide. Series without a valid block are ignored.

    The displayed 95 % interval is not used here. If it were, runs would tend to end when this interval is narrow by
    chance: in simulations, it then covered the true value in 93 of 100 runs, not in 95.
    """
    if elapsed_s >= options.seconds or sum(map(len, blocks.values())) + len(blocks) > MAX_BLOCKS:
        return Stop.TIME
    if options.width_us is None or not is_check_due(rounds):
        return None
    widths = []
    for key, own in blocks.items():
        baseline = baselines.get(key, key)
        if key == baseline or not any(one.counts for one in own):
            continue
        pairs = pair_blocks(blocks.get(baseline, ()), own)
        if len(pairs) < MIN_ROUNDS_TO_STOP:
            return None
        differences = [two.center_us - one.center_us for one, two in pairs]
        interval = median_interval(
            differences,
            random.Random(rounds),  # noqa: S311 - statistics
            confidence=VERDICT_CONFIDENCE,
            rounds=500,
        )
        widths.append(interval.high - interval.low)
    return Stop.NARROW if widths and max(widths) <= options.width_us else None
