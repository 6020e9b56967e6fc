"""Where the measuring is measured: a host and a bridge arm that only wait, their paths, and real runs on them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path as FilePath

from dashboard.bench.experiments.launch import in_process_lab
from dashboard.bench.server import ServerError
from dashboard.core.measurements.measurement import Block, Options, Probe
from dashboard.core.measurements.schedule import Series, make_series
from dashboard.core.modes import ArmSpec, ExperimentSpec, Mode, Publish
from dashboard.core.namespaces.state import Family
from dashboard.core.paths.finder import find_paths
from dashboard.core.paths.model import Path, PathKind
from dashboard.lab.measurements.worker import SLEEP, TWIN_PORT
from dashboard.latency.runner import Outcome, run_measurement
from dashboard.store.experiments import Database

#: From the shortest way to the longest.
KINDS = (PathKind.LOOPBACK, PathKind.BRIDGE_ADDRESS, PathKind.PUBLISHED_DNAT, PathKind.PUBLISHED_PROXY)


@dataclass(frozen=True, slots=True)
class Taken:
    """What came out of one run."""

    outcome: Outcome
    blocks: Mapping[str, list[Block]]


@dataclass(frozen=True, slots=True)
class Arena:
    """``paths`` by kind, over IPv4; ``namespaces`` maps each column to a descriptor of its network namespace."""

    experiment: str
    paths: Mapping[PathKind, Path]
    namespaces: Mapping[str, int]
    database: Database

    def series(self, kinds: Sequence[PathKind], probes: Sequence[Probe]) -> tuple[Series, ...]:
        """Each probe on each path."""
        return make_series([self.paths[kind] for kind in kinds], probes)

    async def measure(
        self,
        series: Sequence[Series],
        options: Options,
        seed: int,
        between: Callable[[Block], Awaitable[None]] | None = None,
    ) -> Taken:
        """One run as the lab does it, without the database; ``between`` is awaited between two blocks."""
        blocks: dict[str, list[Block]] = {one.key: [] for one in series}

        async def keep(block: Block) -> None:
            blocks[block.series].append(block)
            if between is not None:
                await between(block)

        return Taken(await run_measurement(series, self.namespaces, options, seed=seed, on_block=keep), blocks)


def waiting_spec(more: Sequence[Publish] = ()) -> ExperimentSpec:
    """A host arm and a bridge arm without a server; ``more`` is published besides the responder's port."""
    published = (Publish(TWIN_PORT, 0, "tcp"), Publish(TWIN_PORT, 0, "udp"), *more)
    arms = (
        ArmSpec("host", Mode.HOST, command=SLEEP, port=TWIN_PORT),
        ArmSpec("bridge", Mode.BRIDGE, command=SLEEP, port=TWIN_PORT, publish=published),
    )
    return ExperimentSpec("bench", "nginx", TWIN_PORT, arms)


@asynccontextmanager
async def arena(folder: FilePath, more: Sequence[Publish] = ()) -> AsyncIterator[Arena]:
    """Both arms run, and are watched as in a server; ServerError where a path is missing."""
    async with in_process_lab(folder) as lab:
        identity, _ = await lab.launch_spec(waiting_spec(more))
        run = lab.lab.run_of(identity)
        if run is None:
            raise ServerError("the experiment has gone")
        found = find_paths(run.view.columns, run.view.states)
        paths = {one.kind: one for one in found if one.family is Family.INET and not one.unavailable}
        if missing := [kind for kind in KINDS if kind not in paths]:
            reasons = "; ".join(one.unavailable for one in found if one.kind in missing and one.unavailable)
            raise ServerError(f"no path {', '.join(missing)}: {reasons}")
        with ExitStack() as stack:
            namespaces = {}
            for key in run.observer.keys:
                inode = run.observer.inode(key)
                opened = lab.lab.context.watches.namespace(inode) if inode is not None else None
                if opened is not None:
                    namespace = opened.duplicate()
                    stack.callback(namespace.close)
                    namespaces[key] = namespace.fd
            yield Arena(identity, paths, namespaces, lab.lab.context.database)
        await lab.remove(identity)
