"""Extracts the values that claims use from an observation, and formats them as evidence."""

from collections.abc import Iterable, Mapping
from typing import Any

from dashboard.core.namespaces.addresses import bracket
from dashboard.core.namespaces.hosts_file import parse_hosts
from dashboard.core.namespaces.resolver import parse_resolv_conf
from dashboard.core.namespaces.state import Interface, Listener, NamespaceState, Protocol


def interface_names(state: NamespaceState) -> tuple[str, ...]:
    """Returns the names of all interfaces."""
    return tuple(interface.name for interface in state.interfaces)


def find_interface(state: NamespaceState, name: str) -> Interface | None:
    """Returns the interface with this name, None if it does not exist."""
    return next((interface for interface in state.interfaces if interface.name == name), None)


def listeners_on(state: NamespaceState, port: int) -> tuple[Listener, ...]:
    """Returns the listeners on a TCP port."""
    return tuple(found for found in state.listeners if found.protocol == Protocol.TCP and found.port == port)


def describe_listeners(listeners: Iterable[Listener]) -> str:
    """Formats listeners as evidence: ``0.0.0.0:80 docker-proxy, [::]:80 docker-proxy``."""
    texts = [f"{bracket(found.address)}:{found.port} {found.process or 'unknown process'}" for found in listeners]
    return ", ".join(texts) or "no listener"


def nameservers(resolv_conf: str) -> tuple[str, ...]:
    """Returns the name servers in the text of a resolv.conf."""
    return parse_resolv_conf(resolv_conf).nameservers


def host_entries(hosts: str) -> dict[str, str]:
    """Returns the IPv4 addresses in the text of a hosts file, by name. Loopback addresses, which every container has,
    are left out."""
    return {
        name: entry.address
        for entry in parse_hosts(hosts)
        for name in entry.names
        if not entry.address.startswith("127.") and ":" not in entry.address
    }


def describe_list(texts: Iterable[str]) -> str:
    """Joins the texts with semicolons; ``none`` if there are no texts."""
    return "; ".join(texts) or "none"


def describe_names(names: Mapping[str, str]) -> str:
    """Formats names and their addresses as evidence: ``database is 192.0.2.77, other is 192.0.2.7``; ``none`` if there
    are no names."""
    return ", ".join(f"{name} is {address}" for name, address in names.items()) or "none"


def describe_ports(ports: Any) -> str:
    """Formats a map of ports from an inspect response as evidence: ``80/tcp at port 8080``; ``none`` if it is empty."""
    texts = []
    unbound: dict[str, str] = {}
    for inner, bindings in (ports or {}).items():
        for binding in bindings or (unbound,):
            address, port = binding.get("HostIp", ""), binding.get("HostPort", "")
            place = f"port {port}" if port else "a port that the Engine chooses" if bindings else "no port"
            texts.append(f"{inner} at {place}" + (f" of {address}" if address else ""))
    return ", ".join(texts) or "none"


def on_one_line(text: str) -> str:
    """Joins the lines of a small file with semicolons, without comments; returns ``empty`` if nothing remains."""
    rows = (" ".join(line.split()) for line in text.splitlines())
    return "; ".join(row for row in rows if row and not row.startswith("#")) or "empty"


def describe_inodes(kind: str, places: Mapping[str, Mapping[str, int]]) -> tuple[str, ...]:
    """Formats the inodes of namespaces as evidence, such as ``net namespace of the container: 4026531840``. ``kind`` is
    the type of namespace. ``places`` maps the name of a place to its inodes, by type. Returns one line for each
    place."""
    return tuple(f"{kind} namespace of {name}: {inodes.get(kind, 'none')}" for name, inodes in places.items())
