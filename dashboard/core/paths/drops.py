"""Finds the rules of the packet filter that dropped packets between two listings of its rules.

Both backends are supported: ``iptables-save -c`` (iptables-save(8)) and ``nft list ruleset`` (nft(8)).
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_COUNTED = re.compile(r"^\[(\d+):\d+\]\s+")
_POLICY = re.compile(r"^:(\S+) DROP \[(\d+):\d+\]")
_NFT_COUNTER = re.compile(r"\bcounter packets (\d+) bytes \d+")
#: The Engine ends its own rules for nftables with a comment (moby, libnetwork/drivers/bridge/internal/nftabler).
_DROPS = re.compile(r'-j (?:DROP|REJECT)\b|\b(?:drop|reject)(?: with [^"]+)?(?: comment ".*")?$')


@dataclass(frozen=True, slots=True)
class Drop:
    """A rule, or the policy of a chain, that dropped or rejected packets. ``rule`` is its text, ``packets`` their
    number."""

    packets: int
    rule: str


def read_drops(before: Sequence[str], after: Sequence[str]) -> tuple[Drop, ...]:
    """Returns the rules and policies that dropped packets between the listings ``before`` and ``after``. A rule that is
    only in ``after`` counts from zero."""
    old = {key: packets for key, packets, _rule in _dropping(before)}
    counted = ((packets - old.get(key, 0), rule) for key, packets, rule in _dropping(after))
    return tuple(Drop(packets, rule) for packets, rule in counted if packets > 0)


def describe_drops(drops: Sequence[Drop]) -> str:
    """Describes drops in one sentence. Returns an empty text if there are no drops. The sentence says that the packets
    may belong to other connections, because counters do not show which packets they counted."""
    if not drops:
        return ""
    parts = (f"{drop.rule} ({drop.packets} packet{'' if drop.packets == 1 else 's'})" for drop in drops)
    return f"Meanwhile the machine dropped packets, possibly of other connections: {'; '.join(parts)}."


def _dropping(lines: Sequence[str]) -> Iterator[tuple[tuple[str, int], int, str]]:
    """Yields an identity, the packet counter and the text of each rule and policy that drops packets. The identity is
    the text with a number, which distinguishes rules with the same text."""
    numbers: Counter[str] = Counter()
    table = chain = ""
    for raw in lines:
        line = raw.strip()
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith("table "):
            table, chain = line.removeprefix("table ").removesuffix(" {"), ""
        elif line.startswith("chain "):
            chain = line.removeprefix("chain ").removesuffix(" {")
        policy = _POLICY.match(line)
        counter = _COUNTED.match(line) or _NFT_COUNTER.search(line)
        if policy is not None:
            packets, rule = int(policy[2]), f"policy DROP of the chain {policy[1]} (table {table})"
        elif counter is not None:
            bare = _NFT_COUNTER.sub("counter", _COUNTED.sub("", line))
            if not _DROPS.search(bare):
                continue
            where = f"table {table}, chain {chain}" if chain else f"table {table}"
            packets, rule = int(counter[1]), f"rule “{bare}” ({where})"
        else:
            continue
        numbers[rule] += 1
        yield (rule, numbers[rule]), packets, rule
