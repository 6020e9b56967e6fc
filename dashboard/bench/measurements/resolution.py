"""``resolution``: measures whether a responder that waits 1, 2 or 5 µs longer is detected, and how often the confidence
interval contains the true difference."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dashboard.bench.benchmark import BenchmarkRun
from dashboard.bench.measurements.testbed import Measured, open_testbed
from dashboard.bench.statistics import Figure, Result, between, share, spread
from dashboard.core.measurements.schedule import Series
from dashboard.core.measurements.statistics import median
from dashboard.core.measurements.verdicts import Judgement, Slower, judge_blocks
from dashboard.core.paths.model import PathKind

LIMIT_S = 1800.0
RUNS, QUICK_RUNS, SECONDS = 200, 10, 3.0
#: All arms wait, the baseline the least, so that all execute the same lines and the clock's own cost cancels out.
BASE_NS = 1000
LONGER_US = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Trial:
    """One arm of one run. ``judgement`` compares it with the baseline. ``truth_us`` is the true difference in µs: the
    median wait that the responder measured for the arm, minus the one for the baseline."""

    judgement: Judgement
    truth_us: float

    def covers(self, us: float) -> bool:
        """Whether the confidence interval contains this difference in µs."""
        return self.judgement.ci95_us is not None and us in self.judgement.ci95_us

    @property
    def delta_us(self) -> float:
        """The measured difference in µs; 0 if none was found."""
        return self.judgement.delta_us or 0.0


def arms_of(series: Series) -> tuple[Series, ...]:
    """Returns the arms of a run: series on the same path that differ in how long the responder waits. The key of an arm
    is its added wait: how many µs the responder waits longer than for the baseline. The baseline's key is 0."""
    waits = (0, *LONGER_US)
    return tuple(replace(series, key=str(longer), busy_wait_ns=BASE_NS + 1000 * longer) for longer in waits)


def trials_of(measured: Measured, seed: int) -> dict[int, Trial]:
    """Compares each arm of a run with the baseline. Returns a mapping from the added wait of each arm in µs
    (``arms_of``) to its trial."""
    waited, blocks = measured.outcome.waited_us, measured.blocks
    return {
        longer: Trial(
            judge_blocks(blocks["0"], blocks[str(longer)], seed=seed), median(waited[str(longer)]) - median(waited["0"])
        )
        for longer in LONGER_US
    }


def covers_others(trials: Sequence[Trial]) -> list[bool]:
    """For each trial, whether its confidence interval contains the median of the differences that the other trials
    found. Unlike the true difference (``truth_us``), this median includes the side effects of a longer wait, which are
    part of every measured difference."""
    deltas = [trial.delta_us for trial in trials]
    return [trial.covers(median([*deltas[:number], *deltas[number + 1 :]])) for number, trial in enumerate(trials)]


def figures_of(runs: Sequence[dict[int, Trial]]) -> list[Figure]:
    """Returns three figures for each added wait (``arms_of``), in per cent of the runs. The first counts the runs in
    which the arm was judged slower. The second counts those in which the confidence interval contains the true
    difference. The third counts those in which it contains the median difference of the other runs. The keys of each
    run are the added waits in µs."""
    found = []
    for title, outcomes_of, promise in (
        ("called slower", lambda all_: [isinstance(one.judgement.verdict, Slower) for one in all_], between(95, 100)),
        ("covered by the interval", lambda all_: [one.covers(one.truth_us) for one in all_], between(93, 97)),
        ("the median of the other runs is in the interval", covers_others, None),
    ):
        for longer in LONGER_US:
            outcomes = outcomes_of([trials[longer] for trials in runs])
            found.append(share(f"{longer} µs longer: {title}", outcomes, promise))
    return found


def describe_wait(longer: int, trials: Sequence[Trial]) -> str:
    """A sentence about the arm whose added wait is ``longer`` µs. It gives, over all runs, the true differences, the
    errors of the measured differences, the widths of the intervals, and the number of measured differences above 0."""
    intervals = [trial.judgement.ci95_us for trial in trials]
    widths = [interval.high - interval.low for interval in intervals if interval is not None]
    return (
        f"{longer} µs: waited {spread([trial.truth_us for trial in trials])} µs longer; measured minus true difference "
        f"{spread([trial.delta_us - trial.truth_us for trial in trials])} µs; intervals {spread(widths)} µs wide; "
        f"{sum(trial.delta_us > 0 for trial in trials)} of {len(trials)} differences above zero."
    )


async def benchmark(run: BenchmarkRun) -> Result:
    """Executes many runs on one path. Each run has four arms, which differ only in how long the responder waits."""
    runs = QUICK_RUNS if run.quick else RUNS
    async with open_testbed(run) as testbed:
        arms = arms_of(*testbed.series([PathKind.BRIDGE_ADDRESS]))
        taken = [trials_of(measured, number) async for number, measured in testbed.repeat(run, arms, runs, SECONDS)]
    return Result(
        "resolution",
        "Resolution: a responder that waits 1, 2 or 5 µs longer",
        "called slower in at least 95 % of runs of 3 s, and covered by the interval in 93 to 97 %",
        tuple(figures_of(taken)),
        (
            f"{runs} runs of {SECONDS:g} s, four arms in each: one waits {BASE_NS / 1000:g} µs, the others longer.",
            "The truth is how much longer the responder waited by its own clock, a median for each run.",
            *(describe_wait(longer, [trials[longer] for trials in taken]) for longer in LONGER_US),
        ),
    )
