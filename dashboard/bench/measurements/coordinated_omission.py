"""``stalls``: measures whether stalls of a server count in full if requests are sent at a fixed rate. The reference is
latencies that are computed from the times at which requests were due."""

import asyncio

from dashboard.bench.benchmark import BenchmarkRun
from dashboard.bench.measurements.stalling_server import MIDDLE, RATE, STALL_S, compare, distance
from dashboard.bench.processes import program
from dashboard.bench.statistics import Result, at_most, figure

#: A histogram with three significant digits is accurate to 0.1 %.
EXACT = at_most(0.1)


async def benchmark(run: BenchmarkRun) -> Result:
    """In each round, compares the latencies in a block and in its histogram with latencies that are computed from the
    due times of the same requests."""
    rounds = 2 if run.quick else 4
    blocks, histograms, middles = [], [], []
    async with program("measurements.stalling_server") as server:
        port = int(await server.read())
        for number in range(rounds):
            run.say(f"round {number + 1} of {rounds}")
            block, histogram, computed = await asyncio.to_thread(compare, port)
            blocks.append(distance(block, computed))
            histograms.append(distance(histogram, computed))
            middles.append(abs(block[MIDDLE] - computed[MIDDLE]))
    return Result(
        "stalls",
        f"Stalls: {RATE:g} requests a second to a server that stalls for {STALL_S * 1000:g} ms twice a second",
        "percentiles as computed from the due times, to the histogram's 0.1 %",
        (
            figure("difference of a block's percentiles from the computed ones", "%", blocks, promise=EXACT),
            figure("difference of the histogram's percentiles from the computed ones", "%", histograms, promise=EXACT),
        ),
        (
            "Computed: arrival minus due times, percentiles by the standard library; the worst of p90, p99, p99.9.",
            f"p50 differs by {max(middles):.2f} µs at most: the clock is read once more.",
        ),
    )
