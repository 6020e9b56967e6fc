"""``faults``: injects faults into a real server. Counts the objects that it loses, leaves behind or wrongly changes,
and measures the time until it is ready again."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from dashboard.bench.benchmark import BenchmarkError, BenchmarkRun
from dashboard.bench.operations.faults import engines, hosts, kills, storage
from dashboard.bench.operations.faults.trials import MAX_READY_S, Trials, figures_of
from dashboard.bench.statistics import Result

LIMIT_S = 3600.0
READY = """
Ready: from the end of the fault, or from the start of the next server, until /readyz answers 200 and the page equals
docker ps, or a launch is accepted."""
KILLED = """
The server is killed at random points of launches, restarts, removals and saves. What remains is counted after the last
kill, when every experiment is in its acknowledged state."""
ACKNOWLEDGED = "Acknowledged: the server responded with success to a launch, a save, a stop, a restart or a removal."
NOTES = (*(" ".join(text.split()) for text in (READY, KILLED)), ACKNOWLEDGED)


async def inject(fault: str, injection: Coroutine[Any, Any, None], trials: Trials) -> None:
    """Injects the fault by awaiting ``injection``. If that fails for any reason, records the failure: the trials so far
    are kept, and the other faults are still injected."""
    try:
        await injection
    except BenchmarkError as error:
        trials.fail(fault, str(error))
    except Exception as error:  # noqa: BLE001 - an engine, Docker or the server may fail in many ways
        trials.fail(fault, f"{type(error).__name__}: {error}")


async def fail_hosts(run: BenchmarkRun, trials: Trials) -> None:
    """Kills private hosts of a training session. Their server uses an engine that no other fault uses."""
    async with engines.own_engine(run.folder / "hosts") as (_host, machine):
        await hosts.kill(run, machine, trials)


async def fail_engines(run: BenchmarkRun, trials: Trials) -> None:
    """Injects the faults of engines and private hosts. An engine is suspended most of the time, so other faults can be
    injected concurrently."""
    await inject("engine hung", engines.hang(run, run.folder / "hang", trials), trials)
    await inject("engine killed", engines.kill(run, run.folder / "kill", trials), trials)
    await inject("private host killed", fail_hosts(run, trials), trials)


async def fail_servers(run: BenchmarkRun, trials: Trials) -> None:
    """Injects the faults of disks and databases, and kills servers, all on one engine."""
    async with engines.own_engine(run.folder / "engine") as (_host, machine):
        await inject("disk full", storage.fill(run.folder / "full", machine, trials), trials)
        await inject("database locked", storage.lock(run.folder / "locked", machine, trials), trials)
        await inject("database damaged", storage.damage(run.folder / "damaged", machine, trials), trials)
        await inject("server killed", kills.kill_repeatedly(run, run.folder / "killed", machine, trials), trials)


async def benchmark(run: BenchmarkRun) -> Result:
    """Injects all faults. Those of engines and private hosts run concurrently with those of servers. The two groups
    share no server and no engine."""
    trials = Trials(run.say)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(fail_engines(run, trials))
        tasks.create_task(inject("engine of the servers", fail_servers(run, trials), trials))
    return Result(
        "faults",
        "Faults: objects lost, left behind or changed, and the time until the server is ready again",
        f"no acknowledged object is lost, nothing is left behind, no foreign object is changed, ready within "
        f"{MAX_READY_S:g} s",
        figures_of(trials.done, trials.problems),
        (*NOTES, *trials.problems),
    )
