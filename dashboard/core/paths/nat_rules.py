"""Address translation rules read by what they mean, whatever their chains are called.

Both backends: ``iptables-save -c`` (iptables-save(8)) and ``nft list ruleset`` (nft(8)).
"""

from __future__ import annotations

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
    """A rule that gives packets for ``port`` another destination. ``packets`` counts what it took."""

    protocol: str
    port: int
    to_address: str
    to_port: int
    packets: int
    text: str


@dataclass(frozen=True, slots=True)
class Masquerade:
    """A rule that gives packets of ``source`` (CIDR) the machine's own address."""

    source: str
    packets: int
    text: str


def _packets(line: str) -> int:
    found = _COUNTED.match(line) or _NFT_COUNTER.search(line)
    return int(found[1]) if found else 0


def read_translations(lines: Sequence[str]) -> tuple[Translation, ...]:
    """Every rule that translates the destination of packets for one port."""
    found = []
    for raw in lines:
        line = raw.strip()
        port, to = _PORT.search(line), _TO.search(line)
        if port is not None and to is not None:
            protocol = "udp" if re.search(r"-p udp|\budp dport", line) else "tcp"
            found.append(Translation(protocol, int(port[1]), to[1].strip("[]"), int(to[2]), _packets(line), line))
    return tuple(found)


def read_masquerades(lines: Sequence[str]) -> tuple[Masquerade, ...]:
    """Every rule that masquerades a subnet."""
    found = []
    for raw in lines:
        line = raw.strip()
        source = _SOURCE.search(line)
        if source is not None and re.search(r"-j MASQUERADE\b|\bmasquerade\b", line):
            found.append(Masquerade(source[1], _packets(line), line))
    return tuple(found)


def packets_to(lines: Sequence[str], port: int, protocol: str = "tcp") -> int:
    """How many packets the translations of one port took, together."""
    return sum(one.packets for one in read_translations(lines) if (one.port, one.protocol) == (port, protocol))


@dataclass(frozen=True, slots=True)
class Growth:
    """A translating rule whose counter rose by ``packets`` between two looks. ``to`` is where it sends packets,
    ``address:port``, empty for one that gives them another source."""

    packets: int
    to: str
    port: int
    text: str


def read_growth(before: Sequence[str], after: Sequence[str]) -> tuple[Growth, ...]:
    """The rules that translate TCP and took packets between two listings. A rule that is new took what it counts."""
    old = {key: packets for key, packets, _ in _translating(before)}
    found = []
    for key, packets, line in _translating(after):
        more = packets - old.get(key, 0)
        if more > 0:
            to, port = _TO.search(line), _PORT.search(line)
            where = f"{to[1]}:{to[2]}" if to is not None else ""
            found.append(Growth(more, where, int(port[1]) if port is not None else 0, line))
    return tuple(found)


def _translating(lines: Sequence[str]) -> Iterator[tuple[tuple[str, int], int, str]]:
    """Identity, packets and text of each rule that rewrites an address: equal rules are told apart by their order."""
    met: Counter[str] = Counter()
    for raw in lines:
        line = raw.strip()
        bare = _NFT_COUNTER.sub("counter", _COUNTED.sub("", line))
        if not _REWRITES.search(bare) or re.search(r"-p udp|\budp dport", bare):
            continue
        met[bare] += 1
        yield (bare, met[bare]), _packets(line), line
