"""Measures latencies for claims: every path to two containers, in interleaved blocks. One measurement serves all claims
that ask about the same two containers."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from dashboard.core.claims.testbed import NotTestableError, Timing
from dashboard.core.experiments.messages import Column
from dashboard.core.measurements.measurement import Block, Options, Probe
from dashboard.core.measurements.schedule import make_series
from dashboard.core.measurements.statistics import median
from dashboard.core.measurements.verdicts import judge_blocks, name_of, reason_of
from dashboard.core.modes import MACHINE, Mode
from dashboard.core.namespaces.state import Family, NamespaceState
from dashboard.core.paths.finder import measured_paths
from dashboard.engine.protocol import ContainerFacts
from dashboard.lab.claims.engines import ClaimEngine
from dashboard.latency.runner import run_measurement
from dashboard.netns.namespace import Namespace

#: Seconds of a pass, which has about 30 short rounds, and the maximum number of passes. Passes are added until every
#: confidence interval is narrow enough: only its width decides, never its sign (``core.measurements.verdicts``).
PASS_S, MAX_PASSES, WIDTH_US, WIDTH_SHARE = 3.0, 8, 0.5, 0.2
SERVER_PORT = 8080

Launch = Callable[[], Awaitable[list[tuple[str, ContainerFacts]]]]
Observe = Callable[[str, ContainerFacts | None], Awaitable[NamespaceState]]
Blocks = Mapping[str, Sequence[Block]]


class Timings:
    """The measurements of one run of claims. The containers of the same two ``docker run`` lines are measured only
    once."""

    def __init__(self) -> None:
        self._measured: dict[tuple[str, ...], Blocks] = {}

    async def answer(
        self, lines: tuple[str, ...], question: str, target: ClaimEngine, launch: Launch, observe: Observe
    ) -> Timing:
        """Compares the latencies of two paths. ``question`` has the form ``PATH against PATH``.

        ``lines`` are two ``docker run`` lines. Their containers are launched and measured at the first question about
        them. ``launch`` starts the containers, and returns the name and the facts of each. ``observe`` returns the
        state of the container with the given name and facts. If the facts are None, ``observe`` returns the state of
        the machine. Raises NotTestableError if one of the paths does not exist on the machine.
        """
        slow, _, fast = question.partition(" against ")
        if lines not in self._measured:
            self._measured[lines] = await _measure(await launch(), target, observe)
        blocks = self._measured[lines]
        for path in (slow, fast):
            if not blocks.get(path):
                raise NotTestableError(f"There is no path {path} on this machine.")
        return judge_timing(slow, fast, blocks)


def judge_timing(slow: str, fast: str, blocks: Blocks) -> Timing:
    """Returns the verdict on whether the path ``slow`` has a higher latency than the path ``fast``, with the difference
    and its confidence interval. ``blocks`` contains the measured blocks of each path."""
    comparison = judge_blocks(blocks[fast], blocks[slow])
    interval = comparison.ci95_us
    centers = [block.center_us for block in blocks[fast] if block.counts]
    return Timing(
        slow,
        fast,
        name_of(comparison.verdict),
        reason_of(comparison),
        delta_us=comparison.delta_us,
        ci95_us=None if interval is None else (interval.low, interval.high),
        fast_us=median(centers) if centers else None,
        rounds=comparison.rounds,
    )


def is_narrow(blocks: Blocks) -> bool:
    """Returns whether the measurement is precise enough to end.

    The difference of each path from the first path must have a narrow confidence interval. An interval is narrow if it
    is at most ``WIDTH_US`` microseconds wide, or at most the share ``WIDTH_SHARE`` of the difference.
    """
    first, *others = blocks.values()
    for comparison in (judge_blocks(first, other) for other in others):
        interval, delta_us = comparison.ci95_us, comparison.delta_us
        if interval is None or delta_us is None:
            return False
        if interval.high - interval.low > max(WIDTH_US, WIDTH_SHARE * abs(delta_us)):
            return False
    return True


async def _measure(
    containers: list[tuple[str, ContainerFacts]], target: ClaimEngine, observe: Observe
) -> dict[str, list[Block]]:
    columns = [Column(MACHINE, "machine", "the machine")]
    states = {MACHINE: await observe(MACHINE, None)}
    for name, facts in containers:
        mode = facts.network_mode if facts.network_mode in set(Mode) else str(Mode.USER_BRIDGE)
        networks = {network: address for network, address in facts.networks.items() if network != "host"}
        columns.append(Column(name, mode, name, published=facts.published, networks=networks, port=SERVER_PORT))
        states[name] = await observe(name, facts)
    paths = [path for path in measured_paths(columns, states) if path.family is Family.INET]
    series = make_series(paths, [Probe.TCP_RR])
    if not series:
        raise NotTestableError("No path to the containers was found.")
    pids = {MACHINE: target.pid, **{name: facts.pid for name, facts in containers}}
    namespaces: dict[str, Namespace] = {}
    blocks: dict[str, list[Block]] = defaultdict(list)
    try:
        for name, pid in pids.items():
            path = target.info.netns if name == MACHINE else ""
            namespaces[name] = await asyncio.to_thread(Namespace.of_machine, pid, path)

        fds = {name: namespace.fd for name, namespace in namespaces.items()}
        for number in range(MAX_PASSES):
            previous_rounds = max((block.round + 1 for group in blocks.values() for block in group), default=0)

            async def keep(block: Block, offset: int = previous_rounds) -> None:
                blocks[block.series].append(replace(block, round=offset + block.round))

            await run_measurement(series, fds, Options(seconds=PASS_S), seed=number, on_block=keep)
            if is_narrow({each.key: blocks[each.key] for each in series}):
                break
    finally:
        for namespace in namespaces.values():
            namespace.close()
    return dict(blocks)
