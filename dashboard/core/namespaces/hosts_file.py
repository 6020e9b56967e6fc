"""The hosts file (hosts(5)), parsed."""

from __future__ import annotations

import ipaddress

from dashboard.core.namespaces.state import HostsEntry

_MOST_ENTRIES = 10_000
_MOST_NAMES = 64


def parse_hosts(text: str) -> tuple[HostsEntry, ...]:
    """The entries in the order of the file. Text after ``#`` is a comment; lines without a valid address
    or without a name are ignored, as the C library does. At most 10,000 entries of 64 names."""
    found: list[HostsEntry] = []
    for line in text.split("\n"):
        fields = line.split("#", 1)[0].split()
        if len(fields) < 2 or not is_address(fields[0]):
            continue
        found.append(HostsEntry(fields[0], tuple(fields[1 : _MOST_NAMES + 1])))
        if len(found) >= _MOST_ENTRIES:
            break
    return tuple(found)


def is_address(text: str) -> bool:
    """Whether this is an IPv4 or IPv6 address in digits, an IPv6 one possibly with its ``%zone``."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
