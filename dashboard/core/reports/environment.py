"""Where two reports were made: what differs, and which differences in time it could explain.

``FACTS`` is the table behind it: for each fact the reason why it may matter, and the paths and probes whose times it
may change. A fact that could explain is a suspect and no cause.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from dashboard.core.experiments.messages import EngineRef
from dashboard.core.measurements.measurement import ANSWERED_BY_US, Environment, Probe
from dashboard.core.paths.model import PathKind, kind_of

Concerns = Callable[[str, Probe], bool]

_BEHIND_RULES = frozenset(
    {PathKind.BRIDGE_ADDRESS, PathKind.PUBLISHED_DNAT, PathKind.PUBLISHED_PROXY, PathKind.CONTAINER_TO_CONTAINER}
)
_PUBLISHED = frozenset({PathKind.PUBLISHED_DNAT, PathKind.PUBLISHED_PROXY})
#: Loads that differ by less per core are the same.
LOAD_PER_CORE = 0.5


@dataclass(frozen=True, slots=True)
class Place:
    """Where a report was made."""

    environment: Environment
    engine: EngineRef | None = None
    netmodes: str = ""


@dataclass(frozen=True, slots=True)
class FactRule:
    """One fact: how it is read, why it may matter, and which series it concerns."""

    key: str
    label: str
    read: Callable[[Place], str]
    why: str
    concerns: Concerns


@dataclass(frozen=True, slots=True)
class EnvironmentRow:
    """One fact of each report, empty where it is not known. ``differs`` counts only those that are known;
    ``why`` says what it could explain."""

    key: str
    label: str
    texts: tuple[str, ...]
    differs: bool
    why: str


def _any(_path: str, _probe: Probe) -> bool:
    return True


def _on(kinds: frozenset[PathKind]) -> Concerns:
    return lambda path, _probe: kind_of(path) in kinds


def _engine(place: Place) -> str:
    return (place.engine.version if place.engine is not None else "") or place.environment.engine


def _kernel(place: Place) -> str:
    return place.environment.kernel or (place.engine.kernel if place.engine is not None else "")


def _proxy(place: Place) -> str:
    return {True: "on", False: "off", None: ""}[place.environment.userland_proxy]


def _mtu(place: Place) -> str:
    return ", ".join(f"{name} {mtu}" for name, mtu in sorted(place.environment.mtu.items()))


def _offloads(place: Place) -> str:
    return "; ".join(f"{name}: {' '.join(sorted(one))}" for name, one in sorted(place.environment.offloads.items()))


def _load(place: Place) -> str:
    load = place.environment.load_before
    return "" if load is None else f"{load[0]:.2f}"


def _pinned(place: Place) -> str:
    cores = (place.environment.client_core, place.environment.responder_core)
    return f"client {cores[0]}, responder {cores[1]}" if None not in cores else ""


def _private(place: Place) -> str:
    if place.engine is None:
        return ""
    return "yes" if place.engine.private else "no"


FACTS: tuple[FactRule, ...] = (
    FactRule(
        "cpu_model",
        "processor",
        lambda place: place.environment.cpu_model,
        "another clock, other caches and another price of each system call: every time differs",
        _any,
    ),
    FactRule(
        "cores",
        "cores",
        lambda place: str(place.environment.cores or ""),
        "client, responder and docker-proxy share the cores that there are",
        _any,
    ),
    FactRule("pinned", "client and responder on cores", _pinned, "caches that are shared or not", _any),
    FactRule(
        "governor",
        "frequency governor",
        lambda place: place.environment.governor,
        "a processor that clocks down between requests answers later",
        _any,
    ),
    FactRule(
        "virtualisation",
        "virtualisation",
        lambda place: place.environment.virtualisation,
        "a hypervisor takes time away unseen, above all at p99",
        _any,
    ),
    FactRule("kernel", "kernel", _kernel, "the network stack itself is another one", _any),
    FactRule("machine", "architecture", lambda place: place.environment.machine, "another kind of processor", _any),
    FactRule(
        "engine",
        "Docker Engine",
        _engine,
        "another docker-proxy, and other rules in the firewall",
        _on(_BEHIND_RULES),
    ),
    FactRule(
        "userland_proxy",
        "docker-proxy",
        _proxy,
        "with it, 127.0.0.1 on a published port goes through a process; without it, through address translation",
        _on(_PUBLISHED),
    ),
    FactRule(
        "firewall_backend",
        "firewall backend",
        lambda place: place.environment.firewall_backend,
        "rules of iptables are walked one by one, nftables has maps",
        _on(_BEHIND_RULES),
    ),
    FactRule(
        "mtu",
        "MTU",
        _mtu,
        "more or fewer packets for a payload that does not fit in one",
        lambda _path, probe: probe in {Probe.TCP_STREAM, Probe.HTTP},
    ),
    FactRule(
        "offloads",
        "offloads",
        _offloads,
        "segmentation by the kernel or by the link",
        lambda _path, probe: probe is Probe.TCP_STREAM,
    ),
    FactRule("load", "load before", _load, "others competed for the cores", _any),
    FactRule(
        "python",
        "Python",
        lambda place: place.environment.python,
        "the client's and the responder's own share, about a microsecond",
        lambda _path, probe: probe in ANSWERED_BY_US,
    ),
    FactRule("private", "private host", _private, "an Engine in a network namespace of its own", _on(_BEHIND_RULES)),
    FactRule("netmodes", "Netmodes", lambda place: place.netmodes, "another version of the method", _any),
)


def _same_load(places: Sequence[Place]) -> bool:
    loads = [place.environment.load_before[0] for place in places if place.environment.load_before is not None]
    cores = max((place.environment.cores for place in places), default=0) or 1
    return not loads or max(loads) - min(loads) <= LOAD_PER_CORE * cores


def _shared_links(places: Sequence[Place]) -> list[Place]:
    """Only interfaces that all of them have: bridges of networks have another name each time."""
    names = [set(place.environment.mtu) for place in places if place.environment.mtu]
    common = set.intersection(*names) if names else set()
    kept = []
    for place in places:
        found = place.environment
        mtu = {name: value for name, value in found.mtu.items() if name in common}
        offloads = {name: value for name, value in found.offloads.items() if name in common}
        kept.append(replace(place, environment=replace(found, mtu=mtu, offloads=offloads)))
    return kept


def compare_places(places: Sequence[Place]) -> tuple[EnvironmentRow, ...]:
    """Every fact that one of them knows."""
    compared = _shared_links(places)
    found = []
    for rule in FACTS:
        texts = tuple(rule.read(place) for place in compared)
        known = {text for text in texts if text}
        if known:
            differs = len(known) > 1 and not (rule.key == "load" and _same_load(places))
            found.append(EnvironmentRow(rule.key, rule.label, texts, differs, rule.why))
    return tuple(found)


def suspects(before: Place, after: Place, path: str, probe: Probe) -> tuple[str, ...]:
    """The labels of what differs between two places and could explain a difference on this path."""
    differing = {row.key for row in compare_places((before, after)) if row.differs}
    return tuple(rule.label for rule in FACTS if rule.key in differing and rule.concerns(path, probe))


def processor_caveat(before: Place, after: Place) -> str:
    """What must stand beside every verdict between two places; empty where their processors are known to be the
    same."""
    one, other = before.environment.cpu_model, after.environment.cpu_model
    if one and other:
        return "" if one == other else f"The processors differ ({one}; {other}): this compares machines, not settings."
    return "It is not known whether the processors are the same: this may compare machines, not settings."
