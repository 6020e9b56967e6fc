"""``history``: measures how long the server takes for the pages about earlier measurements. The database has many runs
of the same series, with all their blocks."""

import asyncio
import random
from datetime import timedelta
from urllib.parse import quote

from django.db import transaction
from django.utils import timezone

from dashboard.bench.benchmark import BenchmarkRun
from dashboard.bench.experiments.page import HOW_TIMED, server_time, time_requests
from dashboard.bench.server import serving
from dashboard.bench.statistics import Figure, Result
from dashboard.core.measurements.histogram import encode_times
from dashboard.models import MeasurementBlock, MeasurementRun, MeasurementSeries

RUNS, BLOCKS = 500, 60
PATHS = ("loopback", "bridge-address", "published-dnat", "published-proxy")
REQUESTS_PER_BLOCK = 2000


def signature_of(path: str) -> str:
    """The signature of the series on a path. It identifies the series in all runs."""
    return f"bridge {path} tcp-rr 64B closed idle"


def fill(runs: int, blocks: int = BLOCKS, seed: int = 1) -> None:
    """Stores finished runs, one for each day, with four series each. Each series has ``blocks`` blocks with histograms
    of random times."""
    source = random.Random(seed)  # noqa: S311 - nothing secret
    histograms = [
        encode_times([max(1, round(source.gauss(20_000, 3_000))) for _ in range(REQUESTS_PER_BLOCK)])
        for _ in range(BLOCKS)
    ]
    common = {
        "options": "{}",
        "probes": "tcp-rr",
        "seed": 1,
        "state": "finished",
        "headline": "A sentence.",
        "elapsed_s": 10.0,
    }
    measured = {"duration_s": 0.1, "n": REQUESTS_PER_BLOCK, "center_us": 20.0}
    now = timezone.now()
    with transaction.atomic():
        made = MeasurementRun.objects.bulk_create(
            MeasurementRun(title="nginx on port 80", **common) for _ in range(runs)
        )
        for days, run in enumerate(reversed(made)):
            run.created_at = now - timedelta(days=days)
        MeasurementRun.objects.bulk_update(made, ["created_at"], batch_size=200)
        series = MeasurementSeries.objects.bulk_create(
            MeasurementSeries(
                run=run, key=f"bridge/{path}", column="bridge", path=path, probe="tcp-rr", signature=signature_of(path)
            )
            for run in made
            for path in PATHS
        )
        MeasurementBlock.objects.bulk_create(
            (
                MeasurementBlock(
                    series=each,
                    round=number,
                    started_s=number,
                    p50_us=20.0 + source.random(),
                    p99_us=40.0 + source.random(),
                    histogram=histograms[number % BLOCKS],
                    **measured,
                )
                for each in series
                for number in range(blocks)
            ),
            batch_size=500,
        )


async def benchmark(run: BenchmarkRun) -> Result:
    """Times requests for the history of one series, and for the list of all runs."""
    count = 10 if run.quick else 40
    pages = {
        "one series over all runs": f"/measurements/history/?signature={quote(signature_of(PATHS[0]))}",
        "the list of measurements": "/measurements/",
    }
    figures: list[Figure] = []
    async with serving() as server:
        run.say(f"{RUNS} runs of {len(PATHS)} series with {BLOCKS} blocks")
        await asyncio.to_thread(fill, RUNS)
        run.say(f"{count} requests of each page")
        for name, path in pages.items():
            pairs = await asyncio.to_thread(time_requests, server, path, count)
            figures += server_time(name, pairs, 200)
    return Result(
        "history",
        f"History: {RUNS} runs",
        "at most 200 ms of server time (median and p95)",
        tuple(figures),
        (f"Each run has {len(PATHS)} series with {BLOCKS} blocks, each block its histogram.", HOW_TIMED),
    )
