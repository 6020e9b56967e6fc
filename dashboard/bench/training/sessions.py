"""A class by the hundred: 200 join, predict and hear the reveal; 500 watch; the server is killed and all come back."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

import psutil

from dashboard.bench.broadcast_server import Broadcaster, broadcasting
from dashboard.bench.server import Server, ServerError, free_port, serving
from dashboard.bench.statistics import Figure, Of, Promise, Result, compared, figure
from dashboard.bench.training.participants import Pupils, pupils
from dashboard.core.measurements.statistics import percentile

LIMIT_S = 400.0
PEOPLE, WATCHERS = 200, 500
JOIN_S, PREDICT_S, BACK_S = 10.0, 5.0, 15.0
MOST_MB = 400.0
HEARD_MS = 250.0
PAUSE_S = 0.7
STEPS = ("launch", "request", "interfaces", "process", "stop", "isolation", "performance", "ports")


class Teacher:
    """The instructor of one session, over HTTP."""

    def __init__(self, server: Server, session: str, code: str, key: str) -> None:
        self.server, self.session, self.code, self.key = server, session, code, key

    @classmethod
    def with_class(cls, server: Server, seats: int) -> Teacher:
        """A new session with so many seats."""
        wanted = {"title": "Bench", "workshop": "host-network", "seats_most": str(seats), "hours": "1"}
        answer = server.ask("POST", "/sessions/new/", urlencode(wanted))
        found = re.fullmatch(r"/sessions/([^/]+)/console/", answer.headers.get("location", ""))
        if found is None:
            raise ServerError(f"the form of a new session answered {answer.status}")
        console = server.ask("GET", found[0]).body.decode()
        link = re.search(r"code=([0-9A-Z]{8})&amp;key=([\w-]+)", console)
        if link is None:
            raise ServerError("the console shows no link")
        return cls(server, found[1], link[1], link[2])

    def steer(self, what: str, **fields: str) -> float:
        """Does it; when it was asked for, in seconds of CLOCK_MONOTONIC."""
        started = time.monotonic()
        answer = self.server.ask("POST", f"/sessions/{self.session}/console/steer/{what}/", urlencode(fields))
        if answer.status != 302:
            raise ServerError(f"{what} was answered with {answer.status}")
        return started


def answers_in(folder: Path, session: str) -> tuple[int, int]:
    """How many answers the database has, and of how many seats and steps."""
    with closing(sqlite3.connect(f"file:{folder / 'netmodes.db'}?mode=ro", uri=True)) as opened:
        query = "SELECT count(*), count(DISTINCT seat_id || step) FROM dashboard_answer WHERE session_id = ?"
        found: tuple[int, int] = opened.execute(query, (session,)).fetchone()
        return found


async def _all_done(done: dict[str, object], what: str) -> float:
    if done["failures"]:
        raise ServerError(f"{done['failures']} could not {what}: {done['failed']}")
    return float(str(done["seconds"]))


async def _heard(people: Pupils, count: int, started: float, field: str, value: object) -> list[float]:
    """How many ms after ``started`` each has heard it; ServerError if somebody never does."""
    times = (await people.ask("until", field=field, value=value, after=started))["times"]
    if len(times) != count:
        raise ServerError(f"{count - len(times)} of {count} never heard it")
    return [(one - started) * 1e3 for one in times]


async def _bare(bare: Broadcaster, others: Pupils, count: int, number: int) -> list[float]:
    """The same for a bare broadcast of a message as long."""
    text = json.dumps({"number": number, "fill": "x" * 900})
    started = time.monotonic()
    await bare.send(text)
    return await _heard(others, count, started, "number", number)


def _figure(name: str, ours: list[float], bare: list[float]) -> Figure:
    """p99 of all deliveries beside that of the bare broadcast."""
    return compared(
        name,
        "ms",
        list(zip(ours, bare, strict=True)),
        "websockets.broadcast",
        percent=99,
        promise=Promise(Of.VALUE, HEARD_MS),
    )


async def benchmark(folder: Path, say: Callable[[str], None], *, quick: bool) -> Result:
    """All of it in one run."""
    steps = STEPS[:2] if quick else STEPS
    pointers = 5 if quick else 20
    data, port = folder / "server", free_port()
    host = f"127.0.0.1:{port}"
    figures: list[Figure] = []
    async with broadcasting() as bare, pupils(host) as people, pupils(host) as others:
        async with serving(data, port) as server:
            teacher = await asyncio.to_thread(Teacher.with_class, server, PEOPLE)
            say(f"class: {PEOPLE} people join")
            joined = await people.ask("join", code=teacher.code, key=teacher.key, count=PEOPLE, within_s=JOIN_S)
            figures.append(_once(f"until {PEOPLE} people have joined", "s", await _all_done(joined, "join"), JOIN_S))
            await others.ask("listen", url=bare.url, count=PEOPLE)
            predicted, reveals, broadcasts = [], [], []
            for number, step in enumerate(steps):
                say(f"class: step {number + 1} of {len(steps)}")
                await asyncio.to_thread(teacher.steer, "step", step=step)
                done = await people.ask("predict", step=step, within_s=PREDICT_S)
                predicted.append(await _all_done(done, "predict"))
                await asyncio.sleep(PAUSE_S)
                broadcasts += await _bare(bare, others, PEOPLE, number)
                started = await asyncio.to_thread(teacher.steer, "reveal", step=step)
                reveals += await _heard(people, PEOPLE, started, "revealed", step)
                await people.ask("forget")
            figures.append(figure("until all have predicted", "s", predicted, percent=100, promise=_most(PREDICT_S)))
            figures.append(_figure("from the reveal's POST to each of 200", reveals, broadcasts))
            rows, distinct = await asyncio.to_thread(answers_in, data, teacher.session)
            expected = PEOPLE * len(steps)
            figures.append(_once("answers lost or counted twice", "", abs(expected - rows) + abs(rows - distinct), 0))
            memory = psutil.Process(server.pid).memory_info().rss / 1e6
            figures.append(_once("memory of the server with 200 people", "MB", memory, MOST_MB))
            say("class: the server is killed")
            killed = time.monotonic()
            os.kill(server.pid, signal.SIGKILL)
        async with serving(data, port) as server:
            back = max(await _heard(people, PEOPLE, killed, "step", steps[-1])) / 1e3
            figures.append(_once("until all are back at the same step after SIGKILL", "s", back, BACK_S))
            lost = expected - (await asyncio.to_thread(answers_in, data, teacher.session))[1]
            figures.append(_once("acknowledged answers lost by SIGKILL", "", float(lost), 0))
            figures.append(await _watchers(server, host, bare, pointers, say))
            memory = psutil.Process(server.pid).memory_info().rss / 1e6
    return Result(
        "class",
        f"A class: {PEOPLE} people join, predict and hear the reveal; {WATCHERS} watch one instructor",
        f"joined in {JOIN_S:g} s, predicted in {PREDICT_S:g} s, p99 of what is told {HEARD_MS:g} ms, server under "
        f"{MOST_MB:g} MB, no answer lost or counted twice, all back {BACK_S:g} s after SIGKILL",
        tuple(figures),
        (
            "Each person opens the link, posts the form, sees the lobby, listens on a websocket and posts predictions.",
            "They begin at even distances within the first half of the time that is promised.",
            "Told: from before the instructor's POST to the arrival at each client, on the same machine as the server.",
            "The reference broadcasts 900 bytes and does nothing else.",
            f"With {PEOPLE} and {WATCHERS} clients the server took {memory:.0f} MB.",
        ),
    )


def _most(limit: float) -> Promise:
    return Promise(Of.VALUE, limit)


def _once(name: str, unit: str, value: float, limit: float) -> Figure:
    return figure(name, unit, [value], promise=_most(limit))


async def _watchers(server: Server, host: str, bare: Broadcaster, rounds: int, say: Callable[[str], None]) -> Figure:
    """500 who look at one instructor that points at rows, one after the other."""
    say(f"class: {WATCHERS} watch")
    teacher = await asyncio.to_thread(Teacher.with_class, server, WATCHERS)
    async with pupils(host) as watchers, pupils(host) as others:
        joined = await watchers.ask("join", code=teacher.code, key=teacher.key, count=WATCHERS, within_s=30.0)
        await _all_done(joined, "join")
        await others.ask("listen", url=bare.url, count=WATCHERS)
        await asyncio.sleep(PAUSE_S)
        ours, theirs = [], []
        for number in range(rounds):
            await asyncio.sleep(PAUSE_S)
            theirs += await _bare(bare, others, WATCHERS, 1000 + number)
            started = await asyncio.to_thread(teacher.steer, "pointer", row=f"interfaces/eth0/{number}")
            ours += await _heard(watchers, WATCHERS, started, "pointer", f"interfaces/eth0/{number}")
            await watchers.ask("forget")
    if percentile(ours, 50) <= 0:
        raise ServerError("nobody hears before it is said")
    return _figure("from the instructor's POST to each of 500", ours, theirs)
