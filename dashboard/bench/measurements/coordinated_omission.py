"""``stalls``: measures whether stalls of a server count in full if requests are sent at a fixed rate. The reference is
latencies that are computed from the times at which requests were due."""

import json
import sys

from dashboard.bench.benchmark import BenchmarkRun
from dashboard.bench.measurements import stalling_server
from dashboard.bench.measurements.stalling_server import ADDRESS, MIDDLE, RATE, SECONDS, STALL_S, distance
from dashboard.bench.measurements.testbed import KINDS, open_testbed
from dashboard.bench.processes import output_of, running
from dashboard.bench.statistics import Result, at_most, compared, figure
from dashboard.core.measurements.histogram import summarise_histograms
from dashboard.core.measurements.measurement import Options, Probe
from dashboard.core.measurements.schedule import Series
from dashboard.core.paths.model import Path, PathKind

LIMIT_S = 300.0
#: A histogram with three significant digits is accurate to 0.1 %.
EXACT = at_most(0.1)


async def benchmark(run: BenchmarkRun) -> Result:
    """In each round, compares the latencies in a block with latencies that are computed from the due times of the same
    requests. Then compares a run of Netmodes with a minimal client."""
    rounds = 2 if run.quick else 4
    blocks, histograms, middles, pairs = [], [], [], []
    async with open_testbed(run) as testbed:
        machine = testbed.namespaces[testbed.paths[KINDS[0]].client]
        program = ("nsenter", f"--net=/proc/self/fd/{machine}", "--", sys.executable, "-m", stalling_server.__name__)
        async with running([*program, "serve"], pass_fds=(machine,)) as server:
            port = await server.read()
            path = Path(
                PathKind.LOOPBACK, "a server that stalls", "machine", "machine", address=ADDRESS, port=int(port)
            )
            series = Series("stalls", path, Probe.HTTP)
            for number in range(rounds):
                run.say(f"round {number + 1} of {rounds}")
                compared_ways = await output_of(*program, "compare", port, pass_fds=(machine,))
                block, histogram, computed = json.loads(compared_ways)
                blocks.append(distance(block, computed))
                histograms.append(distance(histogram, computed))
                middles.append(abs(block[MIDDLE] - computed[MIDDLE]))
                measured = await testbed.measure([series], Options(seconds=SECONDS, rate=RATE), seed=number)
                ours = summarise_histograms(taken.histogram for taken in measured.blocks["stalls"])
                theirs = json.loads(await output_of(*program, "ask", port, pass_fds=(machine,)))
                if ours is not None:
                    pairs.append((ours, theirs))
    return Result(
        "stalls",
        f"Stalls: {RATE:g} requests a second to a server that stalls for {STALL_S * 1000:g} ms twice a second",
        "percentiles as computed from the due times, to the histogram's 0.1 %",
        (
            figure("difference of a block's percentiles from the computed ones", "%", blocks, promise=EXACT),
            figure("difference of the histogram's percentiles from the computed ones", "%", histograms, promise=EXACT),
            *(
                compared(
                    f"a run's {title}",
                    "ms",
                    [(getattr(ours, name) / 1000, theirs[name] / 1000) for ours, theirs in pairs],
                    "a minimal separate client",
                )
                for name, title in (("p99_us", "p99"), ("p999_us", "p99.9"))
            ),
        ),
        (
            "Computed: arrival minus due times, percentiles by the standard library; the worst of p90, p99, p99.9.",
            f"p50 differs by {max(middles):.2f} µs at most: the clock is read once more.",
            "The separate client and ours take turns and meet different stalls of the same kind: nothing is promised.",
        ),
    )
