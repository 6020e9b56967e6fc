"""What the kernel reports about the first packet of a request: the links that it passed, the rules that it reached, and
the reason if it was dropped.

The links and the reason come from tracepoints (``net:net_dev_start_xmit``, ``net:netif_receive_skb``,
``skb:kfree_skb``), the rules from nftables' trace (nft(8), “meta nftrace”).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from dashboard.core.paths.hops import Hop, HopKind


class EventKind(StrEnum):
    """What happened to a packet."""

    SENT = "sent"
    RECEIVED = "received"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class PacketEvent:
    """One event of a packet that the kernel reported. ``packet`` identifies the packet until it is freed. ``link`` is
    empty for a drop. ``reason`` is empty for other events. ``ethertype`` and ``length`` (in bytes) are 0 for received
    packets."""

    kind: EventKind
    packet: int
    link: str = ""
    reason: str = ""
    ethertype: int = 0
    length: int = 0


@dataclass(frozen=True, slots=True)
class RuleStep:
    """A rule, or the policy of a chain, that a traced packet reached, with the verdict. ``handle`` is 0 for a policy.
    ``source`` is the sender, ``address:port``. ``connection`` is the conntrack state, empty if it was not reported."""

    packet: int
    table: str
    chain: str
    handle: int
    verdict: str
    source: str = ""
    connection: str = ""


@dataclass(frozen=True, slots=True)
class FirstPacket:
    """What was observed of the first packet of a traced request: the links that it passed and the rules that it
    reached. ``texts`` has the texts of rules by table, chain and handle. ``links_error`` and ``rules_error`` are the
    reasons why the links or the rules were not observed."""

    events: tuple[PacketEvent, ...] = ()
    rules: tuple[RuleStep, ...] = ()
    texts: Mapping[tuple[str, str, int], str] = field(default_factory=dict)
    links_error: str = ""
    rules_error: str = ""

    @property
    def links(self) -> tuple[str, ...]:
        """The links that the packet passed, in order. ``A → B`` means the two ends of a veth pair."""
        return _links(_journey(self.events))

    @property
    def reason(self) -> str:
        """The kernel's reason for dropping the packet; empty if no drop was seen."""
        return next((event.reason for event in _journey(self.events) if event.kind is EventKind.DROPPED), "")

    @property
    def steps(self) -> tuple[str, ...]:
        """The rules that the packet reached, in order, each with the verdict."""
        return tuple(f"{self._text(step)}: {step.verdict}" for step in self.rules)

    @property
    def dropping_rule(self) -> str:
        """The text of the rule or policy that dropped the packet; empty if none did."""
        return next((self._text(step) for step in self.rules if step.verdict == "drop"), "")

    @property
    def connection(self) -> str:
        """The conntrack state of the packet's connection, empty if the kernel did not report it."""
        return next((step.connection for step in self.rules if step.connection), "")

    def _text(self, step: RuleStep) -> str:
        where = f"table {step.table}, chain {step.chain}"
        if not step.handle:
            return f"policy of the chain {step.chain} (table {step.table})"
        text = self.texts.get((step.table, step.chain, step.handle), f"rule with handle {step.handle}")
        return f"rule “{text}” (table {step.table})" if text.startswith("-A ") else f"rule “{text}” ({where})"


_ETHERTYPES = frozenset({0x0800, 0x86DD})
#: The reasons that a reader meets most often (include/net/dropreason-core.h), in words.
REASONS = {
    "NETFILTER_DROP": "a rule of the packet filter dropped it",
    "NO_SOCKET": "no program listens on the port",
    "IP_RPFILTER": "the reverse path filter dropped it: replies would leave over another interface",
    "IP_INNOROUTES": "no route leads to the destination",
    "IP_OUTNOROUTES": "no route leads to the destination",
    "IP_INADDRERRORS": "the destination address is not valid here",
    "NEIGH_FAILED": "no machine on the link answered for the address",
    "PKT_TOO_BIG": "the packet is larger than the MTU",
    "TCP_LISTEN_OVERFLOW": "the program accepts connections too slowly",
    "UNHANDLED_PROTO": "the machine does not use this protocol",
    "OTHERHOST": "the packet was for another machine",
    "QDISC_DROP": "the queue of the link was full, or is configured to drop packets",
}


def describe_reason(reason: str) -> str:
    """Returns the kernel's reason for a drop, with an explanation if Netmodes has one."""
    return f"{reason}: {REASONS[reason]}" if reason in REASONS else reason


def _journey(events: Sequence[PacketEvent]) -> Iterator[PacketEvent]:
    """Yields the events of the first IP packet, up to its drop. The kernel reuses the identity of a freed packet, so
    the events also end when the first link sends another packet with that identity. The length tells it apart from the
    first packet on a link with the same name in another namespace: the later packets of a connection have no options of
    a SYN."""
    first: PacketEvent | None = None
    for event in events:
        if first is None:
            if event.kind is EventKind.SENT and event.ethertype in _ETHERTYPES:
                first = event
                yield event
        elif event.packet == first.packet:
            if event.kind is EventKind.SENT and event.link == first.link and event.length != first.length:
                return
            yield event
            if event.kind is EventKind.DROPPED:
                return


def _links(events: Iterator[PacketEvent]) -> tuple[str, ...]:
    found: list[str] = []
    open_end = False
    for event in events:
        if event.kind is EventKind.RECEIVED and open_end:
            found[-1] = f"{found[-1]} → {event.link}"
        elif event.link:
            found.append(event.link)
        open_end = event.kind is EventKind.SENT
    return tuple(found)


_CHAIN = re.compile(r"^\s*chain (\S+) \{")
_TABLE = re.compile(r"^table (\S+) (\S+) \{")
_RULE = re.compile(r"^(.*\S)\s+# handle (\d+)$")
_COUNTER = re.compile(r"\bcounter packets \d+ bytes \d+ ?")
_APPEND = re.compile(r"^(?:\[\d+:\d+\] )?(-A (\S+) .*)$")


def read_rule_texts(
    ruleset: Sequence[str], saved: Sequence[str], family: Literal["ip", "ip6"]
) -> dict[tuple[str, str, int], str]:
    """Returns the text of each rule by table, chain and handle. ``ruleset`` is the output of ``nft -a list ruleset``.
    ``saved`` is the output of ``iptables-save``, which also shows extensions of iptables that nft does not show. A rule
    of iptables therefore gets the text of the rule at the same position in ``saved``."""
    appended: dict[tuple[str, str], list[str]] = defaultdict(list)
    table = ""
    for line in saved:
        if line.startswith("*"):
            table = line[1:].strip()
        elif match := _APPEND.match(line):
            appended[table, match[2]].append(match[1])
    texts: dict[tuple[str, str, int], str] = {}
    numbers: Counter[tuple[str, str]] = Counter()
    of_family, chain = "", ""
    for line in ruleset:
        if match := _TABLE.match(line):
            of_family, table, chain = match[1], match[2], ""
        elif match := _CHAIN.match(line):
            chain = match[1]
        elif of_family in {family, "inet"} and chain and (match := _RULE.match(line.strip())):
            own = appended.get((table, chain), []) if of_family == family else []
            number = numbers[table, chain]
            numbers[table, chain] += 1
            nft = _COUNTER.sub("", match[1]).strip()
            texts[table, chain, int(match[2])] = own[number] if number < len(own) else nft
    return texts


def choose_packet(steps: Sequence[RuleStep], source: str) -> tuple[RuleStep, ...]:
    """Returns the steps of the first packet from ``source`` (``address:port``). The remaining steps belong to other
    packets. These are traced because the machine's administrator has added tracing rules (``nftrace``) of their own."""
    first = next((step for step in steps if source and step.source == source), None)
    return tuple(step for step in steps if first is not None and step.packet == first.packet)


def links_hop(first: FirstPacket) -> Hop:
    """Returns the hop that shows which links the packet passed, and the kernel's reason if it was dropped."""
    kind, title = HopKind.LINKS, "Links that the first packet passed"
    if not first.links:
        return Hop.unknown(kind, title, first.links_error or "the kernel reported no packet")
    reason = f"The kernel dropped it. {describe_reason(first.reason)}" if first.reason else ""
    return Hop.taken(kind, title, *first.links, reason=reason)


def rules_hop(first: FirstPacket) -> Hop:
    """Returns the hop that shows which rules the packet reached, with their verdicts."""
    kind, title = HopKind.RULES, "Rules that the first packet met"
    if first.rules_error:
        return Hop.unknown(kind, title, first.rules_error)
    if not first.steps:
        return Hop.not_seen(kind, title, "no rule of the machine has seen the packet")
    state = f"Connection tracking: {first.connection}" if first.connection else ""
    return Hop.taken(kind, title, *first.steps, reason=state)
