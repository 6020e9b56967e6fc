"""Which block comes when, and how long each is."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dashboard.core.measurements.measurement import ANSWERED_BY_US, Options, Probe
from dashboard.core.paths.model import Path, PathKind

ROUNDS_WANTED = 30
SHORTEST_BLOCK_S, LONGEST_BLOCK_S = 0.01, 0.25
#: Between two blocks: connecting, the histogram, telling the caller.
OVERHEAD_S = 0.015
LEAST_REQUESTS = 20
#: Each connection stays in the server's TIME_WAIT for 60 s and in connection tracking for 120 s
#: (net.netfilter.nf_conntrack_tcp_timeout_time_wait): a run must not fill the machine's table.
MOST_CONNECTIONS = 20_000
_MOST_TIMES = 400_000


@dataclass(frozen=True, slots=True)
class Series:
    """One path with one probe. ``busy_wait_ns`` makes our responder that much slower: for tests of the method."""

    key: str
    path: Path
    probe: Probe
    busy_wait_ns: int = 0


@dataclass(frozen=True, slots=True)
class BlockPlan:
    """How long one block is; ``most`` requests at most."""

    seconds: float
    warmup_s: float
    most: int


def unsuited(path: Path, probe: Probe) -> str:
    """Why ``probe`` cannot be used on ``path``; empty if it can."""
    if path.unavailable:
        return path.unavailable
    if (probe is Probe.DNS) != (path.kind is PathKind.RESOLVER):
        return "dns is asked of a resolver" if probe is Probe.DNS else "a resolver answers dns only"
    if probe is Probe.UDP_RR and not path.udp_port:
        return f"port {path.server_port}/udp is not published, only tcp"
    return ""


def make_series(paths: Sequence[Path], probes: Sequence[Probe]) -> tuple[Series, ...]:
    """Every probe on every path that exists and suits it. Keys carry the probe where there are several."""
    several = len(set(probes)) > 1
    return tuple(
        Series(f"{path.key}/{probe}" if several else path.key, path, probe)
        for probe in dict.fromkeys(probes)
        for path in paths
        if not unsuited(path, probe)
    )


def missing_paths(paths: Sequence[Path], probes: Sequence[Probe]) -> tuple[tuple[Path, Probe, str], ...]:
    """What ``make_series`` left out, with the reason; not the pairs that make no sense, such as dns on a bridge."""
    return tuple(
        (path, probe, reason)
        for probe in dict.fromkeys(probes)
        for path in paths
        if (probe is Probe.DNS) == (path.kind is PathKind.RESOLVER) and (reason := unsuited(path, probe))
    )


def choose_baselines(series: Sequence[Series]) -> dict[str, str]:
    """What each series is compared with: the shortest way of the same probe, itself for that one."""
    ranks = list(PathKind)
    first: dict[Probe, Series] = {}
    for one in sorted(series, key=lambda one: ranks.index(one.path.kind)):
        first.setdefault(one.probe, one)
    return {one.key: first[one.probe].key for one in series}


def plan_blocks(series: Sequence[Series], options: Options) -> Mapping[str, BlockPlan]:
    """The plan for each series' key: all as long as each other, about 30 rounds in the time that there is."""
    budget = options.seconds / (max(1, len(series)) * ROUNDS_WANTED) - OVERHEAD_S
    seconds = min(max(budget, SHORTEST_BLOCK_S), LONGEST_BLOCK_S)
    if options.rate is not None:
        seconds = max(seconds, LEAST_REQUESTS / options.rate)
    connecting = sum(one.probe is Probe.TCP_CRR for one in series)
    return {
        one.key: BlockPlan(
            seconds,
            min(0.02, max(0.002, seconds / 10)),
            max(LEAST_REQUESTS, MOST_CONNECTIONS // (connecting * ROUNDS_WANTED))
            if one.probe is Probe.TCP_CRR
            else _MOST_TIMES,
        )
        for one in series
    }


def order_of_rounds(keys: Sequence[str], seed: int) -> Iterator[tuple[str, ...]]:
    """Without end: all keys in a new random order for each round, the same for the same seed."""
    source = random.Random(seed)  # noqa: S311 - an order, not a secret
    while True:
        yield tuple(source.sample(keys, len(keys)))


def remaining_s(options: Options, elapsed_s: float) -> float:
    """The time that is left at most."""
    return max(0.0, options.seconds - elapsed_s)


def needs_responder(probe: Probe) -> bool:
    """Whether a responder of ours answers, in the server's namespace."""
    return probe in ANSWERED_BY_US


def choose_cores(allowed: Sequence[int], siblings: Mapping[int, frozenset[int]]) -> tuple[int | None, int | None]:
    """A core for the client and another for the responder, not two threads of one core if it can be helped, and not
    core 0, which serves most interrupts, if there are others. None, None where there is one only."""
    cores = sorted(allowed)
    if len(cores) < 2:
        return None, None
    ranked = [*cores[1:], cores[0]] if len(cores) > 2 else cores
    client = ranked[0]
    apart = [one for one in ranked[1:] if one not in siblings.get(client, frozenset())]
    return client, (apart or ranked[1:])[0]
