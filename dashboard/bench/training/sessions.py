"""``class``: measures a training session. 200 participants join, predict and receive the answer; the server is killed,
and all reconnect; then 500 participants watch."""

import asyncio
import os
import signal
import time

from dashboard.bench.benchmark import BenchmarkRun
from dashboard.bench.broadcast_server import broadcast_server
from dashboard.bench.processes import Program, memory_mb
from dashboard.bench.server import Server, free_port, serving
from dashboard.bench.statistics import Figure, Result, at_most, figure
from dashboard.bench.training.deliveries import (
    MAX_DELIVERY_MS,
    NOTES,
    Instructor,
    broadcasts,
    deliveries,
    delivery_figure,
    join,
)
from dashboard.bench.websocket_clients import websocket_clients
from dashboard.models import Answer

LIMIT_S = 400.0
PARTICIPANTS, WATCHERS = 200, 500
JOIN_S, PREDICT_S, RECONNECT_S = 10.0, 5.0, 15.0
MAX_MB = 400.0
PAUSE_S = 0.7
STEPS = ("launch", "request", "interfaces", "process", "stop", "isolation", "performance", "ports")


def count_answers(session: str) -> tuple[int, int]:
    """The number of answers in the database, and the number of different pairs of participant and step among them."""
    answers = Answer.objects.filter(session_id=session)
    return answers.count(), answers.values("participant_id", "step").distinct().count()


def _single(name: str, unit: str, value: float, limit: float) -> Figure:
    return figure(name, unit, [value], promise=at_most(limit))


async def benchmark(run: BenchmarkRun) -> Result:
    """Measures a session with predictions, a kill of the server, and a session in which participants only watch."""
    steps = STEPS[:2] if run.quick else STEPS
    port = free_port()
    host = f"127.0.0.1:{port}"
    figures: list[Figure] = []
    async with (
        broadcast_server() as (bare, bare_address),
        websocket_clients(host) as participants,
        websocket_clients(host) as others,
    ):
        async with serving(port=port) as server:
            instructor = await asyncio.to_thread(Instructor.with_session, server, PARTICIPANTS)
            run.say(f"{PARTICIPANTS} participants join")
            joined = await join(participants, instructor, PARTICIPANTS, JOIN_S)
            figures.append(_single(f"until {PARTICIPANTS} participants have joined", "s", joined, JOIN_S))
            await others.ask("listen", address=bare_address, count=PARTICIPANTS)
            predicted, reveals, references = [], [], []
            for number, step in enumerate(steps):
                run.say(f"step {number + 1} of {len(steps)}")
                await asyncio.to_thread(instructor.steer, "step", step=step)
                predicted.append(await participants.ask("predict", step=step, within_s=PREDICT_S))
                await asyncio.sleep(PAUSE_S)
                references += await broadcasts(bare, [others], number)
                started = await asyncio.to_thread(instructor.steer, "reveal", step=step)
                reveals += await deliveries([participants], started, "revealed", step)
            figures.append(figure("until all have predicted", "s", predicted, percent=100, promise=at_most(PREDICT_S)))
            figures.append(delivery_figure(f"from the reveal's POST to each of {PARTICIPANTS}", reveals, references))
            rows, distinct = await asyncio.to_thread(count_answers, instructor.session)
            expected = PARTICIPANTS * len(steps)
            wrong = abs(expected - rows) + abs(rows - distinct)
            figures.append(_single("answers lost or counted twice", "", wrong, 0))
            memory = memory_mb(*server.pids)
            figures.append(_single(f"memory of the server with {PARTICIPANTS} participants", "MB", memory, MAX_MB))
            run.say("the server is killed")
            killed = time.monotonic()
            os.kill(server.pid, signal.SIGKILL)
        async with serving(port=port) as server:
            back = max(await deliveries([participants], killed, "step", steps[-1])) / 1e3
            figures.append(_single("until all are back at the same step after SIGKILL", "s", back, RECONNECT_S))
            lost = expected - (await asyncio.to_thread(count_answers, instructor.session))[1]
            figures.append(_single("acknowledged answers lost by SIGKILL", "", float(lost), 0))
            run.say(f"{WATCHERS} watch")
            figures.append(await _watch(server, bare, bare_address, 5 if run.quick else 20))
            memory = memory_mb(*server.pids)
    return Result(
        "class",
        f"Training session: {PARTICIPANTS} participants join, predict and receive the answer; {WATCHERS} watch",
        f"joined in {JOIN_S:g} s, predicted in {PREDICT_S:g} s, p99 of deliveries {MAX_DELIVERY_MS:g} ms, server under "
        f"{MAX_MB:g} MB, no answer lost or counted twice, all back {RECONNECT_S:g} s after SIGKILL",
        tuple(figures),
        (
            "Each participant opens the link, posts the form, loads the lobby, listens on a websocket and predicts.",
            "They start at even distances within the first half of the promised time.",
            *NOTES,
            f"With {PARTICIPANTS} and {WATCHERS} clients the server used {memory:.0f} MB.",
        ),
    )


async def _watch(server: Server, bare: Program, bare_address: str, rounds: int) -> Figure:
    """Measures the deliveries to 500 participants while the instructor points at one row after the other. The
    deliveries of ``bare``, the server of ``broadcast_server``, are the reference. ``bare_address`` is its URL."""
    instructor = await asyncio.to_thread(Instructor.with_session, server, WATCHERS)
    async with websocket_clients(server.host) as watchers, websocket_clients(server.host) as others:
        await join(watchers, instructor, WATCHERS, 30.0)
        await others.ask("listen", address=bare_address, count=WATCHERS)
        ours, references = [], []
        for number in range(rounds):
            await asyncio.sleep(PAUSE_S)
            references += await broadcasts(bare, [others], 1000 + number)
            row = f"interfaces/eth0/{number}"
            started = await asyncio.to_thread(instructor.steer, "pointer", row=row)
            ours += await deliveries([watchers], started, "pointer", row)
    return delivery_figure(f"from the instructor's POST to each of {WATCHERS}", ours, references)
