"""Our p50 beside those of netperf and sockperf, on every path, in turn in one run."""

from __future__ import annotations

import asyncio
import random
import re
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from dashboard.bench.arena import KINDS, Arena, arena
from dashboard.bench.children import running
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
OUR_SECONDS, SETTLE_S, LOOK_S = 0.5, 0.5, 1.0
SEED = 3
BUSY, QUIET = "every core busy", "nothing else runs"
#: At most this share of a turn may others have waited for a core (Documentation/accounting/psi.rst) to call it quiet.
PRESSURE = Path("/proc/pressure/cpu")
LITTLE_PRESSURE, TRIES, LEAST_QUIET = 0.1, 3, 4
#: Runs when nobody else wants the core, so that it is never idle and each wake-up takes an interrupt.
BUSY_CORE = "echo 19 2>/dev/null >/proc/self/autogroup; exec taskset -c $0 chrt --idle 0 sh -c 'while :; do :; done'"

#: p50 in µs by series and by who measured it, one for each round that all three finished.
Rounds = dict[str, list[dict[str, float]]]


def pressure_us() -> int:
    """For how long somebody has waited for a core, in µs since the start; 0 where the kernel does not tell."""
    try:
        found = re.search(r"^some .*total=(\d+)$", PRESSURE.read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) if found else 0


def figures_of(rounds: Rounds, names: dict[str, str], state: str) -> list[Figure]:
    """Ours beside each of the two, and the two beside each other."""
    found = []
    for key, taken in rounds.items():
        name = f"{names[key]}, {state}"
        for rival in (NETPERF, SOCKPERF):
            pairs = [(one[OURS], one[rival]) for one in taken]
            found.append(compared(name, "µs", pairs, rival, promise=PROMISE, paired=True))
        pairs = [(one[NETPERF], one[SOCKPERF]) for one in taken]
        found.append(compared(f"{name}: {NETPERF}", "µs", pairs, SOCKPERF, paired=True))
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
        self.rounds: dict[str, Rounds] = {state: {one.key: [] for one in series} for state in (BUSY, QUIET)}
        self.failures: list[str] = []
        self.loud = 0

    async def round(self, state: str) -> None:
        """One turn of each on every series. Where it shall be quiet and is not, the series is left out."""
        if state == QUIET and not await self._is_quiet():
            self.loud += 1
            return
        for one in self._source.sample(self._series, len(self._series)):
            taken: dict[str, float] = {}
            try:
                for who in self._source.sample((OURS, NETPERF, SOCKPERF), 3):
                    p50 = await (self._ask(one, who) if state == BUSY else self._ask_in_quiet(one, who))
                    if p50 is None:
                        break
                    taken[who] = p50
                else:
                    self.rounds[state][one.key].append(taken)
            except RivalError as error:
                self.failures.append(f"{one.key}: {error}")

    async def _is_quiet(self) -> bool:
        before = pressure_us()
        await asyncio.sleep(LOOK_S)
        return pressure_us() - before <= LITTLE_PRESSURE * LOOK_S * 1e6

    async def _ask_in_quiet(self, one: Series, who: str) -> float | None:
        """Anew while others wait for the cores, at most ``TRIES`` times; decided without a look at the figure."""
        for _ in range(TRIES):
            before, began = pressure_us(), time.monotonic()
            p50 = await self._ask(one, who)
            if pressure_us() - before <= LITTLE_PRESSURE * (time.monotonic() - began) * 1e6:
                return p50
            self.loud += 1
        return None

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
    rounds = 2 if quick else 6
    async with arena(folder / "lab", published()) as place:
        keep_cores_awake()
        series = place.series(KINDS, PROBES)
        turns = _Turns(place, series)
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
                    await turns.round(BUSY)
                await turns.round(QUIET)
    names = {one.key: f"{one.probe} {one.path.kind}" for one in series}
    if unfinished := [names[key] for key, taken in turns.rounds[BUSY].items() if not taken]:
        raise RivalError(f"no whole round of {', '.join(unfinished)}: {turns.failures[-1]}")
    quiet = {key: taken for key, taken in turns.rounds[QUIET].items() if len(taken) >= min(LEAST_QUIET, rounds)}
    figures = figures_of(turns.rounds[BUSY], names, BUSY) + figures_of(quiet, names, QUIET)
    return Result(
        "fidelity",
        "Fidelity: our p50 beside netperf and sockperf",
        "p50 of tcp-rr and udp-rr within 5 % of netperf and of sockperf on four paths",
        tuple(figures),
        (*_notes(figures, turns, [names[key] for key in names if key not in quiet]), *disagreements(figures)),
    )


def _notes(figures: Sequence[Figure], turns: _Turns, loud: Sequence[str]) -> list[str]:
    coarse = NETPERF_STEP_US / min(one.reference_value or 1 for one in figures if one.reference == NETPERF)
    notes = [
        "64 bytes each way, clients on one core, servers on the other, all SCHED_FIFO, no delay; sockperf --full-rtt.",
        f"netperf takes times with gettimeofday and tells whole µs: {coarse:.0%} of the shortest p50 here.",
        "Ratios are medians of the rounds' ratios. Idle cores are kept from sleeping for all three.",
    ]
    if turns.loud:
        notes.append(f"{turns.loud} turns or rounds that should have been quiet were not: done anew or left out.")
    if loud:
        notes.append(f"Not quiet for {LEAST_QUIET} rounds, so not judged while nothing else runs: {', '.join(loud)}.")
    if turns.failures:
        notes.append(f"{len(turns.failures)} turns failed, the last: {turns.failures[-1]}")
    return notes
