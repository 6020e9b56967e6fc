"""What a message to a browser costs the server with 200 of them, beside a bare ``websockets.broadcast``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from dashboard.bench.broadcast_server import Broadcaster, broadcasting
from dashboard.bench.experiments.change import Scene, running_experiment
from dashboard.bench.processes import cpu_seconds
from dashboard.bench.server import Server, ServerError, serving
from dashboard.bench.statistics import MEAN, Of, Promise, Result, compared, spread
from dashboard.bench.websocket_clients import Crowd, Harvest, crowd
from dashboard.core.modes import Mode

CLIENTS = 200
PER_S = 10
PROMISE = Promise(Of.RATIO, 1.2)
#: After the last change of a block, for what is still under way.
TAIL_S = 0.3
#: Changes of the round that does not count (even: what comes must go).
WARM_UP = 10
REST_S = 2.0
#: Now and then the server pings its browsers with a message, which is no patch.
LONGEST_PING = 100
#: No host mode: two experiments run at once, and both would want port 80 of the machine.
MODES = (Mode.BRIDGE, Mode.NONE, Mode.BRIDGE, Mode.BRIDGE)


@dataclass(frozen=True, slots=True)
class Block:
    """Some seconds of one server: what it used, what arrived, and how many times something was sent."""

    cpu_s: float
    harvest: Harvest
    sent: int

    @property
    def us_per_message(self) -> float:
        """CPU per delivered message in µs."""
        return self.cpu_s / self.harvest.messages * 1e6


async def measure_block(
    pid: int, clients: Crowd, send: list[Callable[[], Awaitable[object]]], tail_s: float = TAIL_S
) -> Block:
    """Sends at ``PER_S`` and waits for what is under way."""
    loop = asyncio.get_running_loop()
    await clients.take()
    before, started = cpu_seconds(pid), loop.time()
    for number, one in enumerate(send):
        await asyncio.sleep(started + number / PER_S - loop.time())
        await one()
    await asyncio.sleep(started + len(send) / PER_S + tail_s - loop.time())
    return Block(cpu_seconds(pid) - before, await clients.take(), len(send))


async def measure_ours(scene: Scene, pid: int, clients: Crowd, changes: int) -> Block:
    """An address comes and goes: every change is a patch for everybody."""

    def change(number: int) -> Callable[[], Awaitable[object]]:
        verb, address = "remove" if number % 2 else "add", f"198.51.100.{number // 2 % 250 + 1}"
        return lambda: scene.changer.ask(verb, address)

    return await measure_block(pid, clients, [change(number) for number in range(changes)])


async def measure_bare(bare: Broadcaster, clients: Crowd, texts: list[str]) -> Block:
    """The same texts."""

    def sending(text: str) -> Callable[[], Awaitable[object]]:
        return lambda: bare.send(text)

    return await measure_block(bare.pid, clients, [sending(text) for text in texts])


def per_delivery(many: Block, one: Block) -> float:
    """µs of CPU for one more message: ``many`` less ``one``, which made as many patches for a single browser."""
    return (
        (many.cpu_s / many.sent - one.cpu_s / one.sent)
        / (many.harvest.messages / many.sent - one.harvest.messages / one.sent)
        * 1e6
    )


async def benchmark(folder: Path, say: Callable[[str], None], *, quick: bool) -> Result:
    """All of it."""
    rounds, changes = (2, 8) if quick else (9, 24)
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving(folder / "server"))
        bare = await stack.enter_async_context(broadcasting())
        say("fan-out: launching two experiments of four arms")
        watched = await stack.enter_async_context(running_experiment(server, MODES))
        alone = await stack.enter_async_context(running_experiment(server, MODES))
        for scene in (watched, alone):
            await scene.frames.close()  # it would be a browser too
        say(f"fan-out: connecting {CLIENTS} clients to each server")
        credentials = (server.origin, server.cookie_header)
        ours = await stack.enter_async_context(crowd(_address(server, watched), CLIENTS, *credentials))
        single = await stack.enter_async_context(crowd(_address(server, alone), 1, *credentials))
        others = await stack.enter_async_context(crowd(bare.url, CLIENTS))
        rows: list[tuple[Block, Block, Block]] = []
        for number in range(rounds + 1):
            say(f"fan-out: round {number} of {rounds}")
            count = changes if number else WARM_UP
            if number % 2:  # who comes first takes turns: a machine's load and clock drift
                one = await measure_ours(alone, server.pid, single, count)
            many = await measure_ours(watched, server.pid, ours, count)
            if many.harvest.messages < CLIENTS * len(many.harvest.texts):
                raise ServerError("messages were lost")
            other = await measure_bare(bare, others, many.harvest.texts)
            if not number % 2:
                one = await measure_ours(alone, server.pid, single, count)
            if number:  # the first round warms up
                rows.append((many, other, one))
        at_rest = (await measure_block(server.pid, ours, [], REST_S)).cpu_s / REST_S * 100
    delivery = [(per_delivery(many, one), other.us_per_message) for many, other, one in rows]
    everything = [(many.us_per_message, other.us_per_message) for many, other, _ in rows]
    texts = [len(text) for many, _, _ in rows for text in many.harvest.texts if len(text) > LONGEST_PING]
    patches = len(texts) / sum(many.sent for many, _, _ in rows)
    unit, reference = "µs of CPU", "websockets.broadcast"
    figures = [compared("delivering one message", unit, delivery, reference, percent=MEAN, promise=PROMISE)]
    if quick:  # two short rounds say nothing about so small a difference, not even its sign
        figures.clear()
    figures.append(compared("delivering, watching and comparing", unit, everything, reference, percent=MEAN))
    making = spread([one.cpu_s / one.sent * 1e3 for _, _, one in rows])
    return Result(
        "fan-out",
        f"Fan-out: {CLIENTS} browsers, {PER_S} changes a second",
        "CPU per delivered message at most 1.2 times a bare websockets.broadcast of the same messages",
        tuple(figures),
        (
            f"Messages of {spread(texts)} bytes, the same for both, {patches:.2f} per change; no compression; uvloop.",
            "Delivering is what 200 browsers cost more than one does, with as many patches of another experiment.",
            f"With one browser a patch cost {making} ms in all.",
            f"At rest, watching two experiments of four arms, the server used {at_rest:.2g} % of a core.",
        ),
    )


def _address(server: Server, scene: Scene) -> str:
    return f"ws://{server.host}/ws/experiments/{scene.experiment}/"
