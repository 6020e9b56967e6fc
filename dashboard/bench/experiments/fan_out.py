"""``fan-out``: measures the server's processor time per delivered message with 200 browsers, compared with a server
that only calls ``websockets.broadcast``."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from dashboard.bench.benchmark import BenchmarkError, BenchmarkRun
from dashboard.bench.broadcast_server import broadcast_server
from dashboard.bench.experiments.change import ChangingArm, address_number, changing_arm
from dashboard.bench.processes import Program, cpu_seconds
from dashboard.bench.server import serving
from dashboard.bench.statistics import MEAN, Result, compared, ratio_at_most, spread
from dashboard.bench.websocket_clients import websocket_clients
from dashboard.core.modes import Mode

CLIENTS = 200
PER_S = 10
#: The time after the last change of a block, for messages that are still in flight.
TAIL_S = 0.3
#: Changes of the round that does not count (even, because each address that is added is removed again).
WARM_UP = 10
REST_S = 2.0
#: The server's pings are messages too, but no patches.
MAX_PING_CHARACTERS = 100
#: Without host mode: two experiments run at once, and both would need port 80 of the machine.
MODES = (Mode.BRIDGE, Mode.NONE, Mode.BRIDGE, Mode.BRIDGE)


@dataclass(frozen=True, slots=True)
class Block:
    """A few seconds in which a server sends messages. ``cpu_s`` is the server's processor time. ``messages`` is the
    number of messages that all clients received. ``texts`` are the messages of the first client. ``sent`` is the number
    of changes or broadcasts that caused the messages."""

    cpu_s: float
    messages: int
    texts: list[str]
    sent: int

    @property
    def us_per_message(self) -> float:
        """The processor time per received message, in µs."""
        return self.cpu_s / self.messages * 1e6


async def measure_block(
    pids: Sequence[int], clients: Program, send: Callable[[int], Awaitable[object]], count: int, tail_s: float = TAIL_S
) -> Block:
    """Measures a server while it sends messages. Calls ``send`` ``PER_S`` times a second, with the numbers from 0 to
    ``count`` - 1. Then waits ``tail_s`` seconds for messages in flight. ``pids`` are the server's processes, whose
    processor time is measured. ``clients`` is the program whose clients receive the messages."""
    loop = asyncio.get_running_loop()
    await clients.ask("take")
    before, started = sum(map(cpu_seconds, pids)), loop.time()
    for number in range(count):
        await asyncio.sleep(started + number / PER_S - loop.time())
        await send(number)
    await asyncio.sleep(started + count / PER_S + tail_s - loop.time())
    used = sum(map(cpu_seconds, pids)) - before
    taken = await clients.ask("take")
    return Block(used, taken["messages"], taken["texts"], count)


async def measure_server(arm: ChangingArm, pids: Sequence[int], clients: Program, changes: int) -> Block:
    """Measures Netmodes' server while addresses are added and removed. For each change, every client receives a
    patch."""
    return await measure_block(
        pids,
        clients,
        lambda number: arm.change("remove" if number % 2 else "add", address_number(number)),
        changes,
    )


def per_delivery(many: Block, single: Block) -> float:
    """The processor time in µs of delivering a patch to one more browser. It is computed from the difference between
    ``many``, a block with many browsers, and ``single``, a block with one browser."""
    cost = many.cpu_s / many.sent - single.cpu_s / single.sent
    return cost / (many.messages / many.sent - single.messages / single.sent) * 1e6


async def benchmark(run: BenchmarkRun) -> Result:
    """Measures, in turn, Netmodes' server with 200 browsers and with one, and the reference with 200 clients."""
    rounds, changes = (2, 8) if run.quick else (9, 24)
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving())
        bare, bare_address = await stack.enter_async_context(broadcast_server())
        run.say("launching two experiments of four arms")
        watched = await stack.enter_async_context(changing_arm(server, MODES))
        alone = await stack.enter_async_context(changing_arm(server, MODES))
        for arm in (watched, alone):
            await arm.frames.close()  # it would count as another browser
        run.say(f"connecting {CLIENTS} clients to each server")
        clients = []
        for address, count, cookies in (
            (f"/ws/experiments/{watched.frames.experiment}/", CLIENTS, server.cookies),
            (f"/ws/experiments/{alone.frames.experiment}/", 1, server.cookies),
            (bare_address, CLIENTS, None),
        ):
            clients.append(await stack.enter_async_context(websocket_clients(server.host)))
            await clients[-1].ask("listen", address=address, count=count, cookies=cookies)
        ours, single, others = clients
        rounds_taken: list[tuple[Block, Block, Block]] = []
        for number in range(rounds + 1):
            run.say(f"round {number} of {rounds}")
            count = changes if number else WARM_UP
            if number % 2:  # the order alternates: load and clock of a machine drift
                one = await measure_server(alone, server.pids, single, count)
            many = await measure_server(watched, server.pids, ours, count)
            if many.messages < CLIENTS * len(many.texts):
                raise BenchmarkError("messages were lost")
            texts = many.texts
            other = await measure_block([bare.pid], others, lambda sent: bare.write(texts[sent]), len(texts))  # noqa: B023
            if not number % 2:
                one = await measure_server(alone, server.pids, single, count)
            if number:  # the first round warms up
                rounds_taken.append((many, other, one))
        at_rest = await measure_block(server.pids, ours, lambda _number: asyncio.sleep(0), 0, REST_S)
    return result_of(rounds_taken, at_rest, quick=run.quick)


def result_of(rounds: list[tuple[Block, Block, Block]], at_rest: Block, *, quick: bool) -> Result:
    """Returns the result of the benchmark. Each round has three blocks: Netmodes with many browsers, the reference, and
    Netmodes with one browser. ``at_rest`` is a block without changes. The result of a quick run lacks the figure with
    the promise, because its rounds are too few and too short."""
    delivery = [(per_delivery(many, one), other.us_per_message) for many, other, one in rounds]
    everything = [(many.us_per_message, other.us_per_message) for many, other, _ in rounds]
    unit, reference = "µs of CPU", "websockets.broadcast"
    delivering = compared("delivering one message", unit, delivery, reference, percent=MEAN, promise=ratio_at_most(1.2))
    lengths = [len(text) for many, _, _ in rounds for text in many.texts if len(text) > MAX_PING_CHARACTERS]
    patches = len(lengths) / sum(many.sent for many, _, _ in rounds)
    single = spread([one.cpu_s / one.sent * 1e3 for _, _, one in rounds])
    return Result(
        "fan-out",
        f"Fan-out: {CLIENTS} browsers, {PER_S} changes a second",
        "CPU per delivered message at most 1.2 times a bare websockets.broadcast of the same messages",
        (
            *(() if quick else (delivering,)),
            compared("delivering, watching and comparing", unit, everything, reference, percent=MEAN),
        ),
        (
            f"Messages of {spread(lengths)} bytes, the same for both, {patches:.2f} per change; uncompressed; uvloop.",
            f"Delivering: {CLIENTS} browsers minus one browser of another experiment with as many patches.",
            f"With one browser a patch took {single} ms of processor time.",
            f"At rest, watching two experiments of four arms, the server used {at_rest.cpu_s / REST_S:.2%} of a core.",
        ),
    )
