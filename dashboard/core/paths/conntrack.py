"""Entries of the kernel's connection tracking, as ``/proc/net/nf_conntrack`` and ``conntrack -L`` print them.

An entry has two tuples: the connection as its client made it, and as the answers come back. Where they do not mirror
each other, an address was translated (nf_conntrack_standalone.c, conntrack(8)).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from dashboard.core.namespaces.addresses import bracket

_FIELD = re.compile(r"\b(src|dst|sport|dport)=(\S+)")
_STATE = re.compile(r"\btcp\s+6\s+(?:\d+\s+)?([A-Z_]+[0-9]?)\b")
_ORDER = ("src", "dst", "sport", "dport") * 2


@dataclass(frozen=True, slots=True)
class Entry:
    """One TCP connection; every end as ``address:port``. ``text`` is the line as printed."""

    source: str
    to: str
    reply_source: str
    reply_to: str
    state: str
    text: str

    @property
    def translated_to(self) -> str:
        """Where the destination was rewritten to, empty if it was not."""
        return "" if self.reply_source == self.to else self.reply_source

    @property
    def translated_from(self) -> str:
        """What the source was rewritten to, empty if it was not."""
        return "" if self.reply_to == self.source else self.reply_to


def read_entries(lines: Iterable[str]) -> tuple[Entry, ...]:
    """The TCP connections of a table; other lines are passed over."""
    found = []
    for raw in lines:
        line = raw.strip()
        fields, state = _FIELD.findall(line), _STATE.search(line)
        if state is None or tuple(name for name, _ in fields) != _ORDER:
            continue
        src, dst, sport, dport, back_src, back_dst, back_sport, back_dport = (value for _, value in fields)
        found.append(
            Entry(
                _end(src, sport),
                _end(dst, dport),
                _end(back_src, back_sport),
                _end(back_dst, back_dport),
                state[1],
                " ".join(line.split()),
            )
        )
    return tuple(found)


def _end(address: str, port: str) -> str:
    """/proc prints IPv6 in full: ``fd00:0000:…:0002`` becomes what every other tool prints."""
    return f"{bracket(_short(address))}:{port}"


def _short(address: str) -> str:
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address
