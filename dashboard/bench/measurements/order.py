"""``order``: measures whether every run finds the same order of the paths, with docker-proxy as the greatest cost."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from dashboard.bench.benchmark import BenchmarkRun
from dashboard.bench.measurements.testbed import KINDS, open_testbed
from dashboard.bench.statistics import Result, between, figure, share
from dashboard.core.measurements.measurement import Block
from dashboard.core.measurements.statistics import median
from dashboard.core.measurements.verdicts import judge_blocks
from dashboard.core.paths.model import PathKind

LIMIT_S = 600.0
RUNS, QUICK_RUNS, SECONDS = 20, 3, 10.0
ALWAYS = between(100, 100)


def steps_of(blocks: Mapping[PathKind, Sequence[Block]]) -> tuple[float, ...]:
    """Returns how much longer each path in ``KINDS`` takes than the path before it, in µs, beginning with the second
    path. This is the median of the differences in the rounds that have both paths. It is nan if no round has both."""
    deltas = [judge_blocks(blocks[before], blocks[kind]).delta_us for before, kind in pairwise(KINDS)]
    return tuple(float("nan") if delta is None else delta for delta in deltas)


async def benchmark(run: BenchmarkRun) -> Result:
    """Measures all four paths repeatedly."""
    runs = QUICK_RUNS if run.quick else RUNS
    steps: list[tuple[float, ...]] = []
    medians: dict[PathKind, list[float]] = {kind: [] for kind in KINDS}
    async with open_testbed(run) as testbed:
        series = testbed.series(KINDS)
        async for _number, measured in testbed.repeat(run, series, runs, SECONDS):
            blocks = {each.path.kind: measured.blocks[each.key] for each in series}
            steps.append(steps_of(blocks))
            for kind in KINDS:
                medians[kind].append(median(block.center_us for block in blocks[kind] if block.counts))
    return Result(
        "order",
        "Order: loopback < bridge-address < published-dnat < published-proxy",
        f"in {runs} of {runs} runs, with docker-proxy as the greatest cost",
        (
            share("each path slower than the one before it", [all(us > 0 for us in taken) for taken in steps], ALWAYS),
            share("docker-proxy costs more than all else", [taken[-1] > sum(taken[:-1]) for taken in steps], ALWAYS),
            *(figure(f"p50 {kind}", "µs", medians[kind]) for kind in KINDS),
            *(
                figure(f"{kind} less {before}", "µs", [taken[number] for taken in steps])
                for number, (before, kind) in enumerate(pairwise(KINDS))
            ),
        ),
        (f"{runs} runs of {SECONDS:g} s, tcp-rr; steps are medians of differences paired by round.",),
    )
