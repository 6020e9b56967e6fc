"""What claims pick out of what they saw, and how they say it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dashboard.core.namespaces.addresses import bracket
from dashboard.core.namespaces.hosts_file import parse_hosts
from dashboard.core.namespaces.resolver import parse_resolv_conf
from dashboard.core.namespaces.state import Interface, Listener, NamespaceState, Protocol


def names_of(state: NamespaceState) -> tuple[str, ...]:
    """The names of all interfaces."""
    return tuple(one.name for one in state.interfaces)


def link_of(state: NamespaceState, name: str) -> Interface | None:
    """One interface by its name."""
    return next((one for one in state.interfaces if one.name == name), None)


def holders(state: NamespaceState, port: int) -> tuple[Listener, ...]:
    """Who listens on a TCP port."""
    return tuple(one for one in state.listeners if one.protocol == Protocol.TCP and one.port == port)


def say_holders(found: Iterable[Listener]) -> str:
    """``0.0.0.0:80 docker-proxy``, one after the other."""
    said = [f"{bracket(one.address)}:{one.port} {one.process or 'an unknown process'}" for one in found]
    return ", ".join(said) or "nobody"


def servers_in(resolv_conf: str) -> tuple[str, ...]:
    """The name servers of a resolv.conf."""
    return parse_resolv_conf(resolv_conf).nameservers


def names_in(hosts: str) -> dict[str, str]:
    """Name to address in a hosts file, without the loopback entries that every container has."""
    return {
        name: entry.address
        for entry in parse_hosts(hosts)
        for name in entry.names
        if not entry.address.startswith("127.") and ":" not in entry.address
    }


def say_lines(text: str) -> str:
    """A small file on one line, without its comments."""
    rows = (" ".join(line.split()) for line in text.splitlines())
    return "; ".join(row for row in rows if row and not row.startswith("#")) or "empty"


def say_inodes(kind: str, places: Mapping[str, Mapping[str, int]]) -> tuple[str, ...]:
    """``net of the container: 4026531840``, a line for each place."""
    return tuple(f"{kind} namespace of {name}: {inodes.get(kind, 'none')}" for name, inodes in places.items())
