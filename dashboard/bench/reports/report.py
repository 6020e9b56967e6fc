"""What a large report costs: a million timed requests and ten thousand entries, read, exported and compared."""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Callable
from pathlib import Path

from dashboard.bench.experiments.page import time_requests
from dashboard.bench.measurements.history import database_in
from dashboard.bench.reports.synthetic_report import ENTRIES, REQUESTS, ROUNDS, make_report
from dashboard.bench.server import Server, ServerError, serving
from dashboard.bench.statistics import Of, Promise, Result, compared, figure
from dashboard.core.reports.model import ReportContent, canonical, digest_of, frame
from dashboard.models import Report
from dashboard.store.reports.reading import derive, stored

PAGE = Promise(Of.VALUE, 200.0)
HTML_TIME, HTML_SIZE = Promise(Of.VALUE, 2_000.0), Promise(Of.VALUE, 2.0)
PDF_TIME = Promise(Of.VALUE, 3_000.0)
MB = 1_000_000


def keep(using: str, content: ReportContent) -> tuple[str, float]:
    """The report in the database ``using``, as saving one would: its id, and the milliseconds to derive its view and
    its track."""
    body = canonical(content)
    began = time.perf_counter()
    made = stored(derive(content))
    spent = (time.perf_counter() - began) * 1e3
    row = Report.objects.using(using).create(
        title=content.title,
        origin=str(content.origin),
        digest=digest_of(body),
        size=len(frame(body)),
        body=zlib.compress(body, 6),
        saved_at=content.saved_at,
        **made,
    )
    return str(row.pk), spent


def _keep_two(folder: Path) -> tuple[list[str], list[float]]:
    with database_in(folder) as alias:
        kept = [keep(alias, make_report(seed)) for seed in (1, 2)]
    return [one for one, _spent in kept], [spent for _one, spent in kept]


def _fetch(server: Server, path: str) -> tuple[float, int]:
    """Milliseconds and bytes of a whole answer."""
    began = time.monotonic()
    answer = server.ask("GET", path)
    if answer.status != 200:
        raise ServerError(f"{path} answered {answer.status}")
    return (time.monotonic() - began) * 1e3, len(answer.body)


async def benchmark(folder: Path, say: Callable[[str], None], *, quick: bool) -> Result:
    """All of it."""
    count, few = (10, 3) if quick else (40, 10)
    async with serving(folder / "server") as server:
        say(f"report: {ENTRIES} entries, {ROUNDS * 6 * REQUESTS} timed requests, twice")
        (one, other), derived = await asyncio.to_thread(_keep_two, folder / "server")
        say(f"report: {count} requests of its page, {few} of each export")
        page = await asyncio.to_thread(time_requests, server, f"/reports/{one}/", count)
        paths = {ending: f"/reports/{one}/export.{ending}" for ending in ("html", "pdf", "json", "md", "csv")}
        paths["compare"] = f"/reports/compare/?report={one}&report={other}"
        took = {
            name: [await asyncio.to_thread(_fetch, server, path) for _ in range(few)] for name, path in paths.items()
        }
    times = {name: [spent for spent, _size in found] for name, found in took.items()}
    sizes = {name: found[-1][1] / MB for name, found in took.items()}
    others = ("json", "md", "csv")
    return Result(
        "report",
        f"Report: {ROUNDS * 6 * REQUESTS / 1e6:.1f} million timed requests, {ENTRIES} entries",
        "page at most 200 ms of server time (median and p95), HTML at most 2 MB and 2 s, PDF at most 3 s",
        (
            compared("request → whole page", "ms", page, "/healthz, in turn", promise=PAGE),
            compared("request → whole page", "ms", page, "/healthz, in turn", percent=95, promise=PAGE),
            figure("export as one HTML file", "ms", times["html"], promise=HTML_TIME),
            figure("size of the HTML file", "MB", [sizes["html"]], promise=HTML_SIZE),
            figure("export as PDF", "ms", times["pdf"], promise=PDF_TIME),
            figure("comparing two of them", "ms", times["compare"]),
            figure("deriving view and track, once when it is saved", "ms", derived),
        ),
        (
            f"Sizes: {', '.join(f'{name} {sizes[name] * 1000:,.0f} kB' for name in ('html', 'pdf', *others))}.",
            f"The least of the other exports: {', '.join(f'{name} {min(times[name]):.0f} ms' for name in others)}.",
            "The report is made without an engine: two arms, listeners that come and go, log-normal times.",
        ),
    )
