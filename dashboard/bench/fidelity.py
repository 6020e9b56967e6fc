"""Our p50 beside those of netperf and sockperf, on every path, in turn in one run."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from dashboard.bench.arena import KINDS, Arena, arena
from dashboard.bench.figures import Figure, Of, Promise, Result, compared
from dashboard.bench.machine import say_load
from dashboard.bench.rivals import (
    CONTAINER_PORTS,
    HOST_PORTS,
    RivalError,
    ask_netperf,
    ask_sockperf,
    published,
    serving_rivals,
)
from dashboard.core.measurement import Options, Probe
from dashboard.core.path_kinds import PathKind
from dashboard.core.schedule import Series
from dashboard.core.statistics import median
from dashboard.latency.environment import pick_cores
from dashboard.latency.process import keep_cores_awake

LIMIT_S = 1200.0
PROBES = (Probe.TCP_RR, Probe.UDP_RR)
OURS, NETPERF, SOCKPERF = "ours", "netperf", "sockperf"
PROMISE = Promise(Of.APART, 1.05)
APART = 1.1
NETPERF_STEP_US = 1.0
OUR_SECONDS, SETTLE_S = 0.5, 0.5
SEED = 3
#: p50 in µs by series and by who measured it, one for each round that all three finished.
Rounds = dict[str, list[dict[str, float]]]


def figures_of(rounds: Rounds, names: dict[str, str]) -> list[Figure]:
    """Ours beside each of the two, and the two beside each other."""
    found = []
    for key, taken in rounds.items():
        for rival in (NETPERF, SOCKPERF):
            pairs = [(one[OURS], one[rival]) for one in taken]
            found.append(compared(names[key], "µs", pairs, rival, promise=PROMISE, paired=True))
        pairs = [(one[NETPERF], one[SOCKPERF]) for one in taken]
        found.append(compared(f"{names[key]}: {NETPERF}", "µs", pairs, SOCKPERF, paired=True))
    return found


def disagreements(figures: Sequence[Figure]) -> list[str]:
    """Where the two are so far from one another that nobody can be near both."""
    return [
        f"{one.name} and {one.reference} are {abs(one.ratio - 1):.0%} apart: nobody can be within 5 % of both."
        for one in figures
        if one.promise is None and one.ratio is not None and not 1 / APART <= one.ratio <= APART
    ]


class _Turns:
    """Ours, netperf and sockperf on one series after the other, in an order drawn anew for each."""

    def __init__(self, place: Arena, series: Sequence[Series]) -> None:
        self._place = place
        self._series = series
        self._source = random.Random(SEED)  # noqa: S311 - an order
        self._client_core = pick_cores()[0]
        self.rounds: Rounds = {one.key: [] for one in series}
        self.failures: list[str] = []

    async def round(self) -> None:
        """One turn of each on every series."""
        for one in self._source.sample(self._series, len(self._series)):
            taken: dict[str, float] = {}
            try:
                for who in self._source.sample((OURS, NETPERF, SOCKPERF), 3):
                    taken[who] = await self._ask(one, who)
            except RivalError as error:
                self.failures.append(f"{one.key}: {error}")
            else:
                self.rounds[one.key].append(taken)

    async def _ask(self, one: Series, who: str) -> float:
        path = one.path
        namespace, core = self._place.namespaces[path.client], self._client_core
        ports = HOST_PORTS if path.kind is PathKind.LOOPBACK else CONTAINER_PORTS
        if who == NETPERF:
            return (await ask_netperf(path.address, ports, one.probe, namespace, core)).p50_us
        if who == SOCKPERF:
            return (await ask_sockperf(path.address, ports, one.probe, namespace, core)).p50_us
        run = await self._place.measure([one], Options(seconds=OUR_SECONDS), self._source.randrange(1 << 30))
        counting = [block.p50_us for block in run.blocks[one.key] if block.counts]
        if not counting:
            raise RivalError(run.outcome.reason)
        return median(counting)


async def benchmark(folder: Path, say: Callable[[str], None], *, quick: bool) -> Result:
    """All of it."""
    if missing := [tool for tool in ("netperf", "netserver", "sockperf") if shutil.which(tool) is None]:
        raise RivalError(f"not on this machine: {', '.join(missing)}")
    rounds = 2 if quick else 9
    async with arena(folder / "lab", published()) as place:
        keep_cores_awake()
        turns = _Turns(place, place.series(KINDS, PROBES))
        with ExitStack() as stack:
            core = pick_cores()[1]
            for kind, ports in ((PathKind.LOOPBACK, HOST_PORTS), (PathKind.BRIDGE_ADDRESS, CONTAINER_PORTS)):
                stack.enter_context(serving_rivals(place.namespaces[place.paths[kind].server], ports, core))
            await asyncio.sleep(SETTLE_S)
            for number in range(rounds):
                say(f"fidelity: round {number + 1} of {rounds}, load {say_load()}")
                await turns.round()
        names = {one.key: f"{one.probe} {one.path.kind}" for one in place.series(KINDS, PROBES)}
    if unfinished := [names[key] for key, taken in turns.rounds.items() if not taken]:
        raise RivalError(f"no whole round of {', '.join(unfinished)}: {turns.failures[-1]}")
    figures = figures_of(turns.rounds, names)
    coarse = NETPERF_STEP_US / min(one.reference_value or 1 for one in figures if one.reference == NETPERF)
    notes = [
        "64 bytes each way, clients on one core, servers on the other, nice -20, no delay; sockperf with --full-rtt.",
        f"netperf takes times with gettimeofday and tells whole µs: {coarse:.0%} of the shortest p50 here.",
        "Ratios are medians of the rounds' ratios. Idle cores are kept from sleeping for all three.",
        *disagreements(figures),
    ]
    if turns.failures:
        notes.append(f"{len(turns.failures)} turns failed, the last: {turns.failures[-1]}")
    return Result(
        "fidelity",
        "Fidelity: our p50 beside netperf and sockperf",
        "p50 of tcp-rr and udp-rr within 5 % of netperf and of sockperf on four paths",
        tuple(figures),
        tuple(notes),
    )
