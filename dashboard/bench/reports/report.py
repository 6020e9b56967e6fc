"""``report``: measures what it costs to show and to export a large report with a million timed requests."""

import asyncio
import time

from dashboard.bench.benchmark import BenchmarkRun
from dashboard.bench.experiments.page import server_time, time_requests
from dashboard.bench.reports.synthetic_report import ENTRIES, PATHS, REQUESTS, ROUNDS, make_report
from dashboard.bench.server import Server, serving
from dashboard.bench.statistics import Result, at_most, figure
from dashboard.core.reports.model import ReportContent, canonical
from dashboard.store.reports.saved import insert_report

TIMED = ROUNDS * len(PATHS) * REQUESTS
MB = 1_000_000


def save(content: ReportContent) -> str:
    """Stores a report as Netmodes does, and returns its id."""
    return insert_report(content, canonical(content), None)


def _fetch(server: Server, path: str) -> tuple[float, int]:
    started = time.monotonic()
    body = server.get(path)
    return (time.monotonic() - started) * 1e3, len(body)


async def benchmark(run: BenchmarkRun) -> Result:
    """Times requests for the report's page, and for every export."""
    count, few = (10, 3) if run.quick else (40, 10)
    async with serving() as server:
        run.say(f"{ENTRIES} entries, {TIMED} timed requests")
        report = await asyncio.to_thread(lambda: save(make_report()))
        run.say(f"{count} requests of its page, {few} of each export")
        page = await asyncio.to_thread(time_requests, server, f"/reports/{report}/", count)
        fetched = {
            name: [await asyncio.to_thread(_fetch, server, f"/reports/{report}/export.{name}") for _ in range(few)]
            for name in ("html", "pdf", "json", "md", "csv")
        }
    times = {name: [spent for spent, _ in answers] for name, answers in fetched.items()}
    sizes = {name: answers[-1][1] / MB for name, answers in fetched.items()}
    least = ", ".join(f"{name} {min(times[name]):.0f} ms" for name in ("json", "md", "csv"))
    return Result(
        "report",
        f"Report: {TIMED / 1e6:.1f} million timed requests, {ENTRIES} entries",
        "page at most 200 ms of server time (median and p95), HTML at most 2 MB and 2 s, PDF at most 3 s",
        (
            *server_time("request → whole page", page, 200),
            figure("export as one HTML file", "ms", times["html"], promise=at_most(2_000)),
            figure("size of the HTML file", "MB", [sizes["html"]], promise=at_most(2)),
            figure("export as PDF", "ms", times["pdf"], promise=at_most(3_000)),
        ),
        (
            f"Sizes: {', '.join(f'{name} {size * 1000:,.0f} kB' for name, size in sizes.items())}.",
            f"The minimum of the other exports: {least}.",
            "The report is made without an engine: two arms, listeners that open and close, log-normal times.",
        ),
    )
