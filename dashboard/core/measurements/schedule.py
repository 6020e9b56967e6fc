"""Plans a run: which series are measured, and the order and length of their blocks."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dashboard.core.measurements.measurement import ANSWERED_BY_US, Options, Probe
from dashboard.core.paths.model import Path, PathKind

ROUNDS_WANTED = 30
MIN_BLOCK_S, MAX_BLOCK_S = 0.01, 0.25
#: Time between two blocks: connecting, the histogram, reporting.
OVERHEAD_S = 0.015
MIN_REQUESTS = 20
#: Each connection stays in the server's TIME-WAIT for 60 s and in connection tracking for 120 s
#: (net.netfilter.nf_conntrack_tcp_timeout_time_wait): a run must not fill the machine's table.
TRACKED_S = 120.0
#: The maximum number of connections that a run opens in ``TRACKED_S`` seconds, not counting the short warm-ups.
MAX_CONNECTIONS = 20_000
#: The maximum number of requests in one block.
MAX_REQUESTS = 400_000


@dataclass(frozen=True, slots=True)
class Series:
    """One path with one probe. ``busy_wait_ns`` delays each answer of the responder of Netmodes. The benchmark of the
    resolution uses it to make differences of known size."""

    key: str
    path: Path
    probe: Probe
    busy_wait_ns: int = 0


@dataclass(frozen=True, slots=True)
class BlockPlan:
    """The length of a block: ``seconds`` after a warm-up of ``warmup_s`` seconds. ``most`` is the maximum number of
    requests."""

    seconds: float
    warmup_s: float
    most: int


def probe_problem(path: Path, probe: Probe) -> str:
    """Returns why the probe cannot be used on the path; empty if it can."""
    if path.unavailable:
        return path.unavailable
    if (probe is Probe.DNS) != (path.kind is PathKind.RESOLVER):
        dns = "the probe dns needs a path to a resolver"
        return dns if probe is Probe.DNS else "only the probe dns measures a resolver"
    if probe is Probe.UDP_RR and not path.udp_port:
        return path.udp_missing or f"port {path.server_port}/udp is not published, only tcp"
    return ""


def make_series(paths: Sequence[Path], probes: Sequence[Probe]) -> tuple[Series, ...]:
    """Returns a series for each probe on each path that suits the probe. If there are several probes, the key of a
    series includes its probe."""
    several = len(set(probes)) > 1
    return tuple(
        Series(f"{path.key}/{probe}" if several else path.key, path, probe)
        for probe in dict.fromkeys(probes)
        for path in paths
        if not probe_problem(path, probe)
    )


def missing_paths(paths: Sequence[Path], probes: Sequence[Probe]) -> tuple[tuple[Path, Probe, str], ...]:
    """Returns the paths that cannot be measured, each with the probe and the reason. A path to a name server is
    combined only with the probe dns, every other path only with the other probes."""
    return tuple(
        (path, probe, reason)
        for probe in dict.fromkeys(probes)
        for path in paths
        if (probe is Probe.DNS) == (path.kind is PathKind.RESOLVER) and (reason := probe_problem(path, probe))
    )


def choose_baselines(series: Sequence[Series]) -> dict[str, str]:
    """Maps the key of each series to the key of its baseline. This is the series with the same probe over the shortest
    path: the first one in the order of ``PathKind``. A baseline is its own baseline."""
    ranks = list(PathKind)
    first: dict[Probe, Series] = {}
    for one in sorted(series, key=lambda one: ranks.index(one.path.kind)):
        first.setdefault(one.probe, one)
    return {one.key: first[one.probe].key for one in series}


def plan_blocks(series: Sequence[Series], options: Options) -> Mapping[str, BlockPlan]:
    """Returns the plan of the blocks of each series, by key. All blocks have the same length, chosen so that about
    ``ROUNDS_WANTED`` rounds fit into the time limit. Blocks that open a connection for each request end after their
    share of ``MAX_CONNECTIONS``."""
    budget = options.seconds / (max(1, len(series)) * ROUNDS_WANTED) - OVERHEAD_S
    seconds = min(max(budget, MIN_BLOCK_S), MAX_BLOCK_S)
    if options.rate is not None:
        seconds = max(seconds, MIN_REQUESTS / options.rate)
    connections = _connections_of_block(series)
    plans: dict[str, BlockPlan] = {}
    for one in series:
        length, most = seconds, MAX_REQUESTS
        if one.probe is Probe.TCP_CRR:
            most = connections
            if options.rate is not None:
                length = min(seconds, most / options.rate)
        plans[one.key] = BlockPlan(length, min(0.02, max(0.002, length / 10)), most)
    return plans


def _connections_of_block(series: Sequence[Series]) -> int:
    """Returns how many connections one block of ``tcp-crr`` may open, so that ``ROUNDS_WANTED`` rounds of all series
    stay within ``MAX_CONNECTIONS``; at least ``MIN_REQUESTS``."""
    connecting = sum(one.probe is Probe.TCP_CRR for one in series)
    return max(MIN_REQUESTS, MAX_CONNECTIONS // (max(1, connecting) * ROUNDS_WANTED))


def round_interval_s(series: Sequence[Series], seconds: float) -> float:
    """Returns the minimum time in seconds between the starts of two rounds of a run that takes ``seconds``. It is 0
    unless a series opens a connection for each request. Then it keeps the run within ``MAX_CONNECTIONS``: in the whole
    run, and in any ``TRACKED_S`` seconds of a longer one."""
    connecting = sum(one.probe is Probe.TCP_CRR for one in series)
    return min(seconds, TRACKED_S) * connecting * _connections_of_block(series) / MAX_CONNECTIONS


def order_of_rounds(keys: Sequence[str], seed: int) -> Iterator[tuple[str, ...]]:
    """Yields the keys in a new random order for each round, without end. The seed determines the orders."""
    source = random.Random(seed)  # noqa: S311 - an order, not a secret
    while True:
        yield tuple(source.sample(keys, len(keys)))


#: Seconds for each series below which intervals are wide.
SHORT_SHARE_S = 1.0


def describe_share(seconds: float, series: int) -> str:
    """Returns a sentence on each series' share of the time limit ``seconds``; empty for a single series, which gets all
    of it. ``series`` is the number of series."""
    if series < 2:
        return ""
    share = seconds / series
    longer = "" if share >= SHORT_SHARE_S else " A longer time limit gives narrower intervals."
    return f"{series} series share the time limit of {seconds:g} s: about {share:.2g} s for each.{longer}"


def remaining_s(options: Options, elapsed_s: float) -> float:
    """Returns the remaining time of a run in seconds, at least 0."""
    return max(0.0, options.seconds - elapsed_s)


def needs_responder(probe: Probe) -> bool:
    """Whether the probe needs the responder of Netmodes in the namespace of the server."""
    return probe in ANSWERED_BY_US


def choose_cores(allowed: Sequence[int], siblings: Mapping[int, frozenset[int]]) -> tuple[int | None, int | None]:
    """Returns a core for the client and a core for the responder; (None, None) if only one is allowed. If there are
    enough cores, avoids core 0, which handles most interrupts, and two threads of one core. ``siblings`` maps each core
    to the others that are threads of the same physical core."""
    cores = sorted(allowed)
    if len(cores) < 2:
        return None, None
    ranked = [*cores[1:], cores[0]] if len(cores) > 2 else cores
    client = ranked[0]
    apart = [one for one in ranked[1:] if one not in siblings.get(client, frozenset())]
    return client, (apart or ranked[1:])[0]
