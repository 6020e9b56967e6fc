"""``page``: measures how long the server takes for an experiment's page, and the bytes that a browser receives on its
first visit."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence

from dashboard.bench.benchmark import BenchmarkRun
from dashboard.bench.experiments.first_visit import Fetched, fetch, first_visit
from dashboard.bench.server import Server, serving
from dashboard.bench.statistics import Figure, Result, at_most, figure, percentiles_compared
from dashboard.core.modes import Mode

#: Four columns in all, with the machine's.
MODES = (Mode.HOST, Mode.BRIDGE, Mode.NONE)
WARM_UP = 5
KB = 1000
HOW_TIMED = "Server time is measured around the request on an idle server: it includes the loopback and the client."


def time_requests(server: Server, path: str, count: int) -> list[tuple[float, float]]:
    """Requests a page and ``/healthz`` in turn, ``count`` times each, over one keep-alive connection. Returns a pair of
    times in milliseconds for each turn: that of the page, then that of ``/healthz``."""
    pairs = [(_time(server, path), _time(server, "/healthz")) for _ in range(count + WARM_UP)]
    return pairs[WARM_UP:]


def _time(server: Server, path: str) -> float:
    started = time.monotonic()
    server.get(path, {"Accept-Encoding": "gzip"})
    return (time.monotonic() - started) * 1e3


def server_time(name: str, pairs: Sequence[tuple[float, float]], limit_ms: float) -> list[Figure]:
    """The figures for the median and the p95 of a page's times. ``pairs`` is the result of ``time_requests``. Both
    figures are promised to be at most ``limit_ms``."""
    promise = at_most(limit_ms)
    return percentiles_compared(name, "ms", pairs, "/healthz, in turn", {50: promise, 95: promise})


def describe_sizes(fetched: tuple[Fetched, ...]) -> str:
    """A text with the number of responses and of bytes for each media type."""
    sizes: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for answer in fetched:
        kind = answer.kind.rpartition("/")[2] + ("" if answer.compressed else " (not compressed)")
        sizes[kind] += answer.wire_bytes
        counts[kind] += 1
    return ", ".join(f"{counts[kind]} {kind} {size / KB:.1f} KB" for kind, size in sizes.most_common())


async def benchmark(run: BenchmarkRun) -> Result:
    """Times requests for the page of a running experiment, then counts the bytes of a first visit."""
    count = 20 if run.quick else 50
    async with serving() as server:
        run.say("launching three arms")
        async with server.running_experiment(MODES) as frames:
            await frames.close()
            path = f"/experiments/{frames.experiment}/"
            run.say(f"{count} requests, then a first visit")
            pairs = await asyncio.to_thread(time_requests, server, path, count)
            visit = await asyncio.to_thread(
                first_visit, path, lambda found: fetch(server.host, found, server.headers())
            )
    size = sum(answer.wire_bytes for answer in visit) / KB
    return Result(
        "page",
        "Page: an experiment with four columns",
        "at most 100 ms of server time (median and p95), at most 120 KB on the first visit",
        (
            *server_time("request → whole page", pairs, 100),
            figure("first visit, gzip accepted", "KB", [size], promise=at_most(120)),
        ),
        (HOW_TIMED, f"First visit, headers included: {describe_sizes(visit)}. KB are 1,000 bytes."),
    )
