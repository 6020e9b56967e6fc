"""Addresses as text, and the primary addresses of a network stack."""

from dashboard.core.namespaces.state import NamespaceState


def bracket(address: str) -> str:
    """The address as it is written before a port: IPv6 in brackets."""
    return f"[{address}]" if ":" in address else address


def format_endpoint(address: str, port: int) -> str:
    """Address and port as text: ``192.0.2.1:80`` or ``[2001:db8::1]:80``; an IPv4 address mapped into IPv6 is shown as
    IPv4."""
    return f"{bracket(address.removeprefix('::ffff:') if '.' in address else address)}:{port}"


def primary_addresses(state: NamespaceState) -> tuple[str, ...]:
    """The global addresses of the interface that holds the default route; without one, of all links that are not
    loopback, bridge or veth."""
    default = next((r.interface for r in state.routes if r.destination == "default" and r.interface), None)
    links = (
        [interface for interface in state.interfaces if interface.name == default]
        if default
        else [interface for interface in state.interfaces if interface.kind not in {"loopback", "bridge", "veth"}]
    )
    return tuple(a.address for link in links for a in link.addresses if a.scope == "global")
