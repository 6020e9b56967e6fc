"""Timings for claims: two containers, every path to them, blocks interleaved; several questions to one measurement."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from dashboard.core.claims.model import NotTestableError, Timing
from dashboard.core.experiments.messages import Column
from dashboard.core.measurements.measurement import Block, Options, Probe
from dashboard.core.measurements.schedule import make_series
from dashboard.core.measurements.statistics import median
from dashboard.core.measurements.verdicts import judge_blocks, name_of, reason_of
from dashboard.core.modes import MACHINE, Mode
from dashboard.core.namespaces.state import Family, NamespaceState
from dashboard.core.paths.finder import find_paths
from dashboard.engine.protocol import ContainerFacts
from dashboard.lab.claims.engines import Ground
from dashboard.latency.runner import run_measurement
from dashboard.netns.namespace import Namespace

#: One pass has about 30 short rounds. More follow until every interval is narrow enough: by width, never by sign
#: (``core.measurements.verdicts``).
PASS_S, MOST_PASSES, WIDTH_US, WIDTH_SHARE = 3.0, 8, 0.5, 0.2
SERVER_PORT = 8080

Launch = Callable[[], Awaitable[list[tuple[str, ContainerFacts]]]]
Observe = Callable[[str, ContainerFacts | None], Awaitable[NamespaceState]]
Blocks = Mapping[str, Sequence[Block]]


class Timings:
    """What was measured in this run of claims: the same lines are measured once."""

    def __init__(self) -> None:
        self._measured: dict[tuple[str, ...], Blocks] = {}

    async def answer(
        self, lines: tuple[str, ...], question: str, ground: Ground, launch: Launch, observe: Observe
    ) -> Timing:
        """The answer to ``PATH against PATH``; NotTestableError for a path that does not exist here."""
        slow, _, fast = question.partition(" against ")
        if lines not in self._measured:
            self._measured[lines] = await _measure(await launch(), ground, observe)
        blocks = self._measured[lines]
        for path in (slow, fast):
            if not blocks.get(path):
                raise NotTestableError(f"There is no path {path} on this machine.")
        return judge_timing(slow, fast, blocks)


def judge_timing(slow: str, fast: str, blocks: Blocks) -> Timing:
    """The verdict on ``slow`` against ``fast``, with its figures."""
    found = judge_blocks(blocks[fast], blocks[slow])
    interval = found.ci95_us
    counted = [one.center_us for one in blocks[fast] if one.counts]
    return Timing(
        slow,
        fast,
        name_of(found.verdict),
        reason_of(found),
        found.delta_us,
        None if interval is None else (interval.low, interval.high),
        median(counted) if counted else None,
        found.rounds,
    )


def is_narrow(blocks: Blocks) -> bool:
    """Whether every path's difference to the first one is known to ``WIDTH_US``, a large one to its ``WIDTH_SHARE``."""
    first, *others = blocks.values()
    for found in (judge_blocks(first, other) for other in others):
        if found.ci95_us is None or found.delta_us is None:
            return False
        if found.ci95_us.high - found.ci95_us.low > max(WIDTH_US, WIDTH_SHARE * abs(found.delta_us)):
            return False
    return True


async def _measure(made: list[tuple[str, ContainerFacts]], ground: Ground, observe: Observe) -> dict[str, list[Block]]:
    columns = [Column(MACHINE, "machine", "the machine")]
    states = {MACHINE: await observe(MACHINE, None)}
    for name, facts in made:
        mode = facts.network_mode if facts.network_mode in set(Mode) else str(Mode.USER_BRIDGE)
        networks = {one: address for one, address in facts.networks.items() if one != "host"}
        columns.append(Column(name, mode, name, published=facts.published, networks=networks, port=SERVER_PORT))
        states[name] = await observe(name, facts)
    paths = [one for one in find_paths(columns, states) if one.family is Family.INET]
    series = make_series(paths, [Probe.TCP_RR])
    if not series:
        raise NotTestableError("No path to the containers was found.")
    pids = {MACHINE: ground.pid, **{name: facts.pid for name, facts in made}}
    opened: dict[str, Namespace] = {}
    blocks: dict[str, list[Block]] = defaultdict(list)
    try:
        for name, pid in pids.items():
            opened[name] = await asyncio.to_thread(Namespace.of_pid, pid)

        fds = {name: one.fd for name, one in opened.items()}
        for number in range(MOST_PASSES):
            before = max((one.round + 1 for found in blocks.values() for one in found), default=0)

            async def keep(block: Block, before: int = before) -> None:
                blocks[block.series].append(replace(block, round=before + block.round))

            await run_measurement(series, fds, Options(seconds=PASS_S), seed=number, on_block=keep)
            if is_narrow({one.key: blocks[one.key] for one in series}):
                break
    finally:
        for one in opened.values():
            one.close()
    return dict(blocks)
