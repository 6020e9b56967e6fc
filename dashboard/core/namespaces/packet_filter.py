"""Rules of the packet filter by their meaning, whatever their chains are called.

``core.namespaces.iptables`` and ``core.namespaces.nftables`` read listings into these values. ``read_rules`` follows
the chains from the kernel's hooks, as packets do (iptables(8), nft(8)).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from heapq import merge

from dashboard.core.namespaces.destinations import Destinations, Network
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
    families: frozenset[Family] = frozenset(Family)
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

    def own_rules(self, family: Family, protocol: Protocol, port: int) -> Iterator[Rule]:
        """The rules for packets of the machine's own programs to one of its ports, in order."""
        general, by_port = self._own
        for _, rule in merge(general, by_port.get(port, ()), key=lambda pair: pair[0]):
            if family in rule.families and (not rule.protocols or protocol in rule.protocols):
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


def _matching(rest: Iterable[Destinations], rule: Rule) -> list[Destinations]:
    networks = rule.destinations or (None,)
    found = (one.within(network, rule.not_destinations) for one in rest for network in networks)
    return [one for one in found if one is not None]


def _remaining(rest: Iterable[Destinations], rule: Rule) -> list[Destinations]:
    """The destinations of ``rest`` that the rule does not match; later rules decide about them."""
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
                    rest = [Destinations()]
                    for chain in start:
                        # A packet that a nat chain accepts without a translation still enters the next one.
                        rest, accepted = self._follow(chain, rest)
                        rest += accepted
        return self._found

    def _follow(
        self, chain: Chain, rest: list[Destinations], depth: int = 0
    ) -> tuple[list[Destinations], list[Destinations]]:
        """What is not translated: packets that continue after the chain, and those with a final verdict."""
        entered, count = rest, len(self._found)
        returned: list[Destinations] = []
        final: list[Destinations] = []
        for rule in chain.own_rules(self._family, self._protocol, self._port):
            matching = _matching(rest, rule)
            self._steps -= max(1, len(rest))
            if not matching or self._steps < 0 or rule.verdict is Verdict.NONE:
                continue
            inner = [one.only_if(rule.unknown) for one in matching]
            after: list[Destinations] = []
            if rule.verdict is Verdict.TRANSLATE:
                self._found += [self._translation(rule, one) for one in inner]
            elif rule.verdict in {Verdict.JUMP, Verdict.GOTO}:
                target = self._table.chains.get(rule.target)
                known = target is not None and depth < MAX_DEPTH
                after, ended = self._follow(target, inner, depth + 1) if target and known else ([], inner)
                final += ended
                if rule.verdict is Verdict.GOTO:
                    returned += after
                    after = []
                elif after == inner:  # Nothing ended there: the condition of the jump decides nothing.
                    continue
            elif rule.verdict is Verdict.RETURN:
                returned += inner
            else:
                final += inner
            passed = [one.only_if(f"not ({rule.unknown})") for one in matching] if rule.unknown else []
            rest = list(dict.fromkeys((*_remaining(rest, rule), *passed, *after)))
        if not final and len(self._found) == count:  # Everything continues, whatever conditions hold.
            return entered, []
        return rest + returned, final

    def _translation(self, rule: Rule, to: Destinations) -> Translation:
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
            "; ".join(to.conditions),
        )


def _drops(tables: Sequence[Table], family: Family, bridge: str) -> bool:
    """Whether a rule drops every new TCP connection from one port of ``bridge`` to another."""
    return any(
        (_verdict(table, chain, family, bridge) or chain.policy) is Verdict.DROP
        for table in tables
        if family in table.families
        for chain in table.hooked("filter", "forward")
    )


def _verdict(table: Table, chain: Chain, family: Family, bridge: str, depth: int = 0) -> Verdict | None:
    """The verdict on such a connection; None if it continues after the chain. A rule that accepts some of them counts
    as accepting all, because it is not known which."""
    for rule in chain.rules:
        if family not in rule.families or not rule.passes(bridge, bridge):
            continue
        if rule.protocols and Protocol.TCP not in rule.protocols:
            continue
        partial = bool(rule.destinations or rule.not_destinations or rule.ports is not None or rule.unknown)
        verdict: Verdict | None = rule.verdict
        if verdict in {Verdict.JUMP, Verdict.GOTO}:
            target = table.chains.get(rule.target)
            known = target is not None and depth < MAX_DEPTH
            deeper = _verdict(table, target, family, bridge, depth + 1) if target and known else None
            if deeper is None and rule.verdict is Verdict.GOTO and not partial:
                return None
            verdict = deeper
        if verdict is Verdict.ACCEPT or (verdict is Verdict.DROP and not partial):
            return verdict
        if verdict is Verdict.RETURN and not partial:
            return None
    return None
