"""Rules of the packet filter by their meaning, whatever their chains are called.

``core.namespaces.iptables`` and ``core.namespaces.nftables`` read listings into these values. ``read_rules`` follows
the chains from the kernel's hooks, as packets do (iptables(8), nft(8)).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from heapq import merge

from dashboard.core.namespaces.state import (
    Family,
    FirewallRules,
    IsolatedBridge,
    Protocol,
    Translation,
    sorted_translations,
)

#: The kernel's limit for jumps within jumps (NFT_JUMP_STACK_SIZE).
MAX_DEPTH = 16
#: Limits the work for a listing whose chains are reached in many ways.
MAX_STEPS = 200_000
#: The greatest range of ports that is read as single ports.
MAX_RANGE = 1024

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Verdict(StrEnum):
    """What a rule does with a packet that matches; after ``NONE`` the next rule follows."""

    NONE = "none"
    ACCEPT = "accept"
    DROP = "drop"
    RETURN = "return"
    JUMP = "jump"
    GOTO = "goto"
    TRANSLATE = "translate"


@dataclass(frozen=True, slots=True)
class NameMatch:
    """A condition on the name of an interface; a final ``+`` or ``*`` matches any suffix."""

    name: str
    negated: bool = False

    def matches(self, name: str) -> bool:
        """Whether the interface ``name`` matches; an empty name stands for no interface."""
        same = name.startswith(self.name[:-1]) if self.name.endswith(("+", "*")) else name == self.name
        return same is not self.negated


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. All its conditions must match; ``unknown`` has the text of those that are not evaluated.

    Empty ``protocols`` and ``destinations`` match all; ``ports`` are destination ports, None for all. ``new`` is False
    if only packets of established connections match. ``target`` is a chain, ``to_address`` and ``to_port`` are the new
    destination; port 0 keeps the port.
    """

    verdict: Verdict
    protocols: frozenset[str] = frozenset()
    destinations: tuple[Network, ...] = ()
    not_destinations: tuple[Network, ...] = ()
    incoming: tuple[NameMatch, ...] = ()
    outgoing: tuple[NameMatch, ...] = ()
    ports: frozenset[int] | None = None
    new: bool = True
    unknown: str = ""
    target: str = ""
    to_address: str = ""
    to_port: int = 0

    def passes(self, incoming: str, outgoing: str) -> bool:
        """Whether the first packet of a connection between these interfaces may match."""
        return (
            self.new
            and all(match.matches(incoming) for match in self.incoming)
            and all(match.matches(outgoing) for match in self.outgoing)
        )


@dataclass
class Chain:
    """The rules of a chain. ``kind`` and ``hook`` are empty for a chain that only others jump to."""

    rules: list[Rule] = field(default_factory=list)
    kind: str = ""
    hook: str = ""
    priority: int = 0
    policy: Verdict = Verdict.ACCEPT

    @cached_property
    def _own(self) -> tuple[list[tuple[int, Rule]], dict[int, list[tuple[int, Rule]]]]:
        """The rules that packets of the machine's own programs to its own addresses may match: those for all ports, and
        those of each port. Such packets come from no interface, and leave through lo."""
        general: list[tuple[int, Rule]] = []
        by_port: dict[int, list[tuple[int, Rule]]] = {}
        for number, rule in enumerate(self.rules):
            if not rule.passes("", "lo"):
                continue
            for rules in [general] if rule.ports is None else [by_port.setdefault(port, []) for port in rule.ports]:
                rules.append((number, rule))
        return general, by_port

    def own_rules(self, protocol: Protocol, port: int) -> Iterator[Rule]:
        """The rules for packets of the machine's own programs to one of its ports, in order."""
        general, by_port = self._own
        for _, rule in merge(general, by_port.get(port, ()), key=lambda pair: pair[0]):
            if not rule.protocols or protocol in rule.protocols:
                yield rule


@dataclass
class Table:
    """The chains of a table by name, and the families whose packets pass them."""

    families: tuple[Family, ...]
    chains: dict[str, Chain] = field(default_factory=dict)

    def hooked(self, kind: str, hook: str) -> list[Chain]:
        """The chains that packets enter at a hook, in their order."""
        chains = (chain for chain in self.chains.values() if (chain.kind, chain.hook) == (kind, hook))
        return sorted(chains, key=lambda chain: chain.priority)


def read_rules(tables: Sequence[Table], bridges: Mapping[Family, Iterable[str]]) -> FirewallRules:
    """What the rules do. ``bridges`` are those whose packets pass the filter of a family (br_netfilter)."""
    translations = [
        translation
        for table in tables
        for family in table.families
        for translation in _Walk(table, family).translations()
    ]
    isolated = (
        IsolatedBridge(family, name)
        for family in Family
        for name in sorted(bridges.get(family, ()))
        if _drops(tables, family, name)
    )
    return FirewallRules(sorted_translations(translations), tuple(isolated))


@dataclass(frozen=True, slots=True)
class _Destinations:
    """The addresses in ``network``, None for all, without those in ``excluded``."""

    network: Network | None = None
    excluded: tuple[Network, ...] = ()

    def within(self, network: Network | None, excluded: Sequence[Network]) -> _Destinations | None:
        """The addresses that also match; None if none does."""
        inner = self.network if network is None else network
        if inner is not None and self.network is not None:
            if not inner.overlaps(self.network):
                return None
            inner = inner if _contains(self.network, inner) else self.network
        outside = [one for one in (*self.excluded, *excluded) if inner is None or one.overlaps(inner)]
        if inner is not None and any(_contains(one, inner) for one in outside):
            return None
        return _Destinations(inner, tuple(sorted(set(outside), key=_network_order)))


def _network_order(network: Network) -> tuple[int, int, int]:
    return (network.version, int(network.network_address), network.prefixlen)


def _contains(outer: Network, inner: Network) -> bool:
    if isinstance(outer, ipaddress.IPv4Network):
        return isinstance(inner, ipaddress.IPv4Network) and inner.subnet_of(outer)
    return isinstance(inner, ipaddress.IPv6Network) and inner.subnet_of(outer)


def _matching(rest: Iterable[_Destinations], rule: Rule) -> list[_Destinations]:
    networks = rule.destinations or (None,)
    found = (one.within(network, rule.not_destinations) for one in rest for network in networks)
    return [one for one in found if one is not None]


def _remaining(rest: Iterable[_Destinations], rule: Rule) -> list[_Destinations]:
    """What does not match the rule's destinations."""
    left = list(rest)
    outside = [one.within(None, rule.destinations) for one in left] if rule.destinations else []
    excepted = [one.within(network, ()) for one in left for network in rule.not_destinations]
    return [one for one in (*outside, *excepted) if one is not None]


class _Walk:
    """Follows the nat rules of one table for packets that the machine's own programs send."""

    def __init__(self, table: Table, family: Family) -> None:
        self._table = table
        self._family = family
        self._steps = MAX_STEPS
        self._port = 0
        self._protocol = Protocol.TCP
        self._found: list[Translation] = []

    def translations(self) -> list[Translation]:
        """The translations for every port that a rule names."""
        start = self._table.hooked("nat", "output")
        rules = [rule for chain in self._table.chains.values() for rule in chain.rules] if start else []
        if any(rule.verdict is Verdict.TRANSLATE for rule in rules):
            for self._port in sorted({port for rule in rules for port in rule.ports or ()}):
                for self._protocol in Protocol:
                    rest = [_Destinations()]
                    for chain in start:
                        # A packet that a nat chain accepts without a translation still enters the next one.
                        rest, accepted = self._follow(chain, rest, ())
                        rest += accepted
        return self._found

    def _follow(
        self, chain: Chain, rest: list[_Destinations], conditions: tuple[str, ...], depth: int = 0
    ) -> tuple[list[_Destinations], list[_Destinations]]:
        """What is not translated: packets that continue after the chain, and those with a final verdict."""
        returned: list[_Destinations] = []
        final: list[_Destinations] = []
        for rule in chain.own_rules(self._protocol, self._port):
            inner = _matching(rest, rule)
            self._steps -= 1
            if not inner or self._steps < 0 or rule.verdict is Verdict.NONE:
                continue
            known = (*conditions, rule.unknown) if rule.unknown else conditions
            after: list[_Destinations] = []
            if rule.verdict is Verdict.TRANSLATE:
                self._found += [self._translation(rule, one, known) for one in inner]
            elif rule.verdict in {Verdict.JUMP, Verdict.GOTO}:
                target = self._table.chains.get(rule.target)
                if target is not None and depth < MAX_DEPTH:
                    after, ended = self._follow(target, inner, known, depth + 1)
                    final += ended
                if rule.verdict is Verdict.GOTO:
                    returned += after
                    after = []
            elif rule.unknown:
                conditions = (*conditions, f"not ({rule.unknown})")
            elif rule.verdict is Verdict.RETURN:
                returned += inner
            else:
                final += inner
            if not rule.unknown:
                rest = _remaining(rest, rule) + after
        return rest + returned, final

    def _translation(self, rule: Rule, to: _Destinations, conditions: tuple[str, ...]) -> Translation:
        address = ""
        if to.network is not None:
            single = to.network.prefixlen == to.network.max_prefixlen
            address = str(to.network.network_address if single else to.network)
        return Translation(
            self._protocol,
            self._family,
            self._port,
            rule.to_address,
            rule.to_port or self._port,
            address,
            tuple(map(str, to.excluded)),
            "; ".join(dict.fromkeys(conditions)),
        )


def _drops(tables: Sequence[Table], family: Family, bridge: str) -> bool:
    """Whether a rule drops every new TCP connection from one port of ``bridge`` to another."""
    return any(
        (_verdict(table, chain, bridge) or chain.policy) is Verdict.DROP
        for table in tables
        if family in table.families
        for chain in table.hooked("filter", "forward")
    )


def _verdict(table: Table, chain: Chain, bridge: str, depth: int = 0) -> Verdict | None:
    """The verdict on such a connection; None if it continues after the chain. A rule that accepts some of them counts
    as accepting all, because it is not known which."""
    for rule in chain.rules:
        if not rule.passes(bridge, bridge) or (rule.protocols and Protocol.TCP not in rule.protocols):
            continue
        partial = bool(rule.destinations or rule.not_destinations or rule.ports is not None or rule.unknown)
        verdict: Verdict | None = rule.verdict
        if verdict in {Verdict.JUMP, Verdict.GOTO}:
            target = table.chains.get(rule.target)
            deeper = _verdict(table, target, bridge, depth + 1) if target is not None and depth < MAX_DEPTH else None
            if deeper is None and rule.verdict is Verdict.GOTO and not partial:
                return None
            verdict = deeper
        if verdict is Verdict.ACCEPT or (verdict is Verdict.DROP and not partial):
            return verdict
        if verdict is Verdict.RETURN and not partial:
            return None
    return None
