"""Faults of engines: the engine hangs while containers restart, or is killed and started again."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from dashboard.bench.benchmark import BenchmarkError, BenchmarkRun, until
from dashboard.bench.operations.faults.scene import Ledger, Machine, phases, ready, settle, trial_of
from dashboard.bench.operations.faults.trials import Trials
from dashboard.bench.server import Server, serving
from dashboard.core.modes import MACHINE
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.hosts import private_host
from dashboard.engine.hosts.registry import PrivateHost
from dashboard.engine.images import ensure_image

HANG_S, HANGS, QUICK_HANGS = 20.0, 20, 2
CHURN_S = 1.0
KILLS, QUICK_KILLS = 10, 2


@asynccontextmanager
async def own_engine(folder: Path) -> AsyncIterator[tuple[PrivateHost, Machine]]:
    """Context manager that runs a private host which a fault may stop. Yields the host, and its engine with the foreign
    objects of ``Machine``."""
    host = await private_host.start(folder, die_with_parent=True)
    try:
        async with DockerEngine(host.endpoint, timeout_s=60) as engine:
            await ensure_image(engine, "nginx", folder, lambda _text, _fraction: None, private=True)
        machine = Machine(host.endpoint)
        await asyncio.to_thread(machine.add_foreign)
        yield host, machine
    finally:
        await private_host.stop(host)


def matches_docker_ps(server: Server, machine: Machine, experiment: str) -> bool:
    """Whether the page of the experiment shows no problem, and shows as running exactly the containers that ``docker
    ps`` lists."""
    snapshot = msgspec.json.decode(server.get(f"/api/experiments/{experiment}"))
    columns = [one for one in snapshot["columns"] if one["key"] != MACHINE and one["status"] == "running"]
    names = {column["container"]["name"] for column in columns}
    return not snapshot["experiment"].get("problem") and names == machine.running()


async def churn(machine: Machine, over: Callable[[], bool]) -> None:
    """Restarts the running containers one at a time, until ``over()`` is true."""
    names = sorted(await asyncio.to_thread(machine.running))
    while not over():
        for name in names:
            await asyncio.to_thread(machine.docker, "restart", "-t", "0", name, check=False)


async def truth_after(server: Server, machine: Machine, experiment: str, since: float) -> float:
    """Waits until the server is ready and the page of the experiment shows the engine's state. Returns the seconds
    since the time ``since``."""

    async def holds() -> bool:
        return await ready(server) and await asyncio.to_thread(matches_docker_ps, server, machine, experiment)

    await until(holds, "the truth after the fault")
    return time.monotonic() - since


async def hang(run: BenchmarkRun, folder: Path, trials: Trials) -> None:
    """Suspends the engine's process repeatedly while containers restart. Records a trial for each suspension."""
    async with own_engine(folder) as (host, machine), serving(folder / "server", endpoint=host.endpoint) as server:
        for number in range(QUICK_HANGS if run.quick else HANGS):
            ledger = Ledger()
            experiment = await asyncio.to_thread(ledger.launch, server)
            await settle(server, ledger)
            over = asyncio.Event()
            churning = asyncio.create_task(churn(machine, over.is_set))
            try:
                await asyncio.sleep(CHURN_S)
                os.kill(host.pid, signal.SIGSTOP)
                try:
                    # The hangs must not coincide with the server's own periods.
                    await asyncio.sleep(HANG_S + number / 4)
                finally:
                    over.set()
                    os.kill(host.pid, signal.SIGCONT)
                seconds = await truth_after(server, machine, experiment, time.monotonic())
            finally:
                over.set()
                await churning
            trials.record(await trial_of("engine hung for 20 s", seconds, server, machine, ledger))


async def kill(run: BenchmarkRun, folder: Path, trials: Trials) -> None:
    """Kills the engine with its containers repeatedly, and starts it again. Records a trial for each kill."""
    async with own_engine(folder) as (first, machine), serving(folder / "server", endpoint=machine.endpoint) as server:
        host = first
        for _ in range(QUICK_KILLS if run.quick else KILLS):
            ledger = Ledger()
            experiment = await asyncio.to_thread(ledger.launch, server)
            await settle(server, ledger)
            os.kill(host.pid, signal.SIGKILL)
            host = await private_host.start_again(host, die_with_parent=True)
            seconds = await truth_after(server, machine, experiment, time.monotonic())
            phase = (await asyncio.to_thread(phases, server))[experiment]
            if phase != "failed":
                raise BenchmarkError(f"without containers, the experiment is {phase}")
            trials.record(await trial_of("engine killed", seconds, server, machine, ledger, ran=False))
        await private_host.stop(host)
