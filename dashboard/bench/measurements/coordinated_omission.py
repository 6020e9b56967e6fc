"""Whether a stalled server is told in full at a fixed rate: our percentiles beside those reckoned from due times."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from dashboard.bench.measurements.stalling_server import ADDRESS, RATE, SECONDS, STALL_S, TAILS, distance, percentiles
from dashboard.bench.measurements.testbed import KINDS, arena
from dashboard.bench.processes import run, running
from dashboard.bench.statistics import Figure, Of, Promise, Result, compared, figure
from dashboard.core.measurements.histogram import summarise_histograms
from dashboard.core.measurements.measurement import Options, Probe
from dashboard.core.measurements.schedule import Series
from dashboard.core.paths.model import Path as Way
from dashboard.core.paths.model import PathKind

LIMIT_S = 300.0
#: A histogram of three digits is right to 0.1 %.
EXACT = Promise(Of.VALUE, 0.1)


async def benchmark(folder: Path, say: Callable[[str], None], *, quick: bool) -> Result:
    """All of it."""
    rounds = 2 if quick else 4
    exact: list[tuple[float, float]] = []
    pooled: list[tuple[dict[str, float], dict[str, float]]] = []
    middle: list[float] = []
    me = [sys.executable, "-m", "dashboard.bench.measurements.stalling_server"]
    async with arena(folder / "lab") as place:
        machine = place.namespaces[place.paths[KINDS[0]].client]
        enter = ["nsenter", f"--net=/proc/self/fd/{machine}", "--"]
        with running([*enter, *me, "serve"], inherited=(machine,)) as server:
            port = int(await asyncio.to_thread(_first_line, server))
            way = Way(PathKind.LOOPBACK, "a server that stalls", "machine", "machine", address=ADDRESS, port=port)
            series = Series("stalls", way, Probe.HTTP)
            for number in range(rounds):
                say(f"stalls: round {number + 1} of {rounds}")
                answer = await run(*enter, *me, "exact", str(port), inherited=(machine,))
                block, histogram, reckoned = json.loads(answer)
                exact.append((distance(block, reckoned), distance(histogram, reckoned)))
                middle.append(abs(block["p50_us"] - reckoned["p50_us"]))
                taken = await place.measure([series], Options(seconds=SECONDS, rate=RATE), seed=number)
                ours = summarise_histograms(one.histogram for one in taken.blocks["stalls"])
                theirs = json.loads(await run(*enter, *me, "ask", str(port), inherited=(machine,)))
                if ours is not None:
                    told = {name: float(getattr(ours, name)) for name in TAILS}
                    pooled.append((told, percentiles(theirs)))
    figures: list[Figure] = [
        figure("a block's percentiles, from those reckoned", "%", [one for one, _ in exact], promise=EXACT),
        figure("the histogram's percentiles, from those reckoned", "%", [one for _, one in exact], promise=EXACT),
    ]
    for name, title in (("p99_us", "p99"), ("p999_us", "p99.9")):
        pairs = [(one[name] / 1000, other[name] / 1000) for one, other in pooled]
        figures.append(compared(f"a run's {title}", "ms", pairs, "a plain client of its own"))
    return Result(
        "stalls",
        f"Stalls: {RATE:g} requests a second to a server that rests for {STALL_S * 1000:g} ms twice a second",
        "percentiles as reckoned from the due times, to the histogram's 0.1 %",
        tuple(figures),
        (
            "Reckoned: answers less due times, percentiles by the standard library; the farthest of p90, p99, p99.9.",
            f"p50 differs by {max(middle):.2f} µs at most: the clock is read once more.",
            "The second client asks in turn with ours: its stalls are others of the same kind, so it is not judged.",
        ),
    )


def _first_line(process: subprocess.Popen[bytes]) -> bytes:
    if process.stdout is None:
        raise RuntimeError("no pipe")
    line: bytes = process.stdout.readline()
    return line
