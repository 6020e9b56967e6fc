"""``report``: measures what it costs to show, to export and to compare a large report with a million timed requests."""

import asyncio
import time

from dashboard.bench.benchmark import BenchmarkRun
from dashboard.bench.experiments.page import server_time, time_requests
from dashboard.bench.reports.synthetic_report import ENTRIES, PATHS, REQUESTS, ROUNDS, make_report
from dashboard.bench.server import Server, serving
from dashboard.bench.statistics import Result, at_most, figure
from dashboard.core.reports.model import ReportContent, canonical
from dashboard.store.reports.reading import derive, derived_columns
from dashboard.store.reports.saved import insert_report

TIMED = ROUNDS * len(PATHS) * REQUESTS
MB = 1_000_000


def save(content: ReportContent) -> tuple[str, float]:
    """Stores a report as Netmodes does. Returns its id, and in how many milliseconds its view and recording were
    computed."""
    started = time.perf_counter()
    derived_columns(derive(content))
    spent = (time.perf_counter() - started) * 1e3
    return insert_report(content, canonical(content), None), spent


def _save_two() -> list[tuple[str, float]]:
    return [save(make_report(seed)) for seed in (1, 2)]


def _fetch(server: Server, path: str) -> tuple[float, int]:
    started = time.monotonic()
    body = server.get(path)
    return (time.monotonic() - started) * 1e3, len(body)


async def benchmark(run: BenchmarkRun) -> Result:
    """Times requests for the report's page, for every export, and for a comparison of two reports."""
    count, few = (10, 3) if run.quick else (40, 10)
    async with serving() as server:
        run.say(f"{ENTRIES} entries, {TIMED} timed requests, twice")
        (one, derived_one), (other, derived_other) = await asyncio.to_thread(_save_two)
        run.say(f"{count} requests of its page, {few} of each export")
        page = await asyncio.to_thread(time_requests, server, f"/reports/{one}/", count)
        paths = {ending: f"/reports/{one}/export.{ending}" for ending in ("html", "pdf", "json", "md", "csv")}
        paths["compare"] = f"/reports/compare/?report={one}&report={other}"
        fetched = {
            name: [await asyncio.to_thread(_fetch, server, path) for _ in range(few)] for name, path in paths.items()
        }
    times = {name: [spent for spent, _ in answers] for name, answers in fetched.items()}
    sizes = {name: answers[-1][1] / MB for name, answers in fetched.items() if name != "compare"}
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
            figure("comparing two reports", "ms", times["compare"]),
            figure("computing view and recording when it is saved", "ms", [derived_one, derived_other]),
        ),
        (
            f"Sizes: {', '.join(f'{name} {size * 1000:,.0f} kB' for name, size in sizes.items())}.",
            f"The minimum of the other exports: {least}.",
            "The report is made without an engine: two arms, listeners that open and close, log-normal times.",
        ),
    )
