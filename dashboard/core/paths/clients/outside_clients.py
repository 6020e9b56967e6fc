"""Clients outside the machine's network stack, and the addresses of the machine to which they send requests."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass

from dashboard.core.modes import NEIGHBOUR, OTHER_CONTAINER, OTHER_HOST
from dashboard.core.namespaces.links import exit_link
from dashboard.core.namespaces.state import Family, Interface, NamespaceState, Route
from dashboard.core.paths.model import PathKind, global_addresses


@dataclass(frozen=True, slots=True)
class OutsideClient:
    """A client outside the machine.

    ``lan`` is the network stack from which its requests leave for the machine: the client's own stack or, for a
    container, the stack of its host. ``families`` are the address families in which the client has an address.
    ``kinds`` are the kinds of the client's paths, in this order: to a container in host mode, to a published port, and
    to a container's own address. ``noun`` is the name of the client, or of its host, in a sentence.

    If ``is_routed`` is false, the client is on the machine's LAN. If it is true, the client may be in another network,
    and its routes decide which addresses of the machine it reaches. If it reaches none, its paths are shown with the
    reason."""

    key: str
    title: str
    lan: NamespaceState
    families: frozenset[Family]
    kinds: tuple[PathKind, PathKind, PathKind]
    noun: str
    is_routed: bool = False

    def hop(self, link: Interface) -> str:
        """Returns the text of the first hop: the interface of the machine on which the request arrives (``link``), and
        in parentheses where it comes from."""
        return f"{link.name} (from {self.noun})" if self.is_routed else f"{link.name} (LAN)"


_CLIENTS = (
    (
        NEIGHBOUR,
        "The neighbour",
        "the neighbour",
        (PathKind.LAN_ADDRESS, PathKind.LAN_PUBLISHED, PathKind.LAN_CONTAINER),
    ),
    (
        OTHER_HOST,
        "The other host",
        "the other host",
        (PathKind.PEER_ADDRESS, PathKind.PEER_PUBLISHED, PathKind.PEER_CONTAINER),
    ),
    (
        OTHER_CONTAINER,
        "The container on the other host",
        "the other host",
        (PathKind.REMOTE_ADDRESS, PathKind.REMOTE_PUBLISHED, PathKind.REMOTE_CONTAINER),
    ),
)


def outside_clients(states: Mapping[str, NamespaceState]) -> tuple[OutsideClient, ...]:
    """Returns the clients on the machine's LAN. ``states`` are the states of all columns by key."""
    hosts = {key: states.get(OTHER_HOST if key == OTHER_CONTAINER else key) for key, *_rest in _CLIENTS}
    return tuple(
        OutsideClient(key, title, lan, families_of(states[key]), kinds, noun)
        for key, title, noun, kinds in _CLIENTS
        if key in states and (lan := hosts[key]) is not None
    )


def families_of(state: NamespaceState) -> frozenset[Family]:
    """Returns the address families in which a network stack has a global address."""
    return frozenset(family for family in Family if any(global_addresses(link, family) for link in state.interfaces))


def find_arrival(client: OutsideClient, machine: NamespaceState, family: Family) -> tuple[str, Interface] | None:
    """Returns the machine's address to which a client sends requests, and the machine's interface with that address.
    None if the client reaches no address of the family."""
    if family not in client.families:
        return None
    if not client.is_routed:
        return lan_address(machine, client.lan, family)
    reached = [
        (route.gateway is not None, address, link)
        for link in own_links(machine)
        for address in global_addresses(link, family)
        if not find_obstacle(client, address) and (route := find_route(client.lan, address)) is not None
    ]
    best = min(reached, key=lambda one: one[0], default=None)  # without a gateway, the path is shorter
    return None if best is None else best[1:]


def why_unreachable(client: OutsideClient, machine: NamespaceState) -> str:
    """Returns why the routes of a client lead to no address of the machine; empty if they lead to one. Also empty for a
    client on the machine's LAN (``is_routed`` is false), which needs no route."""
    if not client.is_routed or any(find_arrival(client, machine, family) for family in Family):
        return ""
    addresses = [
        address for family in Family for link in own_links(machine) for address in global_addresses(link, family)
    ]
    obstacles = dict.fromkeys(find_obstacle(client, address) for address in addresses)
    return "; ".join(filter(None, obstacles)) or f"{client.noun} can reach no observed address of the machine"


def find_obstacle(client: OutsideClient, address: str) -> str:
    """Returns why the routes of a client do not lead to an address of the machine; empty if they do."""
    if any(one.address == address for link in client.lan.interfaces for one in link.addresses):
        return f"{address} is also an address of {client.noun}"
    if find_route(client.lan, address) is None:
        return f"{client.noun} has no route to {address}"
    if bridge := bridge_around(client.lan, address):
        return f"{address} is in the subnet of {bridge} on {client.noun}: the request would reach a container there"
    return ""


def bridge_around(state: NamespaceState, address: str) -> str:
    """Returns the name of the machine's bridge whose subnet contains the address: a container of this machine may have
    that address. Empty if there is no such bridge. The bridge with the default route is left out, because its subnet is
    the LAN."""
    route = find_route(state, address)
    if route is None or route.gateway:
        return ""
    link = next((interface for interface in state.interfaces if interface.name == route.interface), None)
    return link.name if link is not None and link.kind == "bridge" and link != exit_link(state) else ""


def own_links(machine: NamespaceState) -> list[Interface]:
    """Returns the machine's links whose addresses other machines may reach, that of the default route first. Bridges
    are left out, because the bridges of every Docker host may have the same subnets."""
    first = exit_link(machine)
    others = [link for link in machine.interfaces if link.kind not in {"loopback", "bridge"} and link != first]
    return [*([first] if first is not None else []), *others]


def lan_address(machine: NamespaceState, outside: NamespaceState, family: Family) -> tuple[str, Interface] | None:
    """Returns the machine's address on the LAN of another machine, and the interface with that address. None if the
    machine has no such address. ``outside`` is the state of the other machine. The LAN's subnets are those of its
    interface with the default route. Its other subnets are ignored, because the bridges of every Docker host may have
    the same."""
    lan = exit_link(outside)
    subnets = [
        ipaddress.ip_network(f"{one.address}/{one.prefix}", strict=False)
        for one in (lan.addresses if lan is not None else ())
        if one.family == family and one.scope == "global"
    ]
    for link in machine.interfaces:
        for address in global_addresses(link, family):
            if any(ipaddress.ip_address(address) in subnet for subnet in subnets):
                return address, link
    return None


def route_gateway(state: NamespaceState, address: str) -> str | None:
    """Returns the gateway of the most specific route to an address. Empty if the route has no gateway, None if there is
    no route."""
    route = find_route(state, address)
    return None if route is None else route.gateway or ""


def find_route(state: NamespaceState, address: str) -> Route | None:
    """Returns the most specific route to an address; of several, the one with the lowest metric. None if there is no
    route."""
    target = ipaddress.ip_address(address)
    best: tuple[int, int, Route] | None = None
    for route in state.routes:
        if route.destination == "default":
            length = 0 if (route.family == Family.INET6) is (target.version == 6) else -1
        else:
            network = ipaddress.ip_network(route.destination, strict=False)
            length = network.prefixlen if target in network else -1
        rank = (length, -(route.metric or 0))
        if length >= 0 and (best is None or rank > best[:2]):
            best = (*rank, route)
    return best[2] if best is not None else None
