"""A testbed for benchmarks that execute measurements: an idle host arm and an idle bridge arm, their paths, and real
runs on these paths."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass

from dashboard.bench.benchmark import BenchmarkError, BenchmarkRun
from dashboard.bench.environment import format_load
from dashboard.core.measurements.measurement import Block, Options, Probe
from dashboard.core.measurements.responder_experiment import RESPONDER_PORT, SLEEP
from dashboard.core.measurements.schedule import Series, make_series
from dashboard.core.modes import ArmSpec, ExperimentSpec, Mode, Publish
from dashboard.core.namespaces.state import Family
from dashboard.core.paths.finder import measured_paths
from dashboard.core.paths.model import Path, PathKind
from dashboard.lab.one_shot import launched
from dashboard.latency.runner import Outcome, run_measurement
from dashboard.store.database import DatabaseThread

#: From the shortest path to the longest.
KINDS = (PathKind.LOOPBACK, PathKind.BRIDGE_ADDRESS, PathKind.PUBLISHED_DNAT, PathKind.PUBLISHED_PROXY)


@dataclass(frozen=True, slots=True)
class Measured:
    """The outcome of one run, and its blocks by the key of their series."""

    outcome: Outcome
    blocks: Mapping[str, list[Block]]


@dataclass(frozen=True, slots=True)
class Testbed:
    """The launched arms. ``paths`` are the IPv4 paths by kind; ``namespaces`` maps the key of each column to a
    descriptor of its network namespace."""

    experiment: str
    paths: Mapping[PathKind, Path]
    namespaces: Mapping[str, int]
    database: DatabaseThread

    def series(self, kinds: Sequence[PathKind], probes: Sequence[Probe] = (Probe.TCP_RR,)) -> tuple[Series, ...]:
        """The series for each probe on each path of these kinds."""
        return make_series([self.paths[kind] for kind in kinds], probes)

    async def measure(self, series: Sequence[Series], options: Options, seed: int) -> Measured:
        """Executes a run as the lab does, without storing anything."""
        blocks: dict[str, list[Block]] = {each.key: [] for each in series}

        async def keep(block: Block) -> None:
            blocks[block.series].append(block)

        return Measured(await run_measurement(series, self.namespaces, options, seed=seed, on_block=keep), blocks)

    async def repeat(
        self, run: BenchmarkRun, series: Sequence[Series], runs: int, seconds: float
    ) -> AsyncIterator[tuple[int, Measured]]:
        """Executes ``runs`` runs, one after the other. For each run, yields its number, from 0, and its result. The
        number is also the seed of the run."""
        for number in range(runs):
            if number % max(1, runs // 20) == 0:
                run.say(f"run {number + 1} of {runs}, load {format_load()}")
            yield number, await self.measure(series, Options(seconds=seconds), seed=number)


@asynccontextmanager
async def open_testbed(run: BenchmarkRun, published: Sequence[Publish] = ()) -> AsyncIterator[Testbed]:
    """Context manager that launches and watches the host arm and the bridge arm, as a server does. The bridge arm
    publishes the responder's port and the ports in ``published``. Raises BenchmarkError if a path is missing."""
    responder = (Publish(RESPONDER_PORT, 0, "tcp"), Publish(RESPONDER_PORT, 0, "udp"))
    arms = (
        ArmSpec("host", Mode.HOST, command=SLEEP, port=RESPONDER_PORT),
        ArmSpec("bridge", Mode.BRIDGE, command=SLEEP, port=RESPONDER_PORT, publish=(*responder, *published)),
    )
    spec = ExperimentSpec("bench", "nginx", RESPONDER_PORT, arms)
    async with launched(run.folder / "lab", spec, run.say) as (context, driver):
        await driver.settled()  # programs listen before the new nat rules are read
        found = measured_paths(driver.view.columns, driver.view.states, responder=True)
        paths = {path.kind: path for path in found if path.family is Family.INET and not path.unavailable}
        if missing := [kind for kind in KINDS if kind not in paths]:
            reasons = "; ".join(path.unavailable for path in found if path.kind in missing and path.unavailable)
            raise BenchmarkError(f"no path {', '.join(missing)}: {reasons}")
        with ExitStack() as stack:
            namespaces = {}
            for key in driver.observer.keys:
                inode = driver.observer.inode(key)
                if inode is not None and (watched := context.watches.namespace(inode)) is not None:
                    namespace = watched.duplicate()
                    stack.callback(namespace.close)
                    namespaces[key] = namespace.fd
            yield Testbed(driver.id, paths, namespaces, context.database)
