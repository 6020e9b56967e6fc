"""Our p50 beside those of netperf and sockperf, on every path, in turn in one run."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from dashboard.bench.arena import KINDS, Arena, arena
from dashboard.bench.figures import Figure, Of, Promise, Result, compared, spread
from dashboard.bench.rivals import (
    CONTAINER_PORTS,
    HOST_PORTS,
    RivalError,
    ask_netperf,
    ask_sockperf,
    published,
    serving_rivals,
)
from dashboard.bench.machine import say_load
from dashboard.core.measurement import Block, Options, Probe
from dashboard.core.path_kinds import PathKind
from dashboard.core.schedule import Series
from dashboard.core.statistics import median
from dashboard.latency.environment import pick_cores

LIMIT_S = 900.0
PROBES = (Probe.TCP_RR, Probe.UDP_RR)
NETPERF, SOCKPERF = "netperf", "sockperf"
PROMISE = Promise(Of.APART, 1.05)
#: netperf takes times with gettimeofday(2) and tells whole µs.
NETPERF_STEP_US = 1.0
SETTLE_S = 0.5
SEED = 3
LONGEST_S = 3600.0


@dataclass(slots=True)
class Gathered:
    """p50 in µs of each series and who measured it, by round."""

    ours: dict[str, dict[int, float]] = field(default_factory=lambda: defaultdict(dict))
    theirs: dict[tuple[str, str], dict[int, float]] = field(default_factory=lambda: defaultdict(dict))
    failures: list[str] = field(default_factory=list)

    def pairs(self, series: str, rival: str) -> list[tuple[float, float]]:
        """Ours and theirs, of the rounds that have both."""
        ours, theirs = self.ours[series], self.theirs[series, rival]
        return [(ours[number], theirs[number]) for number in sorted(ours.keys() & theirs.keys())]

    def between_rivals(self, series: str) -> list[tuple[float, float]]:
        """netperf's and sockperf's."""
        one, other = self.theirs[series, NETPERF], self.theirs[series, SOCKPERF]
        return [(one[number], other[number]) for number in sorted(one.keys() & other.keys())]


def figures_of(gathered: Gathered, series: Sequence[Series]) -> list[Figure]:
    """Ours beside each of the two, and the two beside each other."""
    found = []
    for one in series:
        name = f"{one.probe} {one.path.kind}"
        for rival in (NETPERF, SOCKPERF):
            if pairs := gathered.pairs(one.key, rival):
                found.append(compared(name, "µs", pairs, rival, promise=PROMISE))
        if pairs := gathered.between_rivals(one.key):
            found.append(compared(f"{name}: netperf", "µs", pairs, SOCKPERF))
    return found


class _Turns:
    """Gives netperf and sockperf their turns between our blocks, in an order drawn anew for each round."""

    def __init__(self, place: Arena, series: Sequence[Series], rounds: int, say: Callable[[str], None]) -> None:
        self._place = place
        self._series = {one.key: one for one in series}
        self._rounds = rounds
        self._say = say
        self._source = random.Random(SEED)  # noqa: S311 - an order
        self._client_core = pick_cores()[0]
        self._waiting: list[tuple[str, str]] = []
        self.gathered = Gathered()
        self.done = asyncio.Event()

    async def take(self, block: Block) -> None:
        """After each block of ours: two turns of the others, of any series."""
        if not self._waiting:
            if block.round:
                self._say(f"fidelity: round {block.round} of {self._rounds}, load {say_load()}")
            self._waiting = [(key, rival) for key in self._series for rival in (NETPERF, SOCKPERF)]
            self._source.shuffle(self._waiting)
        if block.counts:
            self.gathered.ours[block.series][block.round] = block.p50_us
        elif block.error:
            self.gathered.failures.append(f"ours, {block.series}: {block.error}")
        for _ in range(2):
            key, rival = self._waiting.pop()
            try:
                self.gathered.theirs[key, rival][block.round] = await self._ask(key, rival)
            except RivalError as error:
                self.gathered.failures.append(f"{rival}, {key}: {error}")
        if block.round + 1 >= self._rounds and not self._waiting:
            self.done.set()

    async def _ask(self, key: str, rival: str) -> float:
        one = self._series[key]
        path, namespace = one.path, self._place.namespaces[one.path.client]
        ports = HOST_PORTS if path.kind is PathKind.LOOPBACK else CONTAINER_PORTS
        if rival == NETPERF:
            likely = median(self.gathered.ours[key].values() or [50.0])
            told = await ask_netperf(path.address, ports, one.probe, namespace, self._client_core, likely)
        else:
            told = await ask_sockperf(path.address, ports, one.probe, namespace, self._client_core)
        return told.p50_us


async def benchmark(folder: Path, say: Callable[[str], None], *, quick: bool) -> Result:
    """All of it."""
    rounds = 3 if quick else 20
    async with arena(folder / "lab", published()) as place:
        series = place.series(KINDS, PROBES)
        turns = _Turns(place, series, rounds, say)
        with ExitStack() as stack:
            core = pick_cores()[1]
            paths = place.paths
            for kind, ports in ((PathKind.LOOPBACK, HOST_PORTS), (PathKind.BRIDGE_ADDRESS, CONTAINER_PORTS)):
                stack.enter_context(serving_rivals(place.namespaces[paths[kind].server], ports, core))
            await asyncio.sleep(SETTLE_S)
            work = asyncio.create_task(place.measure(series, Options(seconds=LONGEST_S), SEED, turns.take))
            waiting = asyncio.create_task(turns.done.wait())
            try:
                await asyncio.wait({work, waiting}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (work, waiting):
                    task.cancel()
                await asyncio.wait({work, waiting})
    return Result(
        "fidelity",
        "Fidelity: our p50 beside netperf and sockperf",
        "p50 of tcp-rr and udp-rr within 5 % of netperf and of sockperf on four paths",
        tuple(figures_of(turns.gathered, series)),
        tuple(_notes(turns.gathered, series)),
    )


def _notes(gathered: Gathered, series: Sequence[Series]) -> list[str]:
    coarse = NETPERF_STEP_US / min(median(gathered.theirs[one.key, NETPERF].values()) for one in series)
    notes = [
        "64 bytes each way, clients on one core and servers on the other, nice -20, no delay; sockperf with --full-rtt.",
        f"netperf tells whole µs: its p50 is known to {coarse:.1%} on the fastest path. sockperf counts the processor's clock.",
    ]
    for one in series:
        if pairs := gathered.between_rivals(one.key):
            ratio = median(a for a, _ in pairs) / median(b for _, b in pairs)
            if not 1 / 1.1 <= ratio <= 1.1:
                notes.append(
                    f"{one.probe} {one.path.kind}: netperf and sockperf differ by {abs(ratio - 1):.1%}: not both can be met."
                )
    if gathered.failures:
        notes.append(f"{len(gathered.failures)} turns failed, the last: {gathered.failures[-1]}")
    return notes
