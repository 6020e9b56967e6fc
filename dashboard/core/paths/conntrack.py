"""Parses entries of the kernel's connection tracking, as ``/proc/net/nf_conntrack`` and ``conntrack -L`` print them.

An entry has two tuples: one for the packets of the client and one for the replies. If they do not mirror each other, an
address was translated (nf_conntrack_standalone.c, conntrack(8)).
"""

import ipaddress
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from dashboard.core.namespaces.addresses import bracket

_FIELD = re.compile(r"\b(src|dst|sport|dport)=(\S+)")
_STATE = re.compile(r"\btcp\s+6\s+(?:\d+\s+)?([A-Z_]+[0-9]?)\b")
_ORDER = ("src", "dst", "sport", "dport") * 2


@dataclass(frozen=True, slots=True)
class ConntrackEntry:
    """A tracked TCP connection. Endpoints are ``address:port``. ``text`` is the printed entry."""

    source: str
    destination: str
    reply_source: str
    reply_destination: str
    state: str
    text: str

    @property
    def translated_to(self) -> str:
        """The new destination, empty if the destination was not translated."""
        return "" if self.reply_source == self.destination else self.reply_source

    @property
    def translated_from(self) -> str:
        """The new source, empty if the source was not translated."""
        return "" if self.reply_destination == self.source else self.reply_destination


def read_entries(lines: Iterable[str]) -> tuple[ConntrackEntry, ...]:
    """Returns the TCP connections that the lines of a table contain. Other lines are ignored."""
    entries = []
    for line in lines:
        fields, state = _FIELD.findall(line), _STATE.search(line)
        if state is None or tuple(name for name, _ in fields) != _ORDER:
            continue
        source, destination, sport, dport, reply_source, reply_destination, reply_sport, reply_dport = (
            value for _, value in fields
        )
        endpoints = (
            _endpoint(source, sport),
            _endpoint(destination, dport),
            _endpoint(reply_source, reply_sport),
            _endpoint(reply_destination, reply_dport),
        )
        entries.append(ConntrackEntry(*endpoints, state[1], " ".join(line.split())))
    return tuple(entries)


def _endpoint(address: str, port: str) -> str:
    """Returns ``address:port`` with an IPv6 address in its short form. /proc prints all of its digits."""
    with suppress(ValueError):
        address = str(ipaddress.ip_address(address))
    return f"{bracket(address)}:{port}"
