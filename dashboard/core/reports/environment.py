"""Compares the environments in which reports were made, and lists the facts that could explain a difference in time.

``FACTS`` states for each fact why it may matter, and which paths and probes it may affect.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from dashboard.core.experiments.engine_kind import EngineKind, describe_engine
from dashboard.core.experiments.messages import EngineRef
from dashboard.core.measurements.measurement import ANSWERED_BY_US, Environment, Probe
from dashboard.core.paths.model import FILTERED_KINDS, PathKind, kind_of

Affects = Callable[[str, Probe], bool]

#: Loads per core that differ by less count as equal.
LOAD_PER_CORE = 0.5


@dataclass(frozen=True, slots=True)
class ReportEnvironment:
    """The environment in which a report was made: the machine, its engine and the image of its containers (None and
    empty if the report has no experiment), and the version of Netmodes."""

    environment: Environment
    engine: EngineRef | None = None
    netmodes: str = ""
    image: str = ""


def _any(_path: str, _probe: Probe) -> bool:
    return True


def _on(*kinds: PathKind) -> Affects:
    return lambda path, _probe: kind_of(path) in kinds


def _of(*probes: Probe) -> Affects:
    return lambda _path, probe: probe in probes


@dataclass(frozen=True, slots=True)
class FactRule:
    """A fact that is compared. ``why`` states why a difference may matter. ``affects`` returns whether the fact may
    affect the times of a path and probe. ``read`` returns the fact as text; by default, the text is the field ``key``
    of the environment."""

    key: str
    label: str
    why: str
    affects: Affects = _any
    read: Callable[[ReportEnvironment], str] | None = None

    def text(self, where: ReportEnvironment) -> str:
        """Returns the fact about the environment ``where`` as text; empty if it is unknown."""
        return self.read(where) if self.read is not None else str(getattr(where.environment, self.key) or "")


@dataclass(frozen=True, slots=True)
class EnvironmentRow:
    """One fact of the compared environments. ``texts`` has the value of each report, empty if it is unknown.
    ``differs`` is true if the known values are not the same. ``why`` states why a difference may matter."""

    key: str
    label: str
    texts: tuple[str, ...]
    differs: bool
    why: str


_PUBLISHED = _on(
    PathKind.PUBLISHED_DNAT,
    PathKind.PUBLISHED_PROXY,
    PathKind.LAN_PUBLISHED,
    PathKind.PEER_PUBLISHED,
    PathKind.REMOTE_PUBLISHED,
    PathKind.FROM_MACHINE_PUBLISHED,
    PathKind.HAIRPIN,
)
_BEHIND_RULES = _on(
    PathKind.BRIDGE_ADDRESS,
    PathKind.PUBLISHED_DNAT,
    PathKind.PUBLISHED_PROXY,
    PathKind.PUBLISHED_ROOTLESS,
    PathKind.CONTAINER_TO_CONTAINER,
    *FILTERED_KINDS,
)


def _engine(where: ReportEnvironment) -> str:
    # The engine of the environment first: on several machines, only one of them was measured.
    kind, version = where.environment.engine_kind, where.environment.engine
    if not version and where.engine is not None:
        kind, version = where.engine.kind, where.engine.version
    return version if kind is EngineKind.DOCKER else describe_engine(kind, version)


def _kernel(where: ReportEnvironment) -> str:
    return where.environment.kernel or (where.engine.kernel if where.engine is not None else "")


def _proxy(where: ReportEnvironment) -> str:
    return {True: "on", False: "off", None: ""}[where.environment.userland_proxy]


def _mtu(where: ReportEnvironment) -> str:
    return ", ".join(f"{name} {mtu}" for name, mtu in sorted(where.environment.mtu.items()))


def _offloads(where: ReportEnvironment) -> str:
    return "; ".join(f"{name}: {' '.join(sorted(one))}" for name, one in sorted(where.environment.offloads.items()))


def _load(where: ReportEnvironment) -> str:
    load = where.environment.load_before
    return "" if load is None else f"{load[0]:.2f}"


def _pinned(where: ReportEnvironment) -> str:
    cores = (where.environment.client_core, where.environment.responder_core)
    return f"client {cores[0]}, responder {cores[1]}" if None not in cores else ""


def _conditions(where: ReportEnvironment) -> str:
    return str(where.environment.measured_in or "")


def _private(where: ReportEnvironment) -> str:
    if where.engine is None:
        return ""
    return "yes" if where.engine.private else "no"


FACTS: tuple[FactRule, ...] = (
    FactRule("cpu_model", "processor", "every time depends on the processor's clock, caches and cost of system calls"),
    FactRule(
        "conditions",
        "conditions",
        "times of different conditions are not compared",
        lambda *_series: False,
        _conditions,
    ),
    FactRule("cores", "cores", "with few cores, client, responder and docker-proxy share them"),
    FactRule(
        "pinned", "cores of client and responder", "client and responder may or may not share a cache", read=_pinned
    ),
    FactRule("governor", "frequency governor", "a processor that lowers its clock rate between requests answers later"),
    FactRule("virtualisation", "virtualisation", "a hypervisor takes processor time, which shows mostly at p99"),
    FactRule("kernel", "kernel", "the network stack may differ", read=_kernel),
    FactRule("machine", "architecture", "the kind of processor differs"),
    FactRule("engine", "Docker Engine", "docker-proxy and the firewall rules may differ", _BEHIND_RULES, _engine),
    FactRule(
        "userland_proxy",
        "docker-proxy",
        "with it, requests to 127.0.0.1 on a published port go through a process; without it, through NAT",
        _PUBLISHED,
        _proxy,
    ),
    FactRule(
        "firewall_backend",
        "firewall backend",
        "iptables evaluates rules one by one, nftables looks them up in maps",
        _BEHIND_RULES,
    ),
    FactRule(
        "mtu",
        "MTU",
        "a large payload takes more or fewer packets",
        _of(Probe.TCP_STREAM, Probe.HTTP),
        _mtu,
    ),
    FactRule(
        "offloads",
        "offloads",
        "either the kernel or the link divides data into packets",
        _of(Probe.TCP_STREAM),
        _offloads,
    ),
    FactRule("load", "load before measuring", "other programs may have used the cores", read=_load),
    FactRule(
        "python",
        "Python",
        "client and responder themselves take about a microsecond, which depends on Python",
        _of(*ANSWERED_BY_US),
    ),
    FactRule("private", "private host", "the Engine has a separate network namespace", _BEHIND_RULES, _private),
    FactRule("image", "image", "another program answers", _of(Probe.HTTP), lambda where: where.image),
    FactRule("netmodes", "Netmodes", "the method of measurement may differ", read=lambda where: where.netmodes),
)


def _same_load(environments: Sequence[ReportEnvironment]) -> bool:
    loads = [one.environment.load_before[0] for one in environments if one.environment.load_before is not None]
    cores = max((environment.environment.cores for environment in environments), default=0) or 1
    return not loads or max(loads) - min(loads) <= LOAD_PER_CORE * cores


def _with_common_links(environments: Sequence[ReportEnvironment]) -> list[ReportEnvironment]:
    """Returns copies of the environments without the interfaces that only some of them have, such as the bridges of
    networks, which get a new name at each launch."""
    names = [set(environment.environment.mtu) for environment in environments if environment.environment.mtu]
    common = set.intersection(*names) if names else set()
    reduced = []
    for environment in environments:
        mtu = {name: value for name, value in environment.environment.mtu.items() if name in common}
        offloads = {name: value for name, value in environment.environment.offloads.items() if name in common}
        reduced.append(replace(environment, environment=replace(environment.environment, mtu=mtu, offloads=offloads)))
    return reduced


def compare_environments(environments: Sequence[ReportEnvironment]) -> tuple[EnvironmentRow, ...]:
    """Returns a row for each fact that is known in at least one environment. Loads count as equal if they differ by at
    most ``LOAD_PER_CORE`` for each core."""
    compared = _with_common_links(environments)
    rows = []
    for rule in FACTS:
        texts = tuple(rule.text(one) for one in compared)
        known = {text for text in texts if text}
        if known:
            differs = len(known) > 1 and not (rule.key == "load" and _same_load(environments))
            rows.append(EnvironmentRow(rule.key, rule.label, texts, differs, rule.why))
    return tuple(rows)


def list_suspects(before: ReportEnvironment, after: ReportEnvironment, path: str, probe: Probe) -> tuple[str, ...]:
    """Returns the labels of the facts that differ between the environments and may affect this path and probe."""
    differing = {row.key for row in compare_environments((before, after)) if row.differs}
    return tuple(rule.label for rule in FACTS if rule.key in differing and rule.affects(path, probe))


def _processor(environment: Environment) -> str:
    """Returns the processor; empty if it is unknown. Older versions stored the architecture for unknown ones."""
    return "" if environment.cpu_model == environment.machine else environment.cpu_model


def processor_caveat(before: ReportEnvironment, after: ReportEnvironment) -> str:
    """Returns the caveat for each verdict: a sentence if the processors differ or one is unknown, otherwise empty."""
    one, other = (_processor(where.environment) for where in (before, after))
    if one and other:
        return "" if one == other else f"The processors differ ({one}; {other}): this compares machines, not settings."
    return "The processors may differ, as one of them is unknown: this may compare machines, not settings."
