"""``soak``: measures the memory, descriptors and threads of the server in half an hour of launches, sessions and
measurements."""

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import batched
from operator import itemgetter
from pathlib import Path
from statistics import linear_regression

import msgspec
import psutil

from dashboard.bench.benchmark import BenchmarkError, BenchmarkRun, until
from dashboard.bench.operations.faults.scene import Machine
from dashboard.bench.server import RefusedError, Server, serving
from dashboard.bench.statistics import Figure, Promise, Result, at_most, figure, interval_of, judge
from dashboard.bench.training.deliveries import Instructor, deliveries, join
from dashboard.bench.websocket_clients import websocket_clients
from dashboard.store.measurements.runs import LIVE

LIMIT_S = 5400.0
#: The judged part of a run.
SECONDS, QUICK_S = 1800.0, 90.0
#: The warm-up, in which caches fill, lasts for at least this number of rounds and of seconds. Old data is deleted for
#: the first time ten minutes after the start.
WARM_UP_ROUNDS, WARM_UP_S = 200, 900.0
#: The number of rounds in the warm-up of a quick run.
QUICK_ROUNDS = 5
#: The number of rounds in which the Engine may refuse an arm.
MAX_REFUSED = 3
#: The number of rounds of which only the lowest memory counts; one of them has a session. Memory that is never freed
#: raises the lowest value, too; garbage that waits for its collection, and threads that exist for a moment, do not.
GROUP = 5
MAX_SLOPE_MB_H = 1.0
PARTICIPANTS = 10
MODES = ("host", "bridge", "user-bridge", "none")
STEPS = ("launch", "request")
#: Younger processes are not counted: programs that run for a moment, such as iptables-save.
LASTING_S = 5.0


@dataclass(frozen=True, slots=True)
class Sample:
    """The state of the server after a round. ``at_s`` is the time since the start in seconds. ``lab_mb`` is the memory
    of the lab in MB, ``pages_mb`` that of the other processes. ``descriptors`` and ``threads`` are the numbers in all
    processes."""

    at_s: float
    lab_mb: float
    pages_mb: float
    descriptors: float
    threads: float

    @property
    def memory_mb(self) -> float:
        """The memory of all processes of the server in MB."""
        return self.lab_mb + self.pages_mb


def slope_per_hour(samples: Sequence[tuple[float, float]]) -> float:
    """The slope per hour of the least-squares line through the samples, which are pairs of seconds and value. 0 if all
    samples have the same time."""
    if len({x for x, _ in samples}) < 2:
        return 0.0
    return 3600 * linear_regression(*zip(*samples, strict=True)).slope


def lowest(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Returns, for each group of ``GROUP`` successive points, the point with the lowest value. A point is a pair of
    seconds and value. With fewer than three groups, returns all points."""
    if len(points) < 3 * GROUP:
        return list(points)
    return [min(group, key=itemgetter(1)) for group in batched(points, GROUP) if len(group) == GROUP]


def growth(samples: Sequence[float]) -> float:
    """Returns the lowest value in the last sixth of the samples, minus the lowest in the first sixth. A leak raises all
    values. A thread or connection that exists only for a moment raises a few, and so does not count."""
    sixth = max(1, len(samples) // 6)
    return min(samples[-sixth:]) - min(samples[:sixth])


def anonymous_mb(pid: int) -> float:
    """The anonymous memory of a process (memory that no file backs) in MB. Pages that forked processes share are
    divided among them (proc(5), smaps_rollup)."""
    rows = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
    return sum(int(row.split()[1]) for row in rows if row.startswith(("Pss_Anon:", "SwapPss:"))) * 1024 / 1e6


def take_sample(pid: int, started: float) -> Sample:
    """Takes a sample of the server, whose lab is the process ``pid``. The sample's ``at_s`` counts from ``started``
    (``time.monotonic``)."""
    server = psutil.Process(pid)
    lab = others = 0.0
    descriptors = threads = 0
    for process in [server, *server.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError), process.oneshot():
            if process.pid == pid:
                lab = anonymous_mb(pid)
            elif time.time() - process.create_time() > LASTING_S:
                others += anonymous_mb(process.pid)
            else:
                continue
            descriptors += process.num_fds()
            threads += process.num_threads()
    return Sample(time.monotonic() - started, lab, others, descriptors, threads)


def figures_of(samples: Sequence[Sample], *, judged: bool) -> tuple[Figure, ...]:
    """The figures for the slopes of the memory, and for the growth of descriptors and threads. If ``judged`` is false,
    they have no promises."""

    def slope(name: str, value: Callable[[Sample], float], promise: Promise | None) -> Figure:
        points = lowest([(sample.at_s, value(sample)) for sample in samples])
        found, interval = slope_per_hour(points), interval_of(points, slope_per_hour)
        named = figure(name, "MB/h", [found], promise=promise)
        verdict = judge(promise, found, interval)
        return replace(named, statistic="slope", n=len(points), ci95=interval, verdict=verdict)

    flat = at_most(0) if judged else None
    return (
        slope("memory of the server", lambda one: one.memory_mb, at_most(MAX_SLOPE_MB_H) if judged else None),
        slope("memory of the lab", lambda one: one.lab_mb, None),
        slope("memory of the processes that serve pages", lambda one: one.pages_mb, None),
        figure("descriptors", "more", [growth([sample.descriptors for sample in samples])], promise=flat),
        figure("threads", "more", [growth([sample.threads for sample in samples])], promise=flat),
    )


async def measure_once(server: Server, experiment: str) -> None:
    """Runs one short measurement of an experiment, and waits for its end."""
    form = {"probe": "tcp-rr", "seconds": "1"}
    started = await asyncio.to_thread(server.post, f"/experiments/{experiment}/measure/", form, "/measurements/.+")

    async def has_ended() -> bool:
        shown = await asyncio.to_thread(server.get, f"/api{started.rstrip('/')}")
        return msgspec.json.decode(shown)["run"]["state"] not in LIVE

    await until(has_ended, f"the end of {started}", poll_s=0.3)


async def hold_class(server: Server) -> None:
    """Holds a training session in which participants join and predict, and deletes it."""
    instructor = await asyncio.to_thread(Instructor.with_session, server, PARTICIPANTS)
    async with websocket_clients(server.host) as participants:
        await join(participants, instructor, PARTICIPANTS, 2.0)
        for step in STEPS:
            await asyncio.to_thread(instructor.steer, "step", step=step)
            await participants.ask("predict", step=step, within_s=1.0)
            started = await asyncio.to_thread(instructor.steer, "reveal", step=step)
            await deliveries([participants], started, "revealed", step)
        await asyncio.to_thread(instructor.steer, "close")
    await asyncio.to_thread(server.post, f"/sessions/{instructor.session}/console/delete/")


async def one_round(server: Server, machine: Machine, number: int) -> None:
    """Launches, watches, reads, stops, relaunches and removes an experiment. In some rounds, also measures it or holds
    a training session."""
    async with server.running_experiment(MODES) as frames:
        page = f"/experiments/{frames.experiment}/"
        await asyncio.to_thread(server.get, page)
        await asyncio.to_thread(server.post, f"{page}stop/")
        await asyncio.to_thread(server.get, "/")
        await frames.until_phase(lambda phase: phase == "stopped")
        await asyncio.to_thread(server.post, f"{page}again/")
        await frames.until_phase(lambda phase: phase != "stopped")
        await frames.until_running()
        if number % 2:
            await measure_once(server, frames.experiment)
    if number % 5 == 0:
        await hold_class(server)
    # A removed experiment no longer has a page, but the lab still removes its containers.
    if await machine.leftovers():
        raise BenchmarkError(f"a removed experiment left behind: {sorted(machine.objects())}")


def warm_up_rounds(samples: Sequence[Sample], *, quick: bool) -> int | None:
    """The number of rounds that belong to the warm-up; None while the warm-up lasts."""
    least, least_s = (QUICK_ROUNDS, 0.0) if quick else (WARM_UP_ROUNDS, WARM_UP_S)
    return next((n for n, sample in enumerate(samples, 1) if n >= least and sample.at_s >= least_s), None)


async def benchmark(run: BenchmarkRun) -> Result:
    """Executes rounds until ``SECONDS`` after the warm-up. Takes a sample after each round."""
    seconds = QUICK_S if run.quick else SECONDS
    samples: list[Sample] = []
    refused: list[str] = []
    machine = Machine(os.environ["DOCKER_HOST"])
    async with serving() as server:
        started = time.monotonic()
        skipped = None
        while skipped is None or samples[-1].at_s - samples[skipped - 1].at_s < seconds:
            try:
                await one_round(server, machine, len(samples))
            except RefusedError as error:
                run.say(f"round {len(samples) + 1}: {error}")
                refused.append(str(error))
                if len(refused) > MAX_REFUSED:
                    raise
            samples.append(take_sample(server.pid, started))
            skipped = skipped or warm_up_rounds(samples, quick=run.quick)
            if len(samples) % 10 == 1:
                run.say(f"round {len(samples)}: {samples[-1]}")
    warm, warm_up_s = samples[skipped:], samples[skipped - 1].at_s
    last = warm[-1]
    counts = f"{last.descriptors:g} descriptors, {last.threads:g} threads"
    warm_up = f"the first {skipped}, in {warm_up_s / 60:.0f} minutes, are warm-up"
    return Result(
        "soak",
        f"Soak: launches, sessions and measurements for {(last.at_s - warm_up_s) / 60:.0f} minutes after warm-up",
        f"memory grows by at most {MAX_SLOPE_MB_H:g} MB/h after warm-up; descriptors and threads do not grow",
        figures_of(warm, judged=not run.quick),
        (
            f"{len(samples)} rounds in {last.at_s / 60:.0f} minutes; {warm_up}.",
            f"Slopes: through the lowest of {GROUP} samples each.",
            f"Last sample: {last.lab_mb:.1f} MB in the lab, {last.pages_mb:.1f} MB in other processes; {counts}.",
            f"Growth: the lowest value of the last sixth minus that of the first sixth, of {len(warm)} samples.",
            *((f"Rounds in which the Engine refused an arm: {len(refused)} ({refused[-1]}).",) if refused else ()),
            *(("The slope over a few minutes is too uncertain: --quick judges nothing.",) if run.quick else ()),
        ),
    )
