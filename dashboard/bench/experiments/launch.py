"""How long a launch takes: four arms until every column has a state, beside four ``docker run -d`` at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from dashboard.bench.processes import run
from dashboard.bench.server import Server, ServerError, serving
from dashboard.bench.statistics import Figure, Of, Promise, Result, compared, spread
from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.stream import Phase
from dashboard.core.modes import ArmSpec, ExperimentSpec, Mode
from dashboard.lab.bootstrap import open_context
from dashboard.lab.reconciler import Lab
from dashboard.store import experiments as experiment_store

MODES = (Mode.HOST, Mode.BRIDGE, Mode.NONE, Mode.BRIDGE)
WITH_NETWORK = (Mode.HOST, Mode.BRIDGE, Mode.NONE, Mode.USER_BRIDGE)
PROMISE = Promise(Of.RATIO, 1.1)
DEADLINE_S = 60.0
NETWORK = "bench-network"
LABEL = "dev.netmodes.bench"


class Told(asyncio.Event):
    """A publisher that wakes this benchmark as it would wake the browsers' hub: after each commit."""

    def wake(self, _experiment: str) -> None:
        """There are new entries."""
        self.set()

    def measured(self, _run: str) -> None:
        """Nothing is measured here."""

    def trouble(self, _experiment: str, problem: str) -> None:
        """The journal cannot be written: the benchmark cannot go on."""
        if problem:
            raise RuntimeError(problem)


def spec_of(modes: Sequence[Mode]) -> ExperimentSpec:
    """An experiment with an arm for each mode, nothing published."""
    arms = tuple(ArmSpec(f"{mode}-{number}", mode) for number, mode in enumerate(modes, 1))
    return ExperimentSpec("bench", "nginx", 80, arms)


class InProcessLab:
    """A lab as the server has it, driven from here."""

    def __init__(self, lab: Lab, told: Told) -> None:
        self.lab = lab
        self._told = told

    async def launch(self, modes: Sequence[Mode]) -> tuple[str, float]:
        """The new experiment and the seconds until its head says running and each column has a state."""
        return await self.launch_spec(spec_of(modes))

    async def launch_spec(self, spec: ExperimentSpec) -> tuple[str, float]:
        """The same with arms as wanted."""
        loop, database = asyncio.get_running_loop(), self.lab.context.database
        started = loop.time()
        identity = await database.run(experiment_store.create_experiment, spec)
        self.lab.wake()
        async with asyncio.timeout(DEADLINE_S):
            while not self._is_running(identity):
                self._told.clear()
                await self._told.wait()
        return identity, loop.time() - started

    def _is_running(self, identity: str) -> bool:
        found = self.lab.run_of(identity)
        if found is None or found.view.head is None or found.view.head.phase is not Phase.RUNNING:
            return False
        missing = [column.key for column in found.view.columns if column.key not in found.view.states]
        if missing:
            raise RuntimeError(f"running, but without a state: {', '.join(missing)}")
        return True

    async def remove(self, identity: str) -> None:
        """Wants it removed and waits until it is."""
        await self.lab.context.database.run(experiment_store.set_wanted, identity, Wanted.REMOVED)
        self.lab.wake()
        async with asyncio.timeout(DEADLINE_S):
            while self.lab.run_of(identity) is not None:
                self._told.clear()
                await self._told.wait()


@asynccontextmanager
async def in_process_lab(folder: Path) -> AsyncIterator[InProcessLab]:
    """A persistent lab in this process, on the engine that DOCKER_HOST names."""
    async with AsyncExitStack() as stack:
        told = Told()
        context = await open_context(stack, folder, lambda _text: None, told, may_start_private=False)
        lab = Lab(context)
        stack.push_async_callback(lab.close)
        await lab.start()
        yield InProcessLab(lab, told)


async def run_by_cli(modes: Sequence[Mode]) -> float:
    """Seconds for ``docker run -d`` of all modes at once; a network of our own is made before, by the CLI too."""
    loop = asyncio.get_running_loop()
    networks = {Mode.USER_BRIDGE: NETWORK}
    started = loop.time()
    if Mode.USER_BRIDGE in modes:
        await run("docker", "network", "create", "--label", LABEL, NETWORK)
    await asyncio.gather(
        *(run("docker", "run", "-d", "--label", LABEL, "--network", networks.get(m, m), "nginx") for m in modes)
    )
    return loop.time() - started


async def remove_by_cli() -> None:
    """Removes what ``run_by_cli`` made."""
    labelled = ("--filter", f"label={LABEL}")
    containers = (await run("docker", "ps", "-aq", *labelled)).split()
    if containers:
        await run("docker", "rm", "-f", *containers)
    networks = (await run("docker", "network", "ls", "-q", *labelled)).split()
    if networks:
        await run("docker", "network", "rm", *networks)


async def launch_in_server(server: Server, modes: Sequence[Mode]) -> tuple[str, float]:
    """The new experiment and the seconds from the POST to the frame that shows it running."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    experiment = await asyncio.to_thread(server.launch, tuple(modes))
    async with server.frames(experiment) as frames:
        return experiment, await frames.until_running() - started


async def until_nothing_runs() -> None:
    """Waits until the engine has no container: removal is no part of what is timed."""
    for _ in range(600):
        if not (await run("docker", "ps", "-aq")).strip():
            return
        await asyncio.sleep(0.05)
    raise ServerError("containers are still there 30 s after they should be gone")


Timed = Callable[[Sequence[Mode]], Awaitable[float]]


async def measure(
    kinds: dict[str, Timed], modes: Sequence[Mode], rounds: int, say: Callable[[str], None]
) -> dict[str, list[float]]:
    """Milliseconds of every kind in turn, the order turned by one in each round; one round before does not count."""
    found: dict[str, list[float]] = {name: [] for name in kinds}
    names = list(kinds)
    for number in range(rounds + 1):
        say(f"launch {', '.join(modes)}: round {number} of {rounds}")
        for name in names[number % len(names) :] + names[: number % len(names)]:
            await until_nothing_runs()
            seconds = await kinds[name](modes)
            if number:
                found[name].append(seconds * 1e3)
    return found


def figures_of(found: dict[str, list[float]], modes: Sequence[Mode], reference: str) -> list[Figure]:
    """Ours beside the command line's."""
    titles = {"lab": "lab: wanted → running, every column read", "server": "server: POST → frame with phase running"}
    arms = " + ".join(modes)
    return [
        compared(
            f"{title} ({arms})", "ms", list(zip(found[name], found["cli"], strict=True)), reference, promise=PROMISE
        )
        for name, title in titles.items()
        if name in found
    ]


async def benchmark(folder: Path, say: Callable[[str], None], *, quick: bool) -> Result:
    """All of it."""
    async with AsyncExitStack() as stack:
        lab = await stack.enter_async_context(in_process_lab(folder / "lab"))
        server = await stack.enter_async_context(serving(folder / "server"))

        async def by_lab(modes: Sequence[Mode]) -> float:
            identity, seconds = await lab.launch(modes)
            await lab.remove(identity)
            return seconds

        async def by_server(modes: Sequence[Mode]) -> float:
            experiment, seconds = await launch_in_server(server, modes)
            await asyncio.to_thread(server.remove, experiment)
            return seconds

        async def by_cli(modes: Sequence[Mode]) -> float:
            seconds = await run_by_cli(modes)
            await remove_by_cli()
            return seconds

        kinds: dict[str, Timed] = {"lab": by_lab, "cli": by_cli, "server": by_server}
        plain = await measure(kinds, MODES, 2 if quick else 10, say)
        networked = None if quick else await measure(kinds, WITH_NETWORK, 6, say)
    reference = "four docker run -d at once"
    figures = figures_of(plain, MODES, reference)
    if networked is not None:
        figures += figures_of(networked, WITH_NETWORK, f"docker network create, then {reference}")
    return Result(
        "launch",
        "Launch: four arms until all columns have a state",
        "at most 1.1 times the command line, same image and engine",
        tuple(figures),
        (
            f"{reference.capitalize()}: {spread(plain['cli'])} ms (least … median … most).",
            "Lab, command line and server take turns in every round; removal is not timed.",
        ),
    )
