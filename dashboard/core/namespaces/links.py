"""Relations between links: the two ends of a veth pair, and a sub-interface with the link below it.

Source: IFLA_LINK and IFLA_LINK_NETNSID in rtnetlink(7). A link in another namespace is identified by its index in that
namespace, and by the namespace. Indexes alone are ambiguous, because every namespace counts its links from 1.
"""

import re
from collections.abc import Iterable

from msgspec import UNSET

from dashboard.core.namespaces.state import Family, Interface, NamespaceState, Route

SUB_INTERFACES = frozenset({"macvlan", "ipvlan"})
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


def veth_ends(machine: NamespaceState, inside: NamespaceState) -> tuple[tuple[Interface, Interface], ...]:
    """Returns the veth pairs between two namespaces as pairs (end on the machine, end inside). The ends of a pair have
    each other's index as peer.

    The end inside may have been read before the machine's namespace was known, and then does not name that namespace.
    The end on the machine is enough in this case, because an index is unique within its namespace.
    """
    by_index = {interface.index: interface for interface in machine.interfaces}
    pairs = []
    for end in inside.interfaces:
        other = by_index.get(_peer_index(end))
        if (
            other is not None
            and _peer_index(other) == end.index
            and other.peer_netns in {UNSET, 0, inside.netns}
            and (end.peer_netns in {UNSET, machine.netns} or (end.peer_netns == 0 and other.peer_netns == inside.netns))
        ):
            pairs.append((other, end))
    return tuple(pairs)


def _peer_index(link: Interface) -> int:
    """Returns the index of the peer of a veth interface; 0 if the link is no veth interface or the index is not
    known."""
    number = link.peer.removeprefix("if") if link.kind == "veth" and link.peer else ""
    return int(number) if link.peer == f"if{number}" and number.isdecimal() else 0


def outer_end(machine: NamespaceState, inside: NamespaceState, link: Interface) -> Interface | None:
    """Returns the machine's end of a veth pair; None if it is not known. ``link`` is the end in the namespace
    ``inside``."""
    return next((outer for outer, inner in veth_ends(machine, inside) if inner == link), None)


def is_cable(interface: Interface) -> bool:
    """Whether the link is a veth interface with only link-local addresses. The diagram draws it as an edge, not as a
    box."""
    return interface.kind == "veth" and all(address.scope == "link" for address in interface.addresses)


def describe_master(port: Interface, links: Iterable[Interface]) -> str:
    """Returns the kind and the name of the link of which ``port`` is a port: ``bridge docker0`` or ``bond bond0``. If
    that link is not one of ``links``, it is called a bridge. Empty if the interface is no port."""
    kind = next((link.kind for link in links if link.name == port.master), "bridge")
    return f"{kind} {port.master}" if port.master else ""


def default_routes(routes: Iterable[Route]) -> list[Route]:
    """Returns the default routes that have an interface, in the order in which the kernel prefers them: by metric. IPv4
    is first."""
    found = (route for route in routes if route.destination == "default" and route.interface)
    return sorted(found, key=lambda route: (route.family is not Family.INET, _metric(route)))


def _metric(route: Route) -> int:
    """Returns the metric of a route, the kernel's default if it has none: 0 for IPv4, 1024 for IPv6
    (IP6_RT_PRIO_USER)."""
    if route.metric is not None:
        return route.metric
    return 0 if route.family is Family.INET else 1024


def exit_link(state: NamespaceState) -> Interface | None:
    """Returns the interface that connects a machine to its LAN: that of the preferred default route. None if there is
    no default route."""
    links = {link.name: link for link in state.interfaces}
    return next((links[route.interface] for route in default_routes(state.routes) if route.interface in links), None)


def parent_link(links: Iterable[Interface], routes: Iterable[Route]) -> Interface | None:
    """Returns the machine's link on which macvlan and ipvlan networks are based: the Ethernet link with the preferred
    default route. None if no such link exists.

    The kernel accepts Ethernet links without a master, also bridges (macvlan_port_create, ipvlan_port_create). Links
    without a MAC address, such as tun, ppp and wireguard, are no Ethernet links.
    """
    parents = {
        link.name: link for link in links if _MAC.fullmatch(link.mac) and link.kind != "loopback" and not link.master
    }
    return next((parents[route.interface] for route in default_routes(routes) if route.interface in parents), None)


def is_tapped(state: NamespaceState) -> bool:
    """Whether the only link other than loopback is a tap device, which pasta or slirp4netns serves in user space. Links
    without an address are ignored, because kernels add some to each namespace (sit0, tunl0)."""
    return {link.kind for link in state.interfaces if link.addresses or link.kind == "tun"} - {"loopback"} == {"tun"}


def lower_link(machine: NamespaceState, inside: NamespaceState, interface: Interface) -> Interface | None:
    """Returns the machine's link on which a macvlan or ipvlan interface of the namespace ``inside`` is based; None if
    it is not known. In the machine's own namespace, the link is found by its name. From another namespace, it is found
    by its index."""
    if interface.kind not in SUB_INTERFACES or not interface.peer:
        return None
    number = interface.peer.removeprefix("if")
    if inside.netns != machine.netns and number.isdecimal():
        if interface.peer_netns not in {UNSET, machine.netns}:
            return None
        return next((link for link in machine.interfaces if link.index == int(number)), None)
    return next((link for link in machine.interfaces if link.name == interface.peer), None)
