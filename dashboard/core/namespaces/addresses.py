"""Formats addresses, and finds the primary addresses of a network stack."""

from dashboard.core.namespaces.links import default_routes
from dashboard.core.namespaces.state import NamespaceState


def bracket(address: str) -> str:
    """Returns the address as it is written before a port: an IPv6 address in brackets."""
    return f"[{address}]" if ":" in address else address


def format_endpoint(address: str, port: int) -> str:
    """Returns address and port as text: ``192.0.2.1:80`` or ``[2001:db8::1]:80``. An IPv4 address that is mapped into
    IPv6 is written as IPv4."""
    return f"{bracket(address.removeprefix('::ffff:') if '.' in address else address)}:{port}"


def address_of(endpoint: str) -> str:
    """Returns the address of an endpoint, without brackets: ``2001:db8::1`` of ``[2001:db8::1]:80``. Empty if the text
    has no port."""
    return endpoint.rpartition(":")[0].strip("[]")


def primary_addresses(state: NamespaceState) -> tuple[str, ...]:
    """Returns the global addresses of the interface of the preferred default route. Without a default route, those of
    all interfaces other than loopback, bridges and veth interfaces."""
    default = next(iter(default_routes(state.routes)), None)
    links = (
        [interface for interface in state.interfaces if interface.name == default.interface]
        if default is not None
        else [interface for interface in state.interfaces if interface.kind not in {"loopback", "bridge", "veth"}]
    )
    return tuple(a.address for link in links for a in link.addresses if a.scope == "global")
