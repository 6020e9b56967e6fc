"""``launch``: measures the time until four arms have a state, compared with four concurrent ``docker run -d``."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

from dashboard.bench.benchmark import BenchmarkRun, until
from dashboard.bench.experiments.lab import in_process_lab
from dashboard.bench.processes import output_of
from dashboard.bench.server import serving
from dashboard.bench.statistics import Figure, Result, compared, ratio_at_most, spread
from dashboard.core.modes import Mode

MODES = (Mode.HOST, Mode.BRIDGE, Mode.NONE, Mode.BRIDGE)
WITH_NETWORK = (Mode.HOST, Mode.BRIDGE, Mode.NONE, Mode.USER_BRIDGE)
NETWORK = "bench-network"
LABEL = "dev.netmodes.bench"
TITLES = {"lab": "lab: wanted → running, every column read", "server": "server: POST → frame with phase running"}
REFERENCE = "four docker run -d at once"

#: Launches an arm for each mode; returns the seconds that this took, and an awaitable that removes the arms.
Launch = Callable[[Sequence[Mode]], Awaitable[tuple[float, Awaitable[None]]]]


async def launch_with_docker(modes: Sequence[Mode]) -> tuple[float, Awaitable[None]]:
    """Launches a container for each mode with concurrent ``docker run -d`` commands. If a mode needs a network, first
    runs ``docker network create``. Returns the seconds until all commands have ended, and a coroutine that removes
    everything."""
    loop = asyncio.get_running_loop()
    networks = {Mode.USER_BRIDGE: NETWORK}
    started = loop.time()
    if Mode.USER_BRIDGE in modes:
        await output_of("docker", "network", "create", "--label", LABEL, NETWORK)
    run = ("docker", "run", "-d", "--label", LABEL, "--network")
    await asyncio.gather(*(output_of(*run, networks.get(mode, mode), "nginx") for mode in modes))
    return loop.time() - started, _remove_with_docker()


async def _remove_with_docker() -> None:
    labelled = ("--filter", f"label={LABEL}")
    for listing, removing in ((("ps", "-aq"), ("rm", "-f")), (("network", "ls", "-q"), ("network", "rm"))):
        if found := (await output_of("docker", *listing, *labelled)).split():
            await output_of("docker", *removing, *found)


async def has_no_container() -> bool:
    """Whether the engine has no container."""
    return not (await output_of("docker", "ps", "-aq")).strip()


async def measure(
    run: BenchmarkRun, launches: dict[str, Launch], modes: Sequence[Mode], rounds: int
) -> dict[str, list[float]]:
    """Measures each kind of launch once in each round. ``launches`` maps the name of each kind to its function. Each
    round begins with a different kind. An additional first round does not count. Returns the milliseconds of the
    launches by kind."""
    times: dict[str, list[float]] = {name: [] for name in launches}
    names = list(launches)
    for number in range(rounds + 1):
        run.say(f"{', '.join(modes)}: round {number} of {rounds}")
        for name in names[number % len(names) :] + names[: number % len(names)]:
            # Removals must not disturb what is timed.
            await until(has_no_container, "the removal of all containers")
            seconds, removal = await launches[name](modes)
            await removal
            if number:
                times[name].append(seconds * 1e3)
    return times


def figures_of(times: dict[str, list[float]], modes: Sequence[Mode], reference: str) -> list[Figure]:
    """The figures of launches in the lab and in the server, each compared with launches by docker commands. ``times``
    is the result of ``measure``; ``reference`` describes the docker commands."""
    return [
        compared(
            f"{title} ({' + '.join(modes)})",
            "ms",
            list(zip(times[name], times["docker"], strict=True)),
            reference,
            promise=ratio_at_most(1.1),
        )
        for name, title in TITLES.items()
    ]


async def benchmark(run: BenchmarkRun) -> Result:
    """Measures launches of the modes ``MODES``, then of ``WITH_NETWORK``, one of which needs a network of its own."""
    async with AsyncExitStack() as stack:
        lab = await stack.enter_async_context(in_process_lab(run.folder / "lab"))
        server = await stack.enter_async_context(serving(run.folder / "server"))

        async def launch_in_lab(modes: Sequence[Mode]) -> tuple[float, Awaitable[None]]:
            experiment, seconds = await lab.launch(modes)
            return seconds, lab.remove(experiment)

        async def launch_in_server(modes: Sequence[Mode]) -> tuple[float, Awaitable[None]]:
            started = asyncio.get_running_loop().time()
            experiment = await asyncio.to_thread(server.launch, modes)
            async with server.frames(experiment) as frames:
                seconds = await frames.until_running() - started
            return seconds, asyncio.to_thread(server.remove, experiment)

        launches: dict[str, Launch] = {"lab": launch_in_lab, "docker": launch_with_docker, "server": launch_in_server}
        plain = await measure(run, launches, MODES, 2 if run.quick else 10)
        figures = figures_of(plain, MODES, REFERENCE)
        if not run.quick:
            networked = await measure(run, launches, WITH_NETWORK, 6)
            figures += figures_of(networked, WITH_NETWORK, f"docker network create, then {REFERENCE}")
    return Result(
        "launch",
        "Launch: four arms until all columns have a state",
        "at most 1.1 times the command line, same image and engine",
        tuple(figures),
        (
            f"{REFERENCE.capitalize()}: {spread(plain['docker'])} ms (minimum … median … maximum).",
            "Lab, command line and server take turns in every round; removal is not timed.",
        ),
    )
