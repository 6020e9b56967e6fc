"""How soon a browser hears of a change: from the system call to the websocket frame, beside ``ip monitor``."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from dashboard.bench.experiments.namespace_changes import RemoteChanger, changing
from dashboard.bench.processes import run, tied
from dashboard.bench.server import Frames, Server, ServerError, serving
from dashboard.bench.statistics import Of, Promise, Result, compared
from dashboard.core.modes import Mode

MODES = (Mode.HOST, Mode.BRIDGE, Mode.NONE, Mode.BRIDGE)
LINK = "eth0"
ARRIVAL_S = 5.0
QUIET_S = 0.7
#: Pauses between changes, at random so that they do not fall in step with a poll.
PAUSE_S = (0.02, 0.08)
CHANGE_P50, CHANGE_P99 = Promise(Of.VALUE, 15.0), Promise(Of.VALUE, 50.0)
LISTENER_P99 = Promise(Of.VALUE, 120.0)
FIRST_PORT = 20000


class Monitor:
    """``ip monitor address`` in the namespace, its lines timed as they arrive."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._loop = asyncio.get_running_loop()

    async def until(self, address: str, *, there: bool) -> float:
        """When the line came that says that the address is there or gone."""
        lines = self._process.stdout
        if lines is None:
            raise RuntimeError("ip monitor has no output")
        while True:
            line = await asyncio.wait_for(lines.readline(), ARRIVAL_S)
            at = self._loop.time()
            if not line:
                raise ServerError("ip monitor ended")
            text = line.decode()
            if f" {address}/" in text and text.startswith("Deleted") is not there:
                return at


@asynccontextmanager
async def monitoring(pid: int) -> AsyncIterator[Monitor]:
    """``ip monitor`` in the namespace of ``pid``."""
    command = tied(["nsenter", "-t", str(pid), "-n", "ip", "-o", "monitor", "address"])
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        yield Monitor(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@dataclass(frozen=True, slots=True)
class Scene:
    """A running experiment, and the arm in which changes are made."""

    experiment: str
    frames: Frames
    column: str
    pid: int
    changer: RemoteChanger


@asynccontextmanager
async def running_experiment(server: Server, modes: tuple[Mode, ...] = MODES) -> AsyncIterator[Scene]:
    """Four arms, settled; changes go to the last one, which must have ``LINK``."""
    experiment = await asyncio.to_thread(server.launch, tuple(modes))
    try:
        async with server.frames(experiment) as frames:
            await frames.until_running()
            await until_quiet(frames)
            column = frames.columns[-1]
            pid = int(await run("docker", "inspect", "-f", "{{.State.Pid}}", column["container"]["id"]))
            async with changing(pid, LINK) as changer:
                yield Scene(experiment, frames, column["key"], pid, changer)
    finally:
        await asyncio.to_thread(server.remove, experiment)


async def until_quiet(frames: Frames) -> None:
    """Reads until no frame comes for a while: names have been looked up, nothing is pending."""
    while True:
        try:
            await frames.next(QUIET_S)
        except TimeoutError:
            return


async def measure_addresses(
    scene: Scene, monitor: Monitor, count: int, source: random.Random
) -> list[tuple[float, float]]:
    """Milliseconds until the frame and until ``ip monitor``'s line, for ``count`` additions and removals in turn."""
    pairs: list[tuple[float, float]] = []
    for number in range(count + 2):
        address, there = f"198.51.100.{number // 2 % 250 + 1}", number % 2 == 0
        asked = asyncio.create_task(scene.changer.ask("add" if there else "remove", address))
        framed, printed, started = await asyncio.gather(
            _until_shown(scene, address, there=there), monitor.until(address, there=there), asked
        )
        if number >= 2:  # the first ones warm up
            pairs.append(((framed - started) * 1e3, (printed - started) * 1e3))
        await asyncio.sleep(source.uniform(*PAUSE_S))
    return pairs


async def _until_shown(scene: Scene, address: str, *, there: bool) -> float:
    while scene.frames.shows(f"{address}/", "interfaces", scene.column) is not there:
        await scene.frames.next(ARRIVAL_S)
    return scene.frames.at


async def measure_listeners(scene: Scene, count: int, source: random.Random) -> list[tuple[float, float]]:
    """Milliseconds from listen(2) until the frame, and in turn until an ``ss`` that is started then has told it."""
    pairs: list[tuple[float, float]] = []
    loop = asyncio.get_running_loop()
    for number in range(count):
        times = []
        for turn in range(2):
            port = FIRST_PORT + number * 2 + turn
            started = await scene.changer.ask("listen", port)
            if turn:
                told = await run("nsenter", "-t", str(scene.pid), "-n", "ss", "-Hltn", f"sport = :{port}")
                at = loop.time()
                if f":{port}" not in told:
                    raise ServerError(f"ss does not tell of port {port}")
                await _until_listening(scene, port, there=True)
            else:
                at = await _until_listening(scene, port, there=True)
            times.append((at - started) * 1e3)
            await scene.changer.ask("close", port)
            await _until_listening(scene, port, there=False)
            # Only now: the frame came right behind a poll, and the next listener shall not always do so too.
            await asyncio.sleep(source.uniform(*PAUSE_S))
        pairs.append((times[0], times[1]))
    return pairs


async def _until_listening(scene: Scene, port: int, *, there: bool) -> float:
    row = f"listeners/tcp :{port}/"
    while (scene.frames.cells.get(row, {}).get(scene.column) is not None) is not there:
        await scene.frames.next(ARRIVAL_S)
    return scene.frames.at


async def benchmark(folder: Path, say: Callable[[str], None], *, quick: bool) -> Result:
    """All of it."""
    source = random.Random(1)  # noqa: S311 - pauses
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving(folder / "server"))
        say("change: launching four arms")
        scene = await stack.enter_async_context(running_experiment(server))
        monitor = await stack.enter_async_context(monitoring(scene.pid))
        count = 30 if quick else 300
        say(f"change: {count} addresses come and go")
        addresses = await measure_addresses(scene, monitor, count, source)
        count = 8 if quick else 80
        say(f"change: {count} listeners")
        listeners = await measure_listeners(scene, count, source)
    monitored, listed = "ip monitor, same changes", "ss started at listen()"
    return Result(
        "change",
        "Change: from the system call to the websocket frame",
        "addresses: median at most 15 ms, p99 at most 50 ms; new listener: p99 at most 120 ms",
        (
            compared("address → frame", "ms", addresses, monitored, promise=CHANGE_P50),
            compared("address → frame", "ms", addresses, monitored, percent=99, promise=CHANGE_P99),
            compared("listener → frame", "ms", listeners, listed),
            compared("listener → frame", "ms", listeners, listed, percent=99, promise=LISTENER_P99),
        ),
        (
            "One server, one websocket client, four arms; the changes are made in the last arm, one at a time.",
            "The kernel sends no event for a new listener: it is polled every 50 ms, then its process is looked up.",
        ),
    )
