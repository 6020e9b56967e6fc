"""How long the server works on the page of an experiment, and how many bytes a browser gets on its first visit."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from dashboard.bench.experiments.change import until_quiet
from dashboard.bench.experiments.first_visit import Fetched, fetch, first_visit
from dashboard.bench.server import Server, ServerError, serving
from dashboard.bench.statistics import Of, Promise, Result, compared, figure
from dashboard.core.modes import Mode

#: With the machine's column four in all.
MODES = (Mode.HOST, Mode.BRIDGE, Mode.NONE)
SERVER_TIME = Promise(Of.VALUE, 100.0)
SIZE = Promise(Of.VALUE, 120.0)
WARM_UP = 5
KB = 1000


def time_requests(server: Server, path: str, count: int) -> list[tuple[float, float]]:
    """Milliseconds for the page, and in turn for ``/healthz``, on one kept connection with nothing else to do."""
    pairs = []
    for number in range(count + WARM_UP):
        pair = (_time_one(server, path), _time_one(server, "/healthz"))
        if number >= WARM_UP:
            pairs.append(pair)
    return pairs


def _time_one(server: Server, path: str) -> float:
    started = time.monotonic()
    answer = server.ask("GET", path, headers={"Accept-Encoding": "gzip"})
    spent = (time.monotonic() - started) * 1e3
    if answer.status != 200:
        raise ServerError(f"{path} answered {answer.status}")
    return spent


def sizes(fetched: tuple[Fetched, ...]) -> str:
    """How much of each kind, for a note."""
    amounts: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for one in fetched:
        kind = one.kind.rpartition("/")[2] + ("" if one.compressed else " (not compressed)")
        amounts[kind] += one.wire_bytes
        counts[kind] += 1
    return ", ".join(f"{counts[kind]} {kind} {amount / KB:.1f} KB" for kind, amount in amounts.most_common())


async def benchmark(folder: Path, say: Callable[[str], None], *, quick: bool) -> Result:
    """All of it."""
    count = 20 if quick else 50
    async with serving(folder / "server") as server:
        say("page: launching three arms")
        experiment = await asyncio.to_thread(server.launch, tuple(MODES))
        async with server.frames(experiment) as frames:
            await frames.until_running()
            await until_quiet(frames)
        path = f"/experiments/{experiment}/"
        say(f"page: {count} requests, then a first visit")
        pairs = await asyncio.to_thread(time_requests, server, path, count)
        visit = await asyncio.to_thread(first_visit, path, lambda one: fetch(server.host, one, server.cookie_header))
        await asyncio.to_thread(server.remove, experiment)
    total = sum(one.wire_bytes for one in visit)
    reference = "/healthz, in turn"
    return Result(
        "page",
        "Page: an experiment with four columns",
        "at most 100 ms of server time (median and p95), at most 120 KB on the first visit",
        (
            compared("request → whole page", "ms", pairs, reference, promise=SERVER_TIME),
            compared("request → whole page", "ms", pairs, reference, percent=95, promise=SERVER_TIME),
            figure("first visit, gzip accepted", "KB", [total / KB], promise=SIZE),
        ),
        (
            "Server time is that around the request on an idle server, so the loopback and the client are in it.",
            f"First visit, headers included: {sizes(visit)}. KB are 1,000 bytes.",
        ),
    )
