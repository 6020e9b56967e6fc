"""A thousand browsers over two web processes: what the instructor does at one reaches those at both."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import psutil

from dashboard.bench.broadcast_server import broadcasting
from dashboard.bench.operations.team_deployment import TeamShape, team_shape
from dashboard.bench.server import Server, ServerError
from dashboard.bench.statistics import Figure, Of, Promise, Result, compared, figure
from dashboard.bench.training.participants import Pupils, pupils
from dashboard.bench.training.sessions import Teacher

LIMIT_S = 400.0
#: A session takes so many people at most; each half of the crowd is a class of its own, spread over both processes.
CLASSES, AT_EACH = 2, 250
PEOPLE = CLASSES * 2 * AT_EACH
JOIN_S = 60.0
HEARD_MS = 250.0
PAUSE_S = 0.7


async def _heard(people: list[Pupils], started: float, value: str) -> list[float]:
    """How many ms after ``started`` each of these has heard it; ServerError if somebody never does."""
    found = await asyncio.gather(*(one.ask("until", field="pointer", value=value, after=started) for one in people))
    times = [at for one in found for at in one["times"]]
    if len(times) != len(people) * AT_EACH:
        raise ServerError(f"{len(people) * AT_EACH - len(times)} of {len(people) * AT_EACH} never heard it")
    return [(one - started) * 1e3 for one in times]


async def _forget(people: list[Pupils]) -> None:
    await asyncio.gather(*(one.ask("forget") for one in people))


async def _join(teachers: list[Teacher], crowds: list[list[Pupils]]) -> float:
    """Everybody joins; how long that took, in seconds."""
    jobs = [
        people.ask("join", code=teacher.code, key=teacher.key, count=AT_EACH, within_s=JOIN_S, first=number * AT_EACH)
        for teacher, crowd in zip(teachers, crowds, strict=True)
        for number, people in enumerate(crowd)
    ]
    done = await asyncio.gather(*jobs)
    if failed := [one for joined in done for one in joined["failed"]]:
        raise ServerError(f"somebody could not join: {failed[0]}")
    return max(float(one["seconds"]) for one in done)


async def benchmark(folder: Path, say: Callable[[str], None], *, quick: bool) -> Result:
    """Joins and pointers, at either process in turn."""
    del folder  # ordinary users cannot enter it
    rounds = 4 if quick else 20
    with team_shape(os.environ["DOCKER_HOST"]) as shape:
        async with AsyncExitStack() as stack:
            owners = [Server(web.pid, web.host) for web in shape.webs]
            for owner, link in zip(owners, shape.links, strict=True):
                await asyncio.to_thread(owner.sign_in, link)
            teachers = [await asyncio.to_thread(Teacher.with_class, owners[0], 2 * AT_EACH) for _ in range(CLASSES)]
            crowds = [[await stack.enter_async_context(pupils(web.host)) for web in shape.webs] for _ in teachers]
            say(f"team: {PEOPLE} people join at two web processes")
            try:
                joined = await _join(teachers, crowds)
            except ServerError:
                say("\n".join(web.err()[-2000:] for web in shape.webs))
                raise
            bare = await stack.enter_async_context(broadcasting())
            everybody = [people for crowd in crowds for people in crowd]
            others = [await stack.enter_async_context(pupils(shape.webs[0].host)) for _ in everybody]
            await asyncio.gather(*(one.ask("listen", url=bare.url, count=AT_EACH) for one in others))
            ours, theirs = [], []
            for number in range(rounds):
                value = f"interfaces/eth0/{number}"
                for place, teacher in enumerate(teachers):
                    teacher.server = owners[(number + place) % len(owners)]
                await asyncio.sleep(PAUSE_S)
                begun = await asyncio.gather(
                    *(asyncio.to_thread(teacher.steer, "pointer", row=value) for teacher in teachers)
                )
                times = [await _heard(crowd, started, value) for crowd, started in zip(crowds, begun, strict=True)]
                say(f"team: round {number + 1}, the last after {', '.join(f'{max(one):.0f}' for one in times)} ms")
                ours += [one for found in times for one in found]
                await _forget(everybody)
                await asyncio.sleep(PAUSE_S)
                text = f'{{"pointer": "bare/{number}", "fill": "{"x" * 900}"}}'
                started = time.monotonic()
                await bare.send(text)
                theirs += await _heard(others, started, f"bare/{number}")
                await _forget(others)
            figures = _figures(shape, joined, ours, theirs)
    return Result(
        "team",
        f"The team shape: {PEOPLE} browsers in {CLASSES} classes over two web processes, on PostgreSQL and Redis",
        f"p99 of what is told {HEARD_MS:g} ms at both processes",
        figures,
        (
            f"Each class has {2 * AT_EACH} people, half of them at each process; both are told at the same time.",
            "Told: from before the instructor's POST, at either, to the arrival at each client, on one machine.",
            "The reference broadcasts 900 bytes to as many and does nothing else.",
        ),
    )


def _figures(shape: TeamShape, joined: float, ours: list[float], theirs: list[float]) -> tuple[Figure, ...]:
    told = compared(
        f"from the instructor's POST to each of {PEOPLE}",
        "ms",
        list(zip(ours, theirs, strict=True)),
        "websockets.broadcast",
        percent=99,
        promise=Promise(Of.VALUE, HEARD_MS),
    )
    memory = [psutil.Process(web.pid).memory_info().rss / 1e6 for web in shape.webs]
    return (
        figure(f"until {PEOPLE} people have joined", "s", [joined], promise=Promise(Of.VALUE, JOIN_S * 2)),
        told,
        figure("memory of each web process", "MB", memory, percent=100, promise=Promise(Of.VALUE, 400.0)),
    )
