"""The rules of the packet filter as values, the same for iptables and nftables.

``core.namespaces.iptables`` and ``core.namespaces.nftables`` parse listings into them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from heapq import merge

from dashboard.core.namespaces.destinations import Network
from dashboard.core.namespaces.state import Family, Protocol

#: The greatest range of ports that is read as single ports.
MAX_RANGE = 1024


class Verdict(StrEnum):
    """What a rule does with a packet that matches. After ``NONE``, the next rule is evaluated."""

    NONE = "none"
    ACCEPT = "accept"
    DROP = "drop"
    RETURN = "return"
    JUMP = "jump"
    GOTO = "goto"
    TRANSLATE = "translate"


@dataclass(frozen=True, slots=True)
class NameMatch:
    """A condition on the name of an interface. A final ``+`` or ``*`` in ``name`` matches any suffix. If ``negated`` is
    true, all other names match."""

    name: str
    negated: bool = False

    def matches(self, name: str) -> bool:
        """Whether the interface ``name`` meets the condition. ``name`` is empty if the packet has no interface in this
        direction, for example no input interface."""
        same = name.startswith(self.name[:-1]) if self.name.endswith(("+", "*")) else name == self.name
        return same is not self.negated


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of the packet filter. It matches if all its conditions do.

    Empty ``protocols`` and ``destinations`` match all. ``ports`` are destination ports; None matches all. If ``new`` is
    false, only packets of established connections match. ``unknown`` has the text of conditions that Netmodes does not
    evaluate. ``target`` is the chain of a jump. ``to_address`` and ``to_port`` are the new destination of a
    translation; port 0 keeps the port.
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
        """Whether the first packet of a connection may match if it arrives on ``incoming`` and leaves on ``outgoing``.
        Protocol, ports and destinations are not considered."""
        return (
            self.new
            and all(match.matches(incoming) for match in self.incoming)
            and all(match.matches(outgoing) for match in self.outgoing)
        )


@dataclass
class Chain:
    """The rules of a chain. ``kind`` and ``hook`` are empty for a chain that packets enter only by a jump from another
    chain."""

    rules: list[Rule] = field(default_factory=list)
    kind: str = ""
    hook: str = ""
    priority: int = 0
    policy: Verdict = Verdict.ACCEPT

    @cached_property
    def _own(self) -> tuple[list[tuple[int, Rule]], dict[int, list[tuple[int, Rule]]]]:
        """The rules that may match packets from the machine's own programs to its own addresses. Such packets have no
        input interface and leave through lo. The first item has the rules for all ports, the second the other rules by
        port. Each rule is paired with its position in the chain."""
        general: list[tuple[int, Rule]] = []
        by_port: dict[int, list[tuple[int, Rule]]] = {}
        for number, rule in enumerate(self.rules):
            if not rule.passes("", "lo"):
                continue
            for rules in [general] if rule.ports is None else [by_port.setdefault(port, []) for port in rule.ports]:
                rules.append((number, rule))
        return general, by_port

    def own_rules(self, family: Family, protocol: Protocol, port: int) -> Iterator[Rule]:
        """Yields the rules for packets from the machine's own programs to a port of the machine, in the order of the
        chain."""
        general, by_port = self._own
        for _, rule in merge(general, by_port.get(port, ()), key=lambda pair: pair[0]):
            if family in rule.families and (not rule.protocols or protocol in rule.protocols):
                yield rule


@dataclass
class Table:
    """The chains of a table by name. ``families`` are those whose packets pass the table."""

    families: tuple[Family, ...]
    chains: dict[str, Chain] = field(default_factory=dict)

    def base_chains(self, kind: str, hook: str) -> list[Chain]:
        """Returns the chains that packets enter at this hook, in the order of their priorities."""
        chains = (chain for chain in self.chains.values() if (chain.kind, chain.hook) == (kind, hook))
        return sorted(chains, key=lambda chain: chain.priority)
