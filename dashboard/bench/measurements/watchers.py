"""``watchers``: measures whether 50 browsers that follow a run change its medians. Periods with and without browsers
alternate."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence

from django.db.models import Max

from dashboard.bench.benchmark import BenchmarkError, BenchmarkRun
from dashboard.bench.environment import format_load
from dashboard.bench.server import serving
from dashboard.bench.statistics import Result, compared, spread, within_factor
from dashboard.bench.websocket_clients import websocket_clients
from dashboard.core.measurements.statistics import median
from dashboard.core.modes import Mode
from dashboard.models import MeasurementBlock

LIMIT_S = 400.0
BROWSERS = 50
MODES = (Mode.HOST, Mode.BRIDGE)
WINDOW_S, SETTLE_S = 4.0, 0.7
START_S = 60.0

#: A period of the run: the row ids of the last block before it, and of the last block in it.
Window = tuple[int, int]


def newest_block(run: str) -> int:
    """The row id of the newest block of a run, 0 if it has none. It is read from the database, because a request to the
    server would disturb what is timed."""
    blocks = MeasurementBlock.objects.filter(series__run_id=run)
    return int(blocks.aggregate(newest=Max("id", default=0))["newest"])


def medians(run: str, window: Window) -> dict[str, float]:
    """For each path, the median p50 in µs of the run's valid blocks in the window."""
    blocks = MeasurementBlock.objects.filter(series__run_id=run, id__gt=window[0], id__lte=window[1], error="", n__gt=0)
    found: dict[str, list[float]] = defaultdict(list)
    for path, p50 in blocks.values_list("series__path", "p50_us"):
        found[path].append(p50)
    return {path: median(values) for path, values in found.items()}


async def take_window(run: str) -> Window:
    """Lets the run settle for ``SETTLE_S`` seconds, then waits for ``WINDOW_S`` seconds. Returns the second period as a
    window."""
    await asyncio.sleep(SETTLE_S)
    first = await asyncio.to_thread(newest_block, run)
    await asyncio.sleep(WINDOW_S)
    return first, await asyncio.to_thread(newest_block, run)


def pairs_of(turns: Sequence[tuple[Mapping[str, float], Mapping[str, float]]]) -> dict[str, list[tuple[float, float]]]:
    """Returns, for each path, a pair for each turn: the median with browsers, and the median without. A turn consists
    of two mappings from path to median, with browsers and without. A path that is missing from one of them is
    skipped."""
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for watched, alone in turns:
        for path in watched.keys() & alone.keys():
            found[path].append((watched[path], alone[path]))
    return dict(sorted(found.items()))


async def benchmark(run: BenchmarkRun) -> Result:
    """Executes one run in a real server. Browsers follow the run half of the time."""
    rounds = 3 if run.quick else 9
    seconds = min(3600.0, 60 + rounds * (2 * WINDOW_S + 2 * SETTLE_S + 4))
    windows: list[tuple[Window, Window]] = []
    messages = []
    async with serving() as server:
        run.say("launching two arms")
        async with server.running_experiment(MODES) as frames:
            await frames.close()
            form = {"probe": "tcp-rr", "seconds": f"{seconds:g}"}
            started = await asyncio.to_thread(
                server.post, f"/experiments/{frames.experiment}/measure/", form, "/measurements/.+"
            )
            measurement = started.split("/")[2]
            async with asyncio.timeout(START_S):
                while not await asyncio.to_thread(newest_block, measurement):
                    await asyncio.sleep(0.2)
            for number in range(rounds):
                run.say(f"round {number + 1} of {rounds}, load {format_load()}")
                alone = await take_window(measurement) if number % 2 else None
                async with websocket_clients(server.host) as browsers:
                    await browsers.ask(
                        "listen", address=f"/ws/measurements/{measurement}/", count=BROWSERS, cookies=server.cookies
                    )
                    watched = await take_window(measurement)
                    messages.append((await browsers.ask("take"))["messages"])
                windows.append((watched, alone or await take_window(measurement)))
            await asyncio.to_thread(server.post, f"/measurements/{measurement}/cancel/")
            pairs = await asyncio.to_thread(
                lambda: pairs_of([(medians(measurement, one), medians(measurement, other)) for one, other in windows])
            )
    if not pairs:
        raise BenchmarkError("no block was measured in any window")
    return Result(
        "watchers",
        f"Watchers: {BROWSERS} browsers follow a run while it measures",
        "medians change by less than 5 % within one run",
        tuple(
            compared(f"p50 {path}, watched", "µs", taken, "without browsers", promise=within_factor(1.05), paired=True)
            for path, taken in pairs.items()
        ),
        (
            f"One run: {rounds} windows of {WINDOW_S:g} s with {BROWSERS} websockets that follow it, as many without.",
            f"Messages that they received in a window: {spread(messages)}.",
        ),
    )
