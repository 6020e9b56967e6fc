"""``idle``: measures what watching 20 idle columns costs, compared with a shell loop that polls once a second."""

import asyncio
import resource
import subprocess
import time

from dashboard.bench.benchmark import BenchmarkRun
from dashboard.bench.experiments.lab import in_process_lab
from dashboard.bench.processes import output_of, running
from dashboard.bench.statistics import Result, at_most, compared, spread
from dashboard.core.modes import Mode
from dashboard.engine.daemon_process import find_daemon
from dashboard.engine.docker_engine import default_endpoint
from dashboard.engine.pid_namespaces import machine_pid

COLUMNS = 20
PER_EXPERIMENT = 10
SETTLE_S = 2.0
#: What a person would type to see the same: addresses, routes and listeners of each namespace.
SHELL_LOOP = (
    "while :; do for pid do nsenter -t $pid -n sh -c 'ip address; ip route; ip -6 route; ss -Hltun' >/dev/null; done; "
    "sleep 1; done"
)


def cpu_s(processes: int) -> float:
    """The processor time (user and system) of this process if ``processes`` is RUSAGE_SELF, or of its ended children if
    it is RUSAGE_CHILDREN (getrusage(2))."""
    used = resource.getrusage(processes)
    return used.ru_utime + used.ru_stime


async def measure_watching(seconds: float) -> float:
    """Waits for ``seconds`` while the lab in this process only watches. Returns the processor time of this process, in
    per cent of one core per column."""
    before, started = cpu_s(resource.RUSAGE_SELF), time.monotonic()
    await asyncio.sleep(seconds)
    return (cpu_s(resource.RUSAGE_SELF) - before) / (time.monotonic() - started) / COLUMNS * 100


async def measure_shell_loop(pids: list[str], seconds: float) -> float:
    """Runs the shell loop for ``seconds``. ``pids`` are the processes whose namespaces it polls, one for each column.
    Returns the loop's processor time per pid, in per cent of one core."""
    before, started = cpu_s(resource.RUSAGE_CHILDREN), time.monotonic()
    async with running(["sh", "-c", SHELL_LOOP, "sh", *pids], stdout=subprocess.DEVNULL):
        await asyncio.sleep(seconds)
    # After the end of the loop: the kernel counts only children that have ended.
    return (cpu_s(resource.RUSAGE_CHILDREN) - before) / (time.monotonic() - started) / len(pids) * 100


async def benchmark(run: BenchmarkRun) -> Result:
    """Measures watching and the shell loop in turn."""
    rounds, watching_s, looping_s = (1, 10.0, 3.0) if run.quick else (2, 15.0, 4.0)
    async with in_process_lab(run.folder / "lab") as lab:
        run.say(f"launching {COLUMNS} arms")
        for _ in range(COLUMNS // PER_EXPERIMENT):
            await lab.launch([Mode.BRIDGE, Mode.NONE] * (PER_EXPERIMENT // 2))
        shown = (await output_of("sh", "-c", "docker inspect -f '{{.State.Pid}}' $(docker ps -q)")).split()
        daemon = find_daemon(default_endpoint())
        pids = [str(machine_pid(int(pid), daemon)) for pid in shown]
        await asyncio.sleep(SETTLE_S)
        pairs = []
        for number in range(rounds):
            run.say(f"round {number + 1} of {rounds}, {watching_s:g} s of watching, {looping_s:g} s of the loop")
            pairs.append((await measure_watching(watching_s), await measure_shell_loop(pids, looping_s)))
    return Result(
        "idle",
        "Idle: what watching costs while nothing happens",
        "at most 0.5 % of one core per column",
        (
            compared(
                "watching, per column",
                "% of a core",
                pairs,
                "ip and ss in a shell loop, 1 s apart",
                promise=at_most(0.5),
            ),
        ),
        (
            f"{COLUMNS} columns (half bridge, half none, all with nginx), {rounds} rounds of {watching_s:g} s.",
            "The machine's own column is watched too: its cost is included, it is not among the columns counted.",
            f"Each round: {spread([ours for ours, _ in pairs])} %.",
        ),
    )
