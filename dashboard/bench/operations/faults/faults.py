"""``faults``: faults in a real server: objects lost, left behind and touched, and the time until it is ready again."""

from dashboard.bench.benchmark import BenchmarkRun
from dashboard.bench.operations.faults import engines, hosts, kills, storage
from dashboard.bench.operations.faults.trials import MAX_READY_S, Trial, figures_of
from dashboard.bench.statistics import Result

LIMIT_S = 5400.0
READY = """
Ready: from the end of the fault, or from the start of the next server, until /readyz answers 200 and the page equals
docker ps, or a launch is accepted."""
KILLED = """
The server is killed at random points of launches, restarts, removals and saves. What remains is counted after the last
kill, when every experiment is in its acknowledged state."""
ACKNOWLEDGED = "Acknowledged: the server responded with success to a launch, a save, a stop, a restart or a removal."
NOTES = (*(" ".join(text.split()) for text in (READY, KILLED)), ACKNOWLEDGED)


async def benchmark(run: BenchmarkRun) -> Result:
    """Injects all faults, one after the other."""
    trials: list[Trial] = []
    trials += await engines.hang(run, run.folder / "hang")
    trials += await engines.kill(run, run.folder / "kill")
    async with engines.own_engine(run.folder / "engine") as (_host, machine):
        trials += await storage.fill(run, run.folder / "full", machine)
        trials += await storage.lock(run, run.folder / "locked", machine)
        trials += await storage.damage(run, run.folder / "damaged", machine)
        trials += await hosts.kill(run, machine)
        trials += await kills.kill_repeatedly(run, run.folder / "killed", machine)
    return Result(
        "faults",
        "Faults: objects lost, left behind and touched, and the time until the server is ready again",
        f"nothing acknowledged is lost, nothing is left behind, nothing foreign is touched, ready within "
        f"{MAX_READY_S:g} s",
        figures_of(trials),
        NOTES,
    )
