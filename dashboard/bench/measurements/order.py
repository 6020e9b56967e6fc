"""Whether the order of the paths, and the proxy's part in it, come out in every run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from dashboard.bench.environment import say_load
from dashboard.bench.measurements.testbed import KINDS, arena
from dashboard.bench.statistics import Of, Promise, Result, figure, share
from dashboard.core.measurements.measurement import Block, Options, Probe
from dashboard.core.measurements.statistics import median
from dashboard.core.measurements.verdicts import judge_blocks
from dashboard.core.paths.model import PathKind

LIMIT_S = 600.0
RUNS, QUICK_RUNS, SECONDS = 20, 3, 10.0
ALWAYS = Promise(Of.VALUE, 100.0, least=100.0)


def steps_of(blocks: Mapping[PathKind, Sequence[Block]]) -> tuple[float, ...]:
    """How much longer each path takes than the one before it, in µs, paired by round; nan where there is no pair."""
    found = [judge_blocks(blocks[one], blocks[two]).delta_us for one, two in pairwise(KINDS)]
    return tuple(float("nan") if one is None else one for one in found)


async def benchmark(folder: Path, say: Callable[[str], None], *, quick: bool) -> Result:
    """All of it."""
    runs = QUICK_RUNS if quick else RUNS
    steps: list[tuple[float, ...]] = []
    middles: dict[PathKind, list[float]] = {kind: [] for kind in KINDS}
    async with arena(folder / "lab") as place:
        series = place.series(KINDS, [Probe.TCP_RR])
        kinds = {one.path.kind: one.key for one in series}
        for number in range(runs):
            say(f"order: run {number + 1} of {runs}, load {say_load()}")
            taken = await place.measure(series, Options(seconds=SECONDS), seed=number)
            blocks = {kind: taken.blocks[key] for kind, key in kinds.items()}
            steps.append(steps_of(blocks))
            for kind in KINDS:
                middles[kind].append(median(one.center_us for one in blocks[kind] if one.counts))
    figures = [
        share("each path slower than the one before it", [all(step > 0 for step in one) for one in steps], ALWAYS),
        share("docker-proxy costs more than all else", [one[-1] > sum(one[:-1]) for one in steps], ALWAYS),
        *(figure(f"p50 {kind}", "µs", middles[kind]) for kind in KINDS),
        *(
            figure(f"{kind} less {before}", "µs", [one[number] for one in steps])
            for number, (before, kind) in enumerate(pairwise(KINDS))
        ),
    ]
    return Result(
        "order",
        "Order: loopback < bridge-address < published-dnat < published-proxy",
        f"in {runs} of {runs} runs, docker-proxy being the greatest part",
        tuple(figures),
        (f"{runs} runs of {SECONDS:g} s, tcp-rr; steps are medians of differences paired by round.",),
    )
