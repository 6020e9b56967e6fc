"""Our p50 beside those of netperf and sockperf, on every path, in turn in one run."""

from __future__ import annotations

import asyncio
import random
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from dashboard.bench.environment import say_load
from dashboard.bench.measurements.netperf_sockperf import (
    CONTAINER_PORTS,
    HOST_PORTS,
    RivalError,
    ask_netperf,
    ask_sockperf,
    published,
    serving_rivals,
)
from dashboard.bench.measurements.testbed import KINDS, Arena, arena
from dashboard.bench.processes import running
from dashboard.bench.statistics import Figure, Of, Promise, Result, compared
from dashboard.core.measurements.measurement import Options, Probe
from dashboard.core.measurements.schedule import Series
from dashboard.core.measurements.statistics import median
from dashboard.core.paths.model import PathKind
from dashboard.latency.environment import pick_cores
from dashboard.latency.process import keep_cores_awake

LIMIT_S = 1500.0
PROBES = (Probe.TCP_RR, Probe.UDP_RR)
NETPERF, SOCKPERF = "netperf", "sockperf"
RIVALS = (NETPERF, SOCKPERF)
PROMISE = Promise(Of.APART, 1.05)
APART = 1.1
NETPERF_STEP_US = 1.0
ROUNDS, QUICK_ROUNDS = 10, 2
OUR_SECONDS, SETTLE_S, LOOK_S = 0.25, 0.5, 0.5
SEED = 3
BUSY, QUIET = "every core busy", "nothing else runs"
#: At most this share of a look may anybody have waited for a core (Documentation/accounting/psi.rst) to call it quiet.
PRESSURE = Path("/proc/pressure/cpu")
LITTLE_PRESSURE, LEAST_QUIET = 0.1, 4
#: Runs when nobody else wants the core, so that it is never idle and each wake-up takes an interrupt.
BUSY_CORE = "echo 19 2>/dev/null >/proc/self/autogroup; exec taskset -c $0 chrt --idle 0 sh -c 'while :; do :; done'"


@dataclass(frozen=True, slots=True)
class Turn:
    """One series, once: p50 in µs of each reference, with ours right before and right after it."""

    theirs: Mapping[str, float]
    around: Mapping[str, tuple[float, float]]

    def pair(self, rival: str) -> tuple[float, float]:
        """Ours, the mean of before and after, so that what drifts evenly cancels out; and theirs."""
        return fmean(self.around[rival]), self.theirs[rival]


#: The turns that were finished, by series.
Turns = dict[str, list[Turn]]


def pressure_us() -> int:
    """For how long somebody has waited for a core, in µs since the start; 0 where the kernel does not tell."""
    try:
        found = re.search(r"^some .*total=(\d+)$", PRESSURE.read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) if found else 0


def figures_of(turns: Turns, names: dict[str, str], state: str) -> list[Figure]:
    """Ours beside each of the two, and the two beside each other."""
    found = []
    for key, taken in turns.items():
        name = f"{names[key]}, {state}"
        for rival in RIVALS:
            pairs = [one.pair(rival) for one in taken]
            found.append(compared(name, "µs", pairs, rival, promise=PROMISE, paired=True))
        pairs = [(one.theirs[NETPERF], one.theirs[SOCKPERF]) for one in taken]
        found.append(compared(f"{name}: {NETPERF}", "µs", pairs, SOCKPERF, paired=True))
    return found


def disagreements(figures: Sequence[Figure]) -> list[str]:
    """Where the two are so far from one another that nobody can be near both."""
    return [
        f"{one.name} and {one.reference} are {abs(one.ratio - 1):.0%} apart: nobody can be within 5 % of both."
        for one in figures
        if one.promise is None and one.ratio is not None and not 1 / APART <= one.ratio <= APART
    ]


class _Table:
    """Ours, a reference, ours, the other, ours: on one series after the other, in an order drawn anew for each."""

    def __init__(self, place: Arena, series: Sequence[Series]) -> None:
        self._place = place
        self._series = series
        self._source = random.Random(SEED)  # noqa: S311 - an order
        self._client_core = pick_cores()[0]
        self.turns: dict[str, Turns] = {state: {one.key: [] for one in series} for state in (BUSY, QUIET)}
        self.failures: list[str] = []
        self.loud = 0

    async def round(self, state: str) -> None:
        """A turn on every series. Where it shall be quiet, a turn counts if it was so right before and after it:
        decided without a look at the figures."""
        for one in self._source.sample(self._series, len(self._series)):
            if state == QUIET and not await _is_quiet():
                self.loud += 1
                continue
            try:
                turn = await self._turn(one)
            except RivalError as error:
                self.failures.append(f"{one.key}: {error}")
                continue
            if state == QUIET and not await _is_quiet():
                self.loud += 1
                continue
            self.turns[state][one.key].append(turn)

    async def _turn(self, one: Series) -> Turn:
        theirs, around = {}, {}
        before = await self._ours(one)
        for rival in self._source.sample(RIVALS, len(RIVALS)):
            theirs[rival] = await self._ask(one, rival)
            after = await self._ours(one)
            around[rival] = (before, after)
            before = after
        return Turn(theirs, around)

    async def _ours(self, one: Series) -> float:
        run = await self._place.measure([one], Options(seconds=OUR_SECONDS), self._source.randrange(1 << 30))
        counting = [block.p50_us for block in run.blocks[one.key] if block.counts]
        if not counting:
            raise RivalError(run.outcome.reason)
        return median(counting)

    async def _ask(self, one: Series, rival: str) -> float:
        path = one.path
        ports = HOST_PORTS if path.kind is PathKind.LOOPBACK else CONTAINER_PORTS
        ask = ask_netperf if rival == NETPERF else ask_sockperf
        namespace = self._place.namespaces[path.client]
        return (await ask(path.address, ports, one.probe, namespace, self._client_core)).p50_us


async def _is_quiet() -> bool:
    """Whether nobody waits for a core while nothing of ours runs."""
    before = pressure_us()
    await asyncio.sleep(LOOK_S)
    return pressure_us() - before <= LITTLE_PRESSURE * LOOK_S * 1e6


async def benchmark(folder: Path, say: Callable[[str], None], *, quick: bool) -> Result:
    """All of it."""
    if missing := [tool for tool in ("netperf", "netserver", "sockperf") if shutil.which(tool) is None]:
        raise RivalError(f"not on this machine: {', '.join(missing)}")
    rounds = QUICK_ROUNDS if quick else ROUNDS
    async with arena(folder / "lab", published()) as place:
        keep_cores_awake()
        series = place.series(KINDS, PROBES)
        table = _Table(place, series)
        with ExitStack() as stack:
            client, responder = pick_cores()
            for kind, ports in ((PathKind.LOOPBACK, HOST_PORTS), (PathKind.BRIDGE_ADDRESS, CONTAINER_PORTS)):
                stack.enter_context(serving_rivals(place.namespaces[place.paths[kind].server], ports, responder))
            await asyncio.sleep(SETTLE_S)
            for number in range(rounds):
                say(f"fidelity: round {number + 1} of {rounds}, load {say_load()}")
                with ExitStack() as busy:
                    for core in {client, responder} - {None}:
                        busy.enter_context(running(["setsid", "--wait", "sh", "-c", BUSY_CORE, str(core)]))
                    await table.round(BUSY)
                await table.round(QUIET)
    names = {one.key: f"{one.probe} {one.path.kind}" for one in series}
    if unfinished := [names[key] for key, taken in table.turns[BUSY].items() if not taken]:
        raise RivalError(f"no whole round of {', '.join(unfinished)}: {table.failures[-1]}")
    quiet = {key: taken for key, taken in table.turns[QUIET].items() if len(taken) >= min(LEAST_QUIET, rounds)}
    figures = figures_of(table.turns[BUSY], names, BUSY) + figures_of(quiet, names, QUIET)
    return Result(
        "fidelity",
        "Fidelity: our p50 beside netperf and sockperf",
        "p50 of tcp-rr and udp-rr within 5 % of netperf and of sockperf on four paths",
        tuple(figures),
        (*_notes(figures, table, [names[key] for key in names if key not in quiet]), *disagreements(figures)),
    )


def _notes(figures: Sequence[Figure], table: _Table, loud: Sequence[str]) -> list[str]:
    coarse = NETPERF_STEP_US / min(one.reference_value or 1 for one in figures if one.reference == NETPERF)
    notes = [
        "64 bytes each way, clients on one core, servers on the other, all SCHED_FIFO, no delay; sockperf --full-rtt.",
        f"netperf takes times with gettimeofday and tells whole µs: {coarse:.0%} of the shortest p50 here.",
        "Ratios are medians of the turns' ratios; ours is the mean of right before and right after.",
        "Idle cores are kept from sleeping for all three.",
    ]
    if table.loud:
        notes.append(f"{table.loud} turns that should have been quiet were not: left out.")
    if loud:
        notes.append(f"Not quiet for {LEAST_QUIET} turns, so not judged while nothing else runs: {', '.join(loud)}.")
    if table.failures:
        notes.append(f"{len(table.failures)} turns failed, the last: {table.failures[-1]}")
    return notes
