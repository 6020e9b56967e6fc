"""``change``: measures the time from the system call of a change to the frame in the browser, compared with ``ip
monitor`` and ``ss``."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from dashboard.bench.benchmark import BenchmarkError, BenchmarkRun
from dashboard.bench.processes import Program, output_of, program, running
from dashboard.bench.server import Frames, Server, serving
from dashboard.bench.statistics import Result, at_most, percentiles_compared
from dashboard.core.modes import Mode
from dashboard.engine.daemon_process import find_daemon
from dashboard.engine.docker_engine import default_endpoint
from dashboard.engine.pid_namespaces import machine_pid

MODES = (Mode.HOST, Mode.BRIDGE, Mode.NONE, Mode.BRIDGE)
LINK = "eth0"
ARRIVAL_S = 5.0
#: Pauses between changes, random so that they do not fall into step with a poll.
PAUSE_S = (0.02, 0.08)
FIRST_PORT = 20000
#: The number of changes at the beginning that are not measured.
WARM_UP = 2


@dataclass(frozen=True, slots=True)
class ChangingArm:
    """The arm of a running experiment in which changes are made. ``frames`` receives the messages about the experiment
    as a browser does. ``column`` is the key of the arm's column. ``pid`` is the pid of the first process in the arm's
    container. ``changer`` runs the program ``namespace_changes``, which makes the changes."""

    frames: Frames
    column: str
    pid: int
    changer: Program

    async def change(self, command: str, argument: object) -> float:
        """Makes the change that ``Changer.execute`` makes with these arguments. Returns the time of the system call, by
        the event loop's clock."""
        return int(await self.changer.ask("execute", command=command, argument=str(argument))) / 1e9

    async def until(self, condition: Callable[[], bool]) -> float:
        """Reads frames until the condition is true. Returns the arrival time of the last frame."""
        while not condition():
            await self.frames.next(ARRIVAL_S)
        return self.frames.received_at

    def shows_address(self, address: str) -> bool:
        """Whether the browser shows that an interface of the arm has the address."""
        return self.frames.shows(f"{address}/", "interfaces", self.column)

    def shows_listener(self, port: int) -> bool:
        """Whether the browser shows that the arm listens on a TCP port."""
        return self.frames.cells.get(f"listeners/tcp :{port}/", {}).get(self.column) is not None


def address_number(number: int) -> str:
    """The address that the change with this number adds or removes. An even number adds the address, the next number
    removes it."""
    return f"198.51.100.{number // 2 % 250 + 1}"


@asynccontextmanager
async def changing_arm(server: Server, modes: Sequence[Mode] = MODES) -> AsyncIterator[ChangingArm]:
    """Context manager that runs an experiment with an arm for each mode. Changes are made in the last arm, which must
    have the interface ``LINK``."""
    async with server.running_experiment(modes) as frames:
        column = frames.columns[-1]
        shown = int(await output_of("docker", "inspect", "-f", "{{.State.Pid}}", column["container"]["id"]))
        pid = machine_pid(shown, find_daemon(default_endpoint()))
        async with program("experiments.namespace_changes", str(pid), LINK) as changer:
            yield ChangingArm(frames, column["key"], pid, changer)


async def _until_printed(monitor: Program, address: str, *, added: bool) -> float:
    """Reads from ``ip monitor`` until it prints that the address was added or, if ``added`` is false, removed. Returns
    the event loop's time at that moment."""
    while True:
        line = await monitor.read(ARRIVAL_S)
        printed_at = asyncio.get_running_loop().time()
        if f" {address}/" in line and line.startswith("Deleted") is not added:
            return printed_at


async def measure_addresses(arm: ChangingArm, count: int, source: random.Random) -> list[tuple[float, float]]:
    """Measures how soon a changed address is shown. Adds and removes addresses in turn, ``count`` changes in all, with
    random pauses from ``source``. Returns two delays in milliseconds for each change, both from the system call. The
    first ends when the frame with the change reaches the browser, the second when ``ip monitor`` prints the change."""
    pairs: list[tuple[float, float]] = []
    monitor_command = ["nsenter", "-t", str(arm.pid), "-n", "ip", "-o", "monitor", "address"]
    async with running(monitor_command) as monitor:
        for number in range(count + WARM_UP):
            address, added = address_number(number), number % 2 == 0
            asked = asyncio.create_task(arm.change("add" if added else "remove", address))
            framed, printed, started = await asyncio.gather(
                arm.until(lambda address=address, added=added: arm.shows_address(address) is added),  # type: ignore[misc]
                _until_printed(monitor, address, added=added),
                asked,
            )
            if number >= WARM_UP:
                pairs.append(((framed - started) * 1e3, (printed - started) * 1e3))
            await asyncio.sleep(source.uniform(*PAUSE_S))
    return pairs


async def _listen(arm: ChangingArm, port: int, source: random.Random, *, with_ss: bool) -> float:
    """Measures how soon a new listener is shown, in milliseconds from listen(2). The time ends when the frame with the
    listener reaches the browser. If ``with_ss`` is true, starts ``ss`` right after listen(2), and the time ends when
    ``ss`` has printed the port. Afterwards, closes the listener and pauses for a random time from ``source``."""
    started = await arm.change("listen", port)
    if with_ss:
        printed = await output_of("nsenter", "-t", str(arm.pid), "-n", "ss", "-Hltn", f"sport = :{port}")
        finished = asyncio.get_running_loop().time()
        if f":{port}" not in printed:
            raise BenchmarkError(f"ss does not list port {port}")
    framed = await arm.until(lambda: arm.shows_listener(port))
    await arm.change("close", port)
    await arm.until(lambda: not arm.shows_listener(port))
    # The frame came right after a poll: without a pause the next listener would always open right after one, too.
    await asyncio.sleep(source.uniform(*PAUSE_S))
    return ((finished if with_ss else framed) - started) * 1e3


async def benchmark(run: BenchmarkRun) -> Result:
    """Measures the delay until changes are shown, first of addresses, then of listeners."""
    source = random.Random(1)  # noqa: S311 - pauses
    addresses, listeners = (30, 8) if run.quick else (300, 80)
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving())
        run.say("launching four arms")
        arm = await stack.enter_async_context(changing_arm(server))
        run.say(f"{addresses} addresses are added and removed")
        changed = await measure_addresses(arm, addresses, source)
        run.say(f"{listeners} listeners")
        listened = []
        for port in range(FIRST_PORT, FIRST_PORT + 2 * listeners, 2):
            ours = await _listen(arm, port, source, with_ss=False)
            listened.append((ours, await _listen(arm, port + 1, source, with_ss=True)))
    return Result(
        "change",
        "Change: from the system call to the websocket frame",
        "addresses: median at most 15 ms, p99 at most 50 ms; new listener: p99 at most 120 ms",
        (
            *percentiles_compared(
                "address → frame", "ms", changed, "ip monitor, same changes", {50: at_most(15), 99: at_most(50)}
            ),
            *percentiles_compared(
                "listener → frame", "ms", listened, "ss started at listen()", {50: None, 99: at_most(120)}
            ),
        ),
        (
            "One server, one websocket client, four arms; changes are made in the last arm, one at a time.",
            "The kernel sends no event for a new listener: it is polled every 50 ms, then its process is looked up.",
        ),
    )
