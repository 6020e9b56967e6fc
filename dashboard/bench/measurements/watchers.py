"""Whether 50 browsers that look on move what is measured: with them and without, in turn, within one run."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from dashboard.bench.environment import say_load
from dashboard.bench.experiments.change import until_quiet
from dashboard.bench.server import Server, ServerError, serving
from dashboard.bench.statistics import Of, Promise, Result, compared, spread
from dashboard.bench.websocket_clients import crowd
from dashboard.core.measurements.statistics import median
from dashboard.core.modes import Mode

LIMIT_S = 400.0
BROWSERS = 50
MODES = (Mode.HOST, Mode.BRIDGE)
WINDOW_S, SETTLE_S = 4.0, 0.7
START_S = 60.0
PROMISE = Promise(Of.APART, 1.05)


@dataclass(frozen=True, slots=True)
class Window:
    """Some seconds of the run: the blocks with numbers above ``first`` up to ``last``."""

    first: int
    last: int


class Recorded:
    """The run's blocks in the server's database, read from outside: asking the server would disturb what is timed."""

    def __init__(self, database: Path, run: str) -> None:
        self._database = database
        self._run = run

    def _ask(self, query: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as opened:
            return opened.execute(query, (self._run,)).fetchall()

    def newest(self) -> int:
        """The number of the newest block, 0 if there is none."""
        return int(str(self._ask(f"SELECT coalesce(max(b.id), 0) {_BLOCKS}")[0][0]))

    def medians(self, window: Window) -> dict[str, float]:
        """The median of the blocks' p50 by path, in µs."""
        found: dict[str, list[float]] = {}
        for number, path, p50 in self._ask(f"SELECT b.id, s.path, b.p50_us {_BLOCKS} AND b.error = '' AND b.n > 0"):
            if window.first < int(str(number)) <= window.last:
                found.setdefault(str(path), []).append(float(str(p50)))
        return {path: median(values) for path, values in found.items()}


_BLOCKS = (
    "FROM dashboard_measurementblock b JOIN dashboard_measurementseries s ON s.id = b.series_id WHERE s.run_id = ?"
)


def pairs_of(turns: Sequence[tuple[Mapping[str, float], Mapping[str, float]]]) -> dict[str, list[tuple[float, float]]]:
    """By path: watched and alone, of the turns that have both."""
    found: dict[str, list[tuple[float, float]]] = {}
    for watched, alone in turns:
        for path in watched.keys() & alone.keys():
            found.setdefault(path, []).append((watched[path], alone[path]))
    return dict(sorted(found.items()))


async def _start(server: Server, experiment: str, seconds: float) -> str:
    """The id of a run that has begun."""
    wanted = urlencode({"probe": "tcp-rr", "seconds": f"{seconds:g}"})
    answer = await asyncio.to_thread(server.ask, "POST", f"/experiments/{experiment}/measure/", wanted)
    where = answer.headers.get("location", "")
    if answer.status != 302 or not where.startswith("/measurements/"):
        raise ServerError(f"the form for measuring answered {answer.status}")
    return where.split("/")[2]


async def _until_blocks(recorded: Recorded) -> None:
    async with asyncio.timeout(START_S):
        while not recorded.newest():
            await asyncio.sleep(0.2)


async def _window(recorded: Recorded) -> Window:
    await asyncio.sleep(SETTLE_S)
    first = recorded.newest()
    await asyncio.sleep(WINDOW_S)
    return Window(first, recorded.newest())


async def benchmark(folder: Path, say: Callable[[str], None], *, quick: bool) -> Result:
    """All of it."""
    rounds = 3 if quick else 9
    windows: list[tuple[Window, Window]] = []
    messages = []
    async with serving(folder / "server") as server:
        say("watchers: launching two arms")
        experiment = await asyncio.to_thread(server.launch, tuple(MODES))
        async with server.frames(experiment) as frames:
            await frames.until_running()
            await until_quiet(frames)
        run = await _start(server, experiment, min(3600.0, 60 + rounds * (2 * WINDOW_S + 2 * SETTLE_S + 4)))
        recorded = Recorded(folder / "server" / "netmodes.db", run)
        await _until_blocks(recorded)
        where = f"ws://{server.host}/ws/measurements/{run}/"
        for number in range(rounds):
            say(f"watchers: round {number + 1} of {rounds}, load {say_load()}")
            alone = await _window(recorded) if number % 2 else None
            async with crowd(where, BROWSERS, server.origin, server.cookie_header) as browsers:
                watched = await _window(recorded)
                messages.append((await browsers.take()).messages)
            windows.append((watched, alone or await _window(recorded)))
        await asyncio.to_thread(server.ask, "POST", f"/measurements/{run}/cancel/")
        found = pairs_of([(recorded.medians(one), recorded.medians(two)) for one, two in windows])
        await asyncio.to_thread(server.remove, experiment)
    if not found:
        raise ServerError("no block came in any window")
    return Result(
        "watchers",
        f"Watchers: {BROWSERS} browsers look on while a run measures",
        "medians move by less than 5 %, in turn within one run",
        tuple(
            compared(f"p50 {path}, watched", "µs", pairs, "nobody looks on", promise=PROMISE, paired=True)
            for path, pairs in found.items()
        ),
        (
            f"{rounds} windows of {WINDOW_S:g} s with {BROWSERS} websockets of the run and as many without, one run.",
            f"Messages that came to them in a window: {spread(messages)}.",
        ),
    )
