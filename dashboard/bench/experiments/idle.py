"""What watching costs while nothing happens: 20 columns, beside a shell loop that asks the same once a second."""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from dashboard.bench.experiments.launch import in_process_lab
from dashboard.bench.processes import run, tied
from dashboard.bench.statistics import Of, Promise, Result, compared, spread
from dashboard.core.modes import Mode

COLUMNS = 20
PER_EXPERIMENT = 10
PROMISE = Promise(Of.VALUE, 0.5)
SETTLE_S = 2.0
#: What somebody would type to see the same: addresses, routes and listeners of one namespace.
LOOP = (
    "while :; do for pid do "
    "nsenter -t $pid -n sh -c 'ip address; ip route; ip -6 route; ss -Hltun' >/dev/null; "
    "done; sleep 1; done"
)


def own_cpu_s() -> float:
    """Processor seconds of this process alone: user and system, all threads (getrusage(2))."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def children_cpu_s() -> float:
    """Processor seconds of the children that have been waited for, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def measure_watching(seconds: float) -> float:
    """Per cent of one core per column, over some seconds in which nothing is asked of this process."""
    before, started = own_cpu_s(), time.monotonic()
    await asyncio.sleep(seconds)
    return (own_cpu_s() - before) / (time.monotonic() - started) / COLUMNS * 100


async def measure_shell_loop(pids: list[str], seconds: float) -> float:
    """The same of the shell loop. It is killed with SIGTERM, so that what it used counts."""
    before, started = children_cpu_s(), time.monotonic()
    process = await asyncio.create_subprocess_exec(*tied(["sh", "-c", LOOP, "sh", *pids]))
    try:
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), seconds)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
    return (children_cpu_s() - before) / (time.monotonic() - started) / len(pids) * 100


async def benchmark(folder: Path, say: Callable[[str], None], *, quick: bool) -> Result:
    """All of it."""
    rounds, watching_s, asking_s = (1, 10.0, 3.0) if quick else (2, 15.0, 4.0)
    async with in_process_lab(folder / "lab") as lab:
        say(f"idle: launching {COLUMNS} arms")
        for _ in range(COLUMNS // PER_EXPERIMENT):
            await lab.launch([Mode.BRIDGE, Mode.NONE] * (PER_EXPERIMENT // 2))
        pids = (await run("sh", "-c", "docker inspect -f '{{.State.Pid}}' $(docker ps -q)")).split()
        await asyncio.sleep(SETTLE_S)
        pairs = []
        for number in range(rounds):
            say(f"idle: round {number + 1} of {rounds}, {watching_s:g} s of watching, {asking_s:g} s of asking")
            pairs.append((await measure_watching(watching_s), await measure_shell_loop(pids, asking_s)))
    return Result(
        "idle",
        "Idle: what watching costs while nothing happens",
        "at most 0.5 % of one core per column",
        (
            compared(
                "watching, per column", "% of a core", pairs, "ip and ss in a shell loop, 1 s apart", promise=PROMISE
            ),
        ),
        (
            f"{COLUMNS} columns (half bridge, half none, all with nginx), {rounds} rounds of {watching_s:g} s.",
            "The machine's own column is watched besides: its cost is in the figure, it is not in the number.",
            f"Each round: {spread([ours for ours, _ in pairs])} %.",
        ),
    )
