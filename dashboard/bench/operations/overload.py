"""``overload``: measures the delivery of messages while some browsers never read, and ``/healthz`` while one client
attacks."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from http import HTTPStatus

from dashboard.bench.benchmark import BenchmarkError, BenchmarkRun, until
from dashboard.bench.experiments.change import address_number, changing_arm
from dashboard.bench.experiments.fan_out import MAX_PING_CHARACTERS, MODES
from dashboard.bench.operations.attacks import ATTACKS, connections, handshake
from dashboard.bench.processes import memory_mb, program
from dashboard.bench.server import Server, serving
from dashboard.bench.statistics import Figure, Result, at_most, figure
from dashboard.bench.websocket_clients import websocket_clients
from dashboard.core.measurements.statistics import percentile

LIMIT_S = 600.0
BROWSERS, QUICK_BROWSERS = 500, 100
#: Of ten browsers, one never reads.
SHARE = 10
CHANGES, QUICK_CHANGES = 60, 10
PAUSE_S = 0.5
MAX_P99_MS, MAX_GROWTH_MB, MAX_HEALTHZ_S = 250.0, 64.0, 1.0
ATTACK_S, QUICK_ATTACK_S = 10.0, 2.0
POLL_S = 0.05
#: Twice the longest response of a server that is not busy.
CALM_S = 1.0


async def healthz_s(server: Server, seconds: float) -> list[float]:
    """Requests ``/healthz`` repeatedly over new connections, for ``seconds``. Returns the seconds that each response
    took."""
    times, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        started = time.monotonic()
        status = await asyncio.to_thread(lambda: server.ask("GET", "/healthz", headers={"Connection": "close"}).status)
        if status != HTTPStatus.OK:
            raise BenchmarkError(f"/healthz was answered with {status}")
        times.append(time.monotonic() - started)
        await asyncio.sleep(POLL_S)
    return times


async def is_calm(server: Server) -> bool:
    """Whether ``/healthz`` answers quickly for ``CALM_S`` seconds."""
    return max(await healthz_s(server, CALM_S)) < CALM_S / 2


async def attacked(server: Server, experiment: str, name: str, seconds: float) -> list[float]:
    """Runs the attack ``name``, and returns the times of ``healthz_s`` during it. First waits until the server is no
    longer busy with an earlier attack."""
    await until(lambda: is_calm(server), "a quick answer of /healthz")
    async with program("operations.attacks", server.host) as attacker:
        fields = {"name": name, "experiment": experiment, "cookies": server.cookies, "seconds": seconds}
        attacking = asyncio.create_task(attacker.ask("attack", **fields))
        times = await healthz_s(server, seconds)
        await attacking
    return times


async def crowd(run: BenchmarkRun, server: Server) -> tuple[list[float], float]:
    """Makes changes while one in ``SHARE`` browsers never reads what it receives. Returns a list and a number. The list
    contains, for each change, the p99 of the milliseconds until it arrived at the browsers that read. The number is the
    largest growth of the server's memory in MB."""
    count, changes = (QUICK_BROWSERS, QUICK_CHANGES) if run.quick else (BROWSERS, CHANGES)
    delays: list[float] = []
    async with AsyncExitStack() as stack:
        arm = await stack.enter_async_context(changing_arm(server, MODES))
        await arm.frames.close()
        before, path = memory_mb(*server.pids), f"/ws/experiments/{arm.frames.experiment}/"
        await stack.enter_async_context(connections(server, count // SHARE, handshake(server, path)))
        readers = await stack.enter_async_context(websocket_clients(server.host))
        await readers.ask("listen", address=path, count=count - count // SHARE, cookies=server.cookies)
        highest = 0.0
        for number in range(changes):
            await readers.ask("take")
            changed = await arm.change("remove" if number % 2 else "add", address_number(number))
            arrived = await readers.ask("arrivals", after=changed, characters=MAX_PING_CHARACTERS)
            delays.append(percentile([(at - changed) * 1e3 for at in arrived], 99))
            highest = max(highest, memory_mb(*server.pids))
            await asyncio.sleep(PAUSE_S)
    return delays, highest - before


def figures_of(delays: Sequence[float], growth_mb: float, healthz: dict[str, list[float]]) -> tuple[Figure, ...]:
    """The figures for the deliveries, the growth of the memory, and the slowest ``/healthz`` during each attack."""
    slowest = partial(figure, unit="s", percent=100, promise=at_most(MAX_HEALTHZ_S))
    return (
        figure(
            "delivery to browsers that read, p99 of each change", "ms", delays, percent=99, promise=at_most(MAX_P99_MS)
        ),
        figure("memory of the server, growth", "MB", [growth_mb], promise=at_most(MAX_GROWTH_MB)),
        *(slowest(f"/healthz: {name}", values=times) for name, times in healthz.items()),
    )


async def benchmark(run: BenchmarkRun) -> Result:
    """Measures deliveries while some browsers never read, then ``/healthz`` during each attack."""
    async with serving() as server:
        run.say("connecting browsers")
        delays, growth_mb = await crowd(run, server)
        healthz: dict[str, list[float]] = {}
        async with server.running_experiment(MODES) as frames:
            await frames.close()
            for name in ATTACKS:
                run.say(name)
                seconds = QUICK_ATTACK_S if run.quick else ATTACK_S
                healthz[name] = await attacked(server, frames.experiment, name, seconds)
    browsers = QUICK_BROWSERS if run.quick else BROWSERS
    return Result(
        "overload",
        f"Overload: {browsers} browsers of which {browsers // SHARE} never read; /healthz during attacks",
        f"deliver to the others with a p99 of at most {MAX_P99_MS:g} ms and at most {MAX_GROWTH_MB:g} MB more memory; "
        f"/healthz answers within {MAX_HEALTHZ_S:g} s",
        figures_of(delays, growth_mb, healthz),
        (
            f"Delivery: from the system call of a change of an address to the frame; {len(delays)} changes.",
            "One client makes each attack; /healthz is requested over a new connection each time.",
        ),
    )
