"""``fidelity``: compares our p50 with those of netperf and sockperf on every path. The three tools measure alternately
within one run."""

import asyncio
import random
import re
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from dashboard.bench.benchmark import BenchmarkError, BenchmarkRun
from dashboard.bench.environment import format_load
from dashboard.bench.measurements.netperf_sockperf import (
    CONTAINER_PORTS,
    HOST_PORTS,
    NETPERF,
    SOCKPERF,
    measure_p50,
    published,
    reference_servers,
)
from dashboard.bench.measurements.testbed import KINDS, Testbed, open_testbed
from dashboard.bench.processes import find_program, running
from dashboard.bench.statistics import Figure, Result, compared, within_factor
from dashboard.core.measurements.measurement import Options, Probe
from dashboard.core.measurements.schedule import Series
from dashboard.core.measurements.statistics import median
from dashboard.core.paths.model import PathKind
from dashboard.latency.environment import pick_cores
from dashboard.latency.process import keep_cores_awake

LIMIT_S = 1500.0
REFERENCES = (NETPERF, SOCKPERF)
#: Where netperf and sockperf differ by more than this factor, one figure cannot be near both.
APART = 1.1
NETPERF_STEP_US = 1.0
ROUNDS, QUICK_ROUNDS = 10, 2
OUR_SECONDS, SETTLE_S, LOOK_S = 0.25, 0.5, 0.5
SEED = 3
BUSY, QUIET = "both cores busy", "nothing else runs"
#: A moment is quiet if tasks waited for a core for at most this share of it (Documentation/accounting/psi.rst).
PRESSURE = Path("/proc/pressure/cpu")
MAX_PRESSURE, MIN_QUIET_TURNS = 0.1, 4
#: Runs when nothing else needs the core, so that it is never idle and each wake-up takes an interrupt.
BUSY_CORE = "echo 19 2>/dev/null >/proc/self/autogroup; exec taskset -c $0 chrt --idle 0 sh -c 'while :; do :; done'"


@dataclass(frozen=True, slots=True)
class Turn:
    """The results of measuring a series once with each reference. ``theirs`` maps each reference to its p50 in µs.
    ``around`` maps each reference to a pair: our p50 right before the reference's measurement, and our p50 right after
    it."""

    theirs: Mapping[str, float]
    around: Mapping[str, tuple[float, float]]

    def pair(self, reference: str) -> tuple[float, float]:
        """Our p50 and the p50 of the reference in µs. Ours is the mean of our p50 before and after the reference's
        measurement, so that a steady drift cancels out."""
        return fmean(self.around[reference]), self.theirs[reference]


#: The turns that were finished, by series.
Turns = dict[str, list[Turn]]


def pressure_us() -> int:
    """The total time that tasks have waited for a core, in µs; 0 if the kernel does not count it."""
    try:
        match = re.search(r"^some .*total=(\d+)$", PRESSURE.read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(match[1]) if match else 0


async def is_quiet() -> bool:
    """Observes the machine for ``LOOK_S`` seconds. Returns whether the share of that time in which tasks waited for a
    core is at most ``MAX_PRESSURE``."""
    before = pressure_us()
    await asyncio.sleep(LOOK_S)
    return pressure_us() - before <= MAX_PRESSURE * LOOK_S * 1e6


def figures_of(turns: Turns, names: dict[str, str], state: str) -> list[Figure]:
    """Returns the figures of each series. They compare our p50 with that of each reference, and the two references with
    each other. ``names`` maps the key of each series to its name. ``state`` is ``BUSY`` or ``QUIET``."""
    found = []
    for key, taken in turns.items():
        name = f"{names[key]}, {state}"
        for reference in REFERENCES:
            pairs = [turn.pair(reference) for turn in taken]
            found.append(compared(name, "µs", pairs, reference, promise=within_factor(1.05), paired=True))
        pairs = [(turn.theirs[NETPERF], turn.theirs[SOCKPERF]) for turn in taken]
        found.append(compared(f"{name}: {NETPERF}", "µs", pairs, SOCKPERF, paired=True))
    return found


def disagreements(figures: Sequence[Figure]) -> list[str]:
    """Sentences about the series for which the two references differ so much that no p50 can be close to both."""
    return [
        f"{figure.name} and {figure.reference} are {abs(figure.ratio - 1):.0%} apart: no figure is within 5 % of both."
        for figure in figures
        if figure.promise is None and figure.ratio is not None and not 1 / APART <= figure.ratio <= APART
    ]


class Comparison:
    """Takes a turn on each series, in a new random order for each round. Collects the turns by the state of the
    machine, ``BUSY`` or ``QUIET``."""

    def __init__(self, testbed: Testbed, series: Sequence[Series]) -> None:
        self._testbed = testbed
        self._series = series
        self._random = random.Random(SEED)  # noqa: S311 - an order
        self._client_core = pick_cores()[0]
        self.names = {each.key: f"{each.probe} {each.path.kind}" for each in series}
        self.turns: dict[str, Turns] = {state: {each.key: [] for each in series} for state in (BUSY, QUIET)}
        self.failures: list[str] = []
        self.disturbed = 0

    async def take_round(self, state: str) -> None:
        """Takes a turn on every series. ``state`` is ``BUSY`` or ``QUIET``. In the state ``QUIET``, a turn counts only
        if the machine was quiet right before and after it. This is decided without looking at the figures."""
        for series in self._random.sample(self._series, len(self._series)):
            turn = None
            if state == BUSY or await is_quiet():
                try:
                    turn = await self._turn(series)
                except BenchmarkError as error:
                    self.failures.append(f"{self.names[series.key]}: {error}")
                    continue
            if turn is None or (state == QUIET and not await is_quiet()):
                self.disturbed += 1
            else:
                self.turns[state][series.key].append(turn)

    async def _turn(self, series: Series) -> Turn:
        theirs, around = {}, {}
        before = await self._ours(series)
        path = series.path
        ports = HOST_PORTS if path.kind is PathKind.LOOPBACK else CONTAINER_PORTS
        namespace = self._testbed.namespaces[path.client]
        for tool in self._random.sample(REFERENCES, len(REFERENCES)):
            theirs[tool] = await measure_p50(tool, path.address, ports, series.probe, namespace, self._client_core)
            after = await self._ours(series)
            around[tool] = (before, after)
            before = after
        return Turn(theirs, around)

    async def _ours(self, series: Series) -> float:
        measured = await self._testbed.measure([series], Options(seconds=OUR_SECONDS), self._random.randrange(1 << 30))
        counting = [block.p50_us for block in measured.blocks[series.key] if block.counts]
        if not counting:
            raise BenchmarkError(measured.outcome.reason)
        return median(counting)


async def benchmark(run: BenchmarkRun) -> Result:
    """Takes rounds of two kinds in turn. In one, the cores of client and responder are busy. In the other, nothing else
    runs."""
    if missing := [tool for tool in (NETPERF, "netserver", SOCKPERF) if find_program(tool) is None]:
        raise BenchmarkError(f"not installed: {', '.join(missing)}")
    rounds = QUICK_ROUNDS if run.quick else ROUNDS
    async with open_testbed(run, published()) as testbed:
        keep_cores_awake()
        comparison = Comparison(testbed, testbed.series(KINDS, (Probe.TCP_RR, Probe.UDP_RR)))
        with ExitStack() as stack:
            client, responder = pick_cores()
            for kind, ports in ((PathKind.LOOPBACK, HOST_PORTS), (PathKind.BRIDGE_ADDRESS, CONTAINER_PORTS)):
                stack.enter_context(reference_servers(testbed.namespaces[testbed.paths[kind].server], ports, responder))
            await asyncio.sleep(SETTLE_S)
            for number in range(rounds):
                run.say(f"round {number + 1} of {rounds}, load {format_load()}")
                async with AsyncExitStack() as busy:
                    for core in {client, responder} - {None}:
                        await busy.enter_async_context(running(["setsid", "--wait", "sh", "-c", BUSY_CORE, str(core)]))
                    await comparison.take_round(BUSY)
                await comparison.take_round(QUIET)
    return result_of(comparison, min(MIN_QUIET_TURNS, rounds))


def result_of(comparison: Comparison, quiet_turns: int) -> Result:
    """The result of all rounds, with notes on the turns that do not count. In the quiet state, only series with
    ``quiet_turns`` turns or more are judged."""
    names, turns = comparison.names, comparison.turns
    if unfinished := [names[key] for key, taken in turns[BUSY].items() if not taken]:
        raise BenchmarkError(f"no complete turn of {', '.join(unfinished)}: {comparison.failures[-1]}")
    quiet = {key: taken for key, taken in turns[QUIET].items() if len(taken) >= quiet_turns}
    figures = figures_of(turns[BUSY], names, BUSY) + figures_of(quiet, names, QUIET)
    step = NETPERF_STEP_US / min(figure.reference_value or 1 for figure in figures if figure.reference == NETPERF)
    notes = [
        "64 bytes each way, clients on one core, servers on the other, all SCHED_FIFO, no delay; sockperf --full-rtt.",
        f"netperf takes times with gettimeofday and prints whole µs: {step:.0%} of the shortest p50 here.",
        "Ratios are medians of the turns' ratios; ours is the mean of right before and right after.",
        "Idle cores are kept from sleeping for all three.",
    ]
    if comparison.disturbed:
        notes.append(f"{comparison.disturbed} turns that should have been quiet were not: left out.")
    if loud := [names[key] for key in names if key not in quiet]:
        notes.append(f"Fewer than {quiet_turns} quiet turns, so not judged while nothing else runs: {', '.join(loud)}.")
    if comparison.failures:
        notes.append(f"{len(comparison.failures)} turns failed, the last: {comparison.failures[-1]}")
    return Result(
        "fidelity",
        "Fidelity: our p50 compared with netperf and sockperf",
        "p50 of tcp-rr and udp-rr within 5 % of netperf and of sockperf on four paths",
        tuple(figures),
        (*notes, *disagreements(figures)),
    )
