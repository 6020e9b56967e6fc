"""Parses address translation rules. They are recognised by their meaning, not by the names of their chains.

Both backends are supported: ``iptables-save -c`` (iptables-save(8)) and ``nft list ruleset`` (nft(8)). The ``lines`` of
all functions are such a listing.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_COUNTED = re.compile(r"^\[(\d+):(\d+)\]\s+")
_NFT_COUNTER = re.compile(r"\bcounter packets (\d+) bytes (\d+)")
_PORT = re.compile(r"(?:--dport|\bdport) (\d+)")
_TO = re.compile(r"(?:--to-destination |\bdnat (?:ip6? )?to )(\[[0-9a-fA-F:]+\]|[0-9.]+):(\d+)")
_REWRITES = re.compile(
    r"-j (?:DNAT|SNAT|MASQUERADE|REDIRECT)\b|\b(?:dnat|snat) (?:ip6? )?to \S|\b(?:masquerade|redirect)\b"
)
_SOURCE = re.compile(r"(?:\s-s |\bip6? saddr )([0-9a-fA-F.:]+(?:/\d+)?)")


@dataclass(frozen=True, slots=True)
class Translation:
    """A rule that replaces the destination of packets to ``port``. ``packets`` is its packet counter."""

    protocol: str
    port: int
    to_address: str
    to_port: int
    packets: int
    text: str


@dataclass(frozen=True, slots=True)
class Masquerade:
    """A rule that replaces source addresses in the subnet ``source`` (CIDR) by the machine's address. ``packets`` is
    its packet counter."""

    source: str
    packets: int
    text: str


def _packets(line: str) -> int:
    counter = _COUNTED.match(line) or _NFT_COUNTER.search(line)
    return int(counter[1]) if counter else 0


def read_translations(lines: Sequence[str]) -> tuple[Translation, ...]:
    """Returns every rule that replaces the destination of packets to one port."""
    rules = []
    for raw in lines:
        line = raw.strip()
        port, to = _PORT.search(line), _TO.search(line)
        if port is not None and to is not None:
            protocol = "udp" if re.search(r"-p udp|\budp dport", line) else "tcp"
            rules.append(Translation(protocol, int(port[1]), to[1].strip("[]"), int(to[2]), _packets(line), line))
    return tuple(rules)


def read_masquerades(lines: Sequence[str]) -> tuple[Masquerade, ...]:
    """Returns every rule that masquerades a subnet."""
    rules = []
    for raw in lines:
        line = raw.strip()
        source = _SOURCE.search(line)
        if source is not None and re.search(r"-j MASQUERADE\b|\bmasquerade\b", line):
            rules.append(Masquerade(source[1], _packets(line), line))
    return tuple(rules)


def listing_commands(backend: str, saves: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Returns commands that may list the nat rules of an engine. Use the first one that lists any rule.

    ``backend`` is the firewall backend that the engine reports. Podman reports none: then it is empty, and netavark may
    use nftables or iptables. ``saves`` are the iptables-save programs to try, such as ``iptables-legacy-save``.
    """
    nft, iptables = ("nft", "list", "ruleset"), tuple((save, "-c", "-t", "nat") for save in saves)
    if not backend:
        return (nft, *iptables)
    return (nft,) if "nftables" in backend.split("+") else iptables


def has_nat_rules(lines: Sequence[str]) -> bool:
    """Whether any of the rules translates an address."""
    return any(_REWRITES.search(line) for line in lines)


def read_uncounted(lines: Sequence[str]) -> tuple[str, ...]:
    """Returns the TCP translation rules without a packet counter. Nothing shows whether a packet matched them."""
    rules = (line.strip() for line in lines)
    return tuple(
        line
        for line in rules
        if _REWRITES.search(line)
        and not (_COUNTED.match(line) or _NFT_COUNTER.search(line))
        and not re.search(r"-p udp|\budp dport", line)
    )


def packets_to(lines: Sequence[str], port: int, protocol: str = "tcp") -> int:
    """Returns the sum of the packet counters of the rules that replace the destination of packets to ``port``."""
    return sum(rule.packets for rule in read_translations(lines) if (rule.port, rule.protocol) == (port, protocol))


@dataclass(frozen=True, slots=True)
class CounterIncrease:
    """A TCP translation rule that counted ``packets`` between two listings. ``to`` is the new destination,
    ``address:port``, empty for a rule that translates the source."""

    packets: int
    to: str
    port: int
    text: str


def read_counter_increases(before: Sequence[str], after: Sequence[str]) -> tuple[CounterIncrease, ...]:
    """Returns the TCP translation rules that counted packets between the listings ``before`` and ``after``. A rule that
    is only in ``after`` counts from zero."""
    old = {key: packets for key, packets, _ in _translating(before)}
    rules = []
    for key, packets, line in _translating(after):
        increase = packets - old.get(key, 0)
        if increase > 0:
            to, port = _TO.search(line), _PORT.search(line)
            destination = f"{to[1]}:{to[2]}" if to is not None else ""
            rules.append(CounterIncrease(increase, destination, int(port[1]) if port is not None else 0, line))
    return tuple(rules)


def _translating(lines: Sequence[str]) -> Iterator[tuple[tuple[str, int], int, str]]:
    """Yields an identity, the packet counter and the text of each TCP translation rule. The identity is the text
    without the counter, and a number that distinguishes rules with the same text."""
    numbers: Counter[str] = Counter()
    for raw in lines:
        line = raw.strip()
        bare = _NFT_COUNTER.sub("counter", _COUNTED.sub("", line))
        if not _REWRITES.search(bare) or re.search(r"-p udp|\budp dport", bare):
            continue
        numbers[bare] += 1
        yield (bare, numbers[bare]), _packets(line), line
