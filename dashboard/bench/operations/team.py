"""``team``: measures a team deployment. 1,000 browsers use two web processes, and an instructor's actions at one
process reach both. Also measures calls to the lab, keys in a terminal, and the placement of hosts on many machines."""

import asyncio
import os
from contextlib import AsyncExitStack

import uvloop

from dashboard.bench.benchmark import BenchmarkRun
from dashboard.bench.broadcast_server import broadcast_server
from dashboard.bench.operations.placement import GROUPS, MACHINES, Simulation, simulate
from dashboard.bench.operations.team_calls import call_times, key_times
from dashboard.bench.operations.team_deployment import team_deployment
from dashboard.bench.processes import memory_mb
from dashboard.bench.server import Server
from dashboard.bench.statistics import Figure, Result, at_most, compared, figure
from dashboard.bench.training.deliveries import NOTES, Instructor, broadcasts, deliveries, delivery_figure, join
from dashboard.bench.websocket_clients import websocket_clients

LIMIT_S = 400.0
EVENT_LOOP = uvloop.new_event_loop
#: A session has a maximum of participants: the browsers are in two sessions, each spread over both processes.
SESSIONS, PER_PROCESS = 2, 250
PER_SESSION = 2 * PER_PROCESS
BROWSERS = SESSIONS * PER_SESSION
JOIN_S = 60.0
PAUSE_S = 0.7
#: The name of the reference for calls.
ROWS = "the same question as a row, with NOTIFY"
DELIVERY_MS, CALL_MS, SLOWEST_CALL_MS, KEY_MS = 100.0, 2.0, 10.0, 5.0


async def benchmark(run: BenchmarkRun) -> Result:
    """Measures deliveries in two sessions, then calls, keys and placements. In each round, both instructors point at a
    row at the same time, each through a different web process. They swap the web processes after each round."""
    # Not in the benchmark's folder, which ordinary users cannot enter.
    with team_deployment(os.environ["DOCKER_HOST"]) as deployment:
        async with AsyncExitStack() as stack:
            owners = [Server(web.host) for web in deployment.webs]
            for owner, web in zip(owners, deployment.webs, strict=True):
                await asyncio.to_thread(owner.sign_in, web.link)
            sessions = [
                (
                    await asyncio.to_thread(Instructor.with_session, owners[0], PER_SESSION),
                    [await stack.enter_async_context(websocket_clients(web.host)) for web in deployment.webs],
                )
                for _ in range(SESSIONS)
            ]
            run.say(f"{BROWSERS} participants join at two web processes")
            joined = await asyncio.gather(
                *(
                    join(participants, instructor, PER_PROCESS, JOIN_S, number * PER_PROCESS)
                    for instructor, halves in sessions
                    for number, participants in enumerate(halves)
                )
            )
            bare, bare_address = await stack.enter_async_context(broadcast_server())
            others = [await stack.enter_async_context(websocket_clients(owners[0].host)) for _ in range(2 * SESSIONS)]
            await asyncio.gather(
                *(clients.ask("listen", address=bare_address, count=PER_PROCESS) for clients in others)
            )
            ours, references = [], []
            for number in range(4 if run.quick else 20):
                row = f"interfaces/eth0/{number}"
                for position, (instructor, _halves) in enumerate(sessions):
                    instructor.server = owners[(number + position) % len(owners)]
                await asyncio.sleep(PAUSE_S)
                started = await asyncio.gather(
                    *(asyncio.to_thread(instructor.steer, "pointer", row=row) for instructor, _halves in sessions)
                )
                for (_instructor, halves), at in zip(sessions, started, strict=True):
                    ours += await deliveries(halves, at, "pointer", row)
                run.say(f"round {number + 1}, the last after {max(ours[-BROWSERS:]):.0f} ms")
                await asyncio.sleep(PAUSE_S)
                references += await broadcasts(bare, others, number)
            memory = [memory_mb(web.pid) for web in deployment.webs]
        run.say("calls to the lab, and keys in a terminal on a private host")
        calls = await call_times(deployment, 100 if run.quick else 1000)
        keys = await key_times(deployment, owners[0], 60 if run.quick else 300)
    simulated = await asyncio.to_thread(lambda: [simulate(seed) for seed in range(3 if run.quick else 10)])
    return Result(
        "team",
        f"Team deployment: {BROWSERS} browsers in {SESSIONS} sessions over two web processes, on PostgreSQL and NATS",
        f"p99 of deliveries {DELIVERY_MS:g} ms at both processes",
        (
            figure(f"until {BROWSERS} participants have joined", "s", [max(joined)], promise=at_most(JOIN_S * 2)),
            delivery_figure(f"from the instructor's POST to each of {BROWSERS}", ours, references, DELIVERY_MS),
            figure("memory of each web process", "MB", memory, percent=100, promise=at_most(400)),
            compared("a call from a web process to the lab", "ms", calls, ROWS, promise=at_most(CALL_MS)),
            compared(
                "a call from a web process to the lab", "ms", calls, ROWS, percent=99, promise=at_most(SLOWEST_CALL_MS)
            ),
            figure("a key in a terminal until its echo", "ms", keys, promise=at_most(KEY_MS)),
            figure("a key in a terminal until its echo", "ms", keys, percent=99),
            *_placement(simulated),
        ),
        (
            f"Each session has {PER_SESSION} participants, half of them at each process; the instructors act together.",
            "A call looks up a host in the lab. Calls follow one another, each with the same question as a row.",
            f"The placement is simulated: {GROUPS:,} hosts of 400 sessions on {MACHINES} machines.",
            *NOTES,
        ),
    )


def _placement(simulated: list[Simulation]) -> tuple[Figure, ...]:
    uneven = [100 * (max(fills) - min(fills)) for found in simulated for fills in (found.fills, found.fills_after)]
    moved = [100 * len(found.moved) / max(1, len(found.held)) for found in simulated]
    return (
        figure(f"placing {GROUPS:,} hosts on {MACHINES} machines, CPU", "s", [found.place_s for found in simulated]),
        figure(
            "difference between the fullest and the emptiest machine",
            "% of a machine",
            uneven,
            percent=100,
            promise=at_most(15),
        ),
        figure("machine lost: hosts moved per host that it had", "%", moved, percent=100, promise=at_most(100)),
    )
