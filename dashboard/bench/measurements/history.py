"""How long the server works on the pages of a history: many runs of the same series, every block kept."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

from django.db import connections, transaction
from django.utils import timezone

from dashboard.bench.experiments.page import time_requests
from dashboard.bench.server import serving
from dashboard.bench.statistics import Of, Promise, Result, compared
from dashboard.core.measurements.histogram import encode_times
from dashboard.models import MeasurementBlock, MeasurementRun, MeasurementSeries

RUNS, BLOCKS = 500, 60
PATHS = ("loopback", "bridge-address", "published-dnat", "published-proxy")
SERVER_TIME = Promise(Of.VALUE, 200.0)
REQUESTS_OF_A_BLOCK = 2000


def signature_of(path: str) -> str:
    """The name of a series over its runs."""
    return f"bridge {path} tcp-rr 64B closed idle"


def fill(using: str, runs: int, blocks: int = BLOCKS, seed: int = 1) -> None:
    """Finished runs, one a day, with four series each and blocks that carry real histograms."""
    source = random.Random(seed)  # noqa: S311 - nothing secret
    histograms = [
        encode_times([max(1, round(source.gauss(20_000, 3_000))) for _ in range(REQUESTS_OF_A_BLOCK)])
        for _ in range(BLOCKS)
    ]
    now = timezone.now()
    with transaction.atomic(using):
        made = MeasurementRun.objects.using(using).bulk_create(
            MeasurementRun(
                title="nginx on port 80",
                options="{}",
                probes="tcp-rr",
                seed=1,
                state="finished",
                headline="A sentence.",
            )
            for _ in range(runs)
        )
        for days, run in enumerate(reversed(made)):
            run.created_at = now - timedelta(days=days)
        MeasurementRun.objects.using(using).bulk_update(made, ["created_at"], batch_size=200)
        series = MeasurementSeries.objects.using(using).bulk_create(
            MeasurementSeries(
                run=run,
                key=f"bridge/{path}",
                column="bridge",
                path=path,
                probe="tcp-rr",
                signature=signature_of(path),
            )
            for run in made
            for path in PATHS
        )
        MeasurementBlock.objects.using(using).bulk_create(
            (
                MeasurementBlock(
                    series=one,
                    round=number,
                    started_s=number,
                    duration_s=0.1,
                    n=REQUESTS_OF_A_BLOCK,
                    center_us=20.0,
                    p50_us=20.0 + source.random(),
                    p99_us=40.0 + source.random(),
                    histogram=histograms[number % BLOCKS],
                )
                for one in series
                for number in range(blocks)
            ),
            batch_size=500,
        )


@contextmanager
def database_in(folder: Path) -> Iterator[str]:
    """The database of another data folder, as an alias."""
    alias = "history"
    connections.databases[alias] = {**connections.databases["default"], "NAME": str(folder / "netmodes.db")}
    try:
        yield alias
    finally:
        connections[alias].close()
        del connections.databases[alias]
        del connections[alias]


def _fill_folder(folder: Path) -> None:
    with database_in(folder) as alias:
        fill(alias, RUNS)


async def benchmark(folder: Path, say: Callable[[str], None], *, quick: bool) -> Result:
    """All of it."""
    count = 10 if quick else 40
    async with serving(folder / "server") as server:
        say(f"history: {RUNS} runs of {len(PATHS)} series with {BLOCKS} blocks")
        await asyncio.to_thread(_fill_folder, folder / "server")
        path = f"/measurements/history/?signature={quote(signature_of(PATHS[0]))}"
        say(f"history: {count} requests of each page")
        one = await asyncio.to_thread(time_requests, server, path, count)
        all_of_them = await asyncio.to_thread(time_requests, server, "/measurements/", count)
    return Result(
        "history",
        f"History: {RUNS} runs",
        "at most 200 ms of server time (median and p95)",
        tuple(
            compared(name, "ms", pairs, "/healthz, in turn", percent=percent, promise=SERVER_TIME)
            for name, pairs in (("one series over all runs", one), ("the list of measurements", all_of_them))
            for percent in (50, 95)
        ),
        (
            f"Each run has {len(PATHS)} series with {BLOCKS} blocks, each block its histogram.",
            "Server time is that around the request on an idle server, so the loopback and the client are in it.",
        ),
    )
