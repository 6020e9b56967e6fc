"""``no-alarm``: measures how often two identical arms are reported as different, and how often the confidence interval
of their difference contains 0."""

from collections import Counter
from dataclasses import replace

from dashboard.bench.benchmark import BenchmarkRun
from dashboard.bench.measurements.testbed import open_testbed
from dashboard.bench.statistics import Result, at_most, between, share, spread
from dashboard.core.measurements.verdicts import Faster, Slower, judge_blocks, name_of
from dashboard.core.paths.model import PathKind

LIMIT_S = 1200.0
RUNS, QUICK_RUNS, SECONDS = 200, 10, 1.0


async def benchmark(run: BenchmarkRun) -> Result:
    """Measures the same path repeatedly, each time as two arms."""
    runs = QUICK_RUNS if run.quick else RUNS
    judgements = []
    async with open_testbed(run) as testbed:
        (series,) = testbed.series([PathKind.BRIDGE_ADDRESS])
        arms = (replace(series, key="a"), replace(series, key="b"))
        async for number, measured in testbed.repeat(run, arms, runs, SECONDS):
            judgements.append(judge_blocks(measured.blocks["a"], measured.blocks["b"], seed=number))
    different = [isinstance(judgement.verdict, Slower | Faster) for judgement in judgements]
    intervals = [judgement.ci95_us for judgement in judgements]
    widths = [interval.high - interval.low for interval in intervals if interval is not None]
    counts = Counter(name_of(judgement.verdict) for judgement in judgements).most_common()
    return Result(
        "no-alarm",
        "False positives: two identical arms",
        "a verdict other than “same” or “inconclusive” in at most 5 % of runs, and 0 within the interval in 93 to 97 %",
        (
            share("reported as slower or faster", different, at_most(5)),
            share(
                "0 is within the interval",
                [interval is not None and 0.0 in interval for interval in intervals],
                between(93, 97),
            ),
        ),
        (
            f"{runs} runs of {SECONDS:g} s: {', '.join(f'{count} {name}' for name, count in counts)}.",
            f"{spread([judgement.rounds for judgement in judgements])} rounds, intervals {spread(widths)} µs wide.",
        ),
    )
