"""Parses the hosts file (hosts(5))."""

import ipaddress

from dashboard.core.namespaces.state import HostsEntry

_MAX_ENTRIES = 10_000
_MAX_NAMES = 64


def parse_hosts(text: str) -> tuple[HostsEntry, ...]:
    """Returns the entries in the order of the file, at most 10,000 with 64 names each. Text after ``#`` is a comment.
    Lines without a valid address or without a name are ignored, as in the C library."""
    found: list[HostsEntry] = []
    for line in text.split("\n"):
        fields = line.split("#", 1)[0].split()
        if len(fields) < 2 or not is_address(fields[0]):
            continue
        found.append(HostsEntry(fields[0], tuple(fields[1 : _MAX_NAMES + 1])))
        if len(found) >= _MAX_ENTRIES:
            break
    return tuple(found)


def is_address(text: str) -> bool:
    """Whether the text is a numeric IPv4 or IPv6 address. An IPv6 address may end with a ``%zone``."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
