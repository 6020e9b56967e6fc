"""Finds paths that enter the machine from outside its network stack: from another machine, and from a container to its
own published port.

Whether such a request is answered also depends on rules of the packet filter. A path exists if the client can send the
request. If it is not answered, a trace shows which rule dropped it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from msgspec import UnsetType

from dashboard.core.experiments.messages import Column, PublishedPort
from dashboard.core.modes import MACHINE, NEIGHBOUR, OTHER_CONTAINER
from dashboard.core.namespaces.addresses import format_endpoint
from dashboard.core.namespaces.forwarders import DOCKER_PROXY, forwarder_name
from dashboard.core.namespaces.links import exit_link
from dashboard.core.namespaces.packet_rules import NameMatch
from dashboard.core.namespaces.resolver import is_loopback
from dashboard.core.namespaces.state import Family, NamespaceState
from dashboard.core.paths.clients.outside_clients import (
    OutsideClient,
    families_of,
    find_arrival,
    route_gateway,
    why_unreachable,
)
from dashboard.core.paths.model import (
    ANY_ADDRESS,
    Path,
    PathKind,
    VethLink,
    family_of,
    global_addresses,
    link_with,
    reachable_address,
)
from dashboard.core.paths.translations import (
    find_translation,
    held_by_another,
    listeners_on,
    mappings_of,
    translations,
    udp_port,
)

#: The TCP port of the neighbour's server.
NEIGHBOUR_PORT = 80

#: The processes that hold a port published by rootful Podman, so that no other program can bind it; netavark's rules
#: forward the packets.
PODMAN_HOLDERS = frozenset({"conmon", "podman"})
UDP_FROM_BRIDGE = (
    "over UDP docker-proxy may answer from the bridge's address, which is not the address that the container sent to"
)
NO_HAIRPIN_MODE = (
    "netavark does not enable hairpin mode on bridge ports, and Netmodes does not read whether br_netfilter requires it"
)
#: The number of hops before a rule or process that forwards: the LAN's interface, or the container's and its bridge.
_HOPS_TO_PORT = {
    PathKind.LAN_PUBLISHED: 1,
    PathKind.PEER_PUBLISHED: 1,
    PathKind.REMOTE_PUBLISHED: 1,
    PathKind.FROM_MACHINE_PUBLISHED: 1,
    PathKind.HAIRPIN: 2,
}


def leads_to_program(path: Path) -> bool:
    """Whether a path from outside leads to a program. A path to a published port leads to one only if a nat rule or a
    process forwards the request."""
    return len(path.hops) > _HOPS_TO_PORT.get(path.kind, -1)


def paths_to_host_mode(
    column: Column, machine: NamespaceState, client: OutsideClient, *, responder: bool
) -> Iterator[Path]:
    """Yields the paths from a client outside to a container in the machine's namespace. For ``responder`` see
    ``finder.find_paths``."""
    port, kind = column.port or 80, client.kinds[0]
    title = f"{client.title} to {column.title}, at the machine's address"
    if why := why_unreachable(client, machine):
        yield Path(kind, title, client.key, column.key, unavailable=why)
    for family in Family:
        match find_arrival(client, machine, family):
            case address, link:
                if not responder and (why := held_by_another(column, machine, address)):
                    yield Path(kind, title, client.key, column.key, unavailable=why)
                    continue
                hops = (client.hop(link),)
                yield Path(kind, title, client.key, column.key, family, address, port, port, port, hops=hops)


def paths_to_bridged(
    column: Column, state: NamespaceState, machine: NamespaceState, client: OutsideClient, veths: Sequence[VethLink]
) -> Iterator[Path]:
    """Yields the paths from an outside client to the container of ``column``, behind a bridge. If the client is the
    neighbour, also yields the path from the container to its own published port, so that this path is found once."""
    yield from _published(column, state, machine, client, veths)
    yield from _own_address(column, machine, client, veths)


def paths_outside_machine(
    column: Column, columns: Sequence[Column], states: Mapping[str, NamespaceState]
) -> Iterator[Path]:
    """Yields the paths that do not enter the machine's namespace: from a container to the neighbour, and over a network
    that spans both hosts of a LAN."""
    state, machine = states[column.key], states.get(MACHINE)
    if NEIGHBOUR in states:
        yield from _paths_to_neighbour(column, state, states[NEIGHBOUR])
    other = next((one for one in columns if one.key == OTHER_CONTAINER and one.key in states), None)
    if other is not None and (machine is None or state.netns != machine.netns):
        yield from _paths_over_networks(column, state, other, states[other.key])


def _paths_over_networks(
    column: Column, state: NamespaceState, other: Column, other_state: NamespaceState
) -> Iterator[Path]:
    """Yields the path from ``other``, the container on the other host, to the container of ``column``. The path leads
    over a network to which both containers are attached. Of several such networks, the first by name is used."""
    for network in sorted(column.networks.keys() & other.networks.keys() - {"bridge", "host", "none"}):
        address = column.networks[network]
        far, near = link_with(state, address), link_with(other_state, other.networks[network])
        if address and far is not None and near is not None:
            title = f"The container on the other host to {column.title}, over the network {network}"
            hops = (near.name, f"VXLAN of {network}", far.name)
            port, name = column.port or 80, column.container.name if column.container else ""
            path = Path(PathKind.REMOTE_OVERLAY, title, other.key, column.key, family_of(address), address)
            yield replace(path, port=port, udp_port=port, server_port=port, hops=hops, host_name=name)
            return


def _paths_to_neighbour(column: Column, state: NamespaceState, neighbour: NamespaceState) -> Iterator[Path]:
    """Yields the paths from a container to the neighbour's server, over each address family that both have. Requests
    over them show which source address the LAN sees. There are no paths if the neighbour has no server."""
    lan, title = exit_link(neighbour), f"{column.title} to the neighbour"
    if lan is None or all(listener.port != NEIGHBOUR_PORT for listener in neighbour.listeners):
        return
    kind, port, families = PathKind.TO_LAN, NEIGHBOUR_PORT, families_of(state)
    if not families:
        why = f"{column.title} has loopback only: nothing leads to the LAN"
        yield Path(kind, title, column.key, NEIGHBOUR, unavailable=why)
    for family in Family:
        for address in global_addresses(lan, family)[:1] if family in families else ():
            path = Path(kind, title, column.key, NEIGHBOUR, family, address, port, port, port)
            yield replace(path, hops=(f"{lan.name} (LAN)",))


def _published(
    column: Column, state: NamespaceState, machine: NamespaceState, client: OutsideClient, veths: Sequence[VethLink]
) -> Iterator[Path]:
    exists, kind = False, client.kinds[1]
    title = f"{client.title} to the published port of {column.title}"
    for family in Family:
        # A mapping for other addresses than loopback comes first.
        mappings = sorted(
            mappings_of(column, machine, family, program=state), key=lambda one: is_loopback(one.host_address)
        )
        mapping = next(iter(mappings), None)
        found = find_arrival(client, machine, family)
        if mapping is None:
            continue
        exists = True
        if found is None:
            continue
        address, link = found
        loopback = is_loopback(mapping.host_address)
        hops = (
            client.hop(link),
            *(_translated(column, machine, veths, address, mapping) or _proxied(machine, veths, address, mapping)),
        )
        udp, missing = udp_port(column, machine, veths, address)
        path = Path(kind, title, client.key, column.key, family, address, mapping.host_port, udp)
        path = replace(path, server_port=mapping.container_port, fixed=True, hops=hops, udp_missing=missing)
        yield replace(path, title=f"{title}, published on loopback only") if loopback else path
        veth = next((one for one in veths if global_addresses(one.inner, family)), None)
        if client.key != NEIGHBOUR:
            continue
        if veth is not None and mapping.host_address in {"", ANY_ADDRESS[family], address}:
            # Where docker-proxy runs, Docker's rules exclude packets from the bridge itself.
            forwarding = _proxied(machine, veths, address, mapping)
            if not forwarding or not forwarding[0].startswith(DOCKER_PROXY):
                forwarding = _translated(column, machine, veths, address, mapping) or forwarding
            own = f"{column.title} to its own published port, at the machine's address"
            listener = next(listeners_on(machine, "tcp", family, mapping.host_port, address), None)
            if listener is not None and listener.process in PODMAN_HOLDERS:
                yield Path(PathKind.HAIRPIN, own, column.key, column.key, unavailable=NO_HAIRPIN_MODE)
                continue
            hops = (veth.inner.name, veth.bridge.name, *forwarding)
            path = replace(path, kind=PathKind.HAIRPIN, title=own, client=column.key, hops=hops)
            through_proxy = udp and any(hop.startswith(DOCKER_PROXY) for hop in forwarding)
            yield replace(path, udp_port=0, udp_missing=UDP_FROM_BRIDGE) if through_proxy else path
    why = f"{column.title} publishes no port for {column.port or 80}/tcp"
    if why := why_unreachable(client, machine) if exists else why:
        yield Path(kind, title, client.key, column.key, unavailable=why)


def _translated(
    column: Column, machine: NamespaceState, veths: Sequence[VethLink], address: str, mapping: PublishedPort
) -> tuple[str, ...]:
    """Returns the hops of the nat rule that forwards from a published port at ``address`` to the container. Empty if no
    rule does."""
    family = family_of(address)
    rules, _unread = translations(column, machine, veths, family)
    rule = find_translation(rules, "tcp", address, mapping.host_port).translation
    if rule is None:
        return ()
    ends = (format_endpoint(address, mapping.host_port), format_endpoint(rule.to_address, rule.to_port))
    hops = next((veth.hops for veth in veths if rule.to_address in global_addresses(veth.inner, family)), ())
    return (f"DNAT {' → '.join(ends)}", *hops)


def _proxied(
    machine: NamespaceState, veths: Sequence[VethLink], address: str, mapping: PublishedPort
) -> tuple[str, ...]:
    """Returns the hops through the process that listens on a published port and forwards. Empty if no process listens,
    or if the listener only holds the port: dockerd in an Engine without docker-proxy, or a process of Podman."""
    listener = next(listeners_on(machine, "tcp", family_of(address), mapping.host_port, address), None)
    if listener is None or listener.process in {"dockerd", *PODMAN_HOLDERS}:
        return ()
    name = forwarder_name(listener.process) or listener.process or "a process"
    return (f"{name} :{mapping.host_port} (user space)", *(veths[0].hops if veths else ()))


def _own_address(
    column: Column, machine: NamespaceState, client: OutsideClient, veths: Sequence[VethLink]
) -> Iterator[Path]:
    kind, title = client.kinds[2], f"{client.title} to {column.title}'s own address"
    port = column.port or 80
    for family in Family:
        found = find_arrival(client, machine, family)
        for veth in veths:
            address = reachable_address(veth, family)
            if address is None or found is None:
                continue
            if why := _why_dropped(column, machine, veth, address, found[1].name):
                yield Path(kind, title, client.key, column.key, unavailable=why)
            elif route_gateway(client.lan, address) == found[0]:
                hops = (client.hop(found[1]), *veth.hops)
                routed = f"{title}, with a route through the machine"
                # It is fixed, because the Engine's rules may accept only the published port.
                yield Path(kind, routed, client.key, column.key, family, address, port, port, port, True, hops)
            else:
                yield Path(kind, title, client.key, column.key, unavailable=_why_no_route(client, address))
            return


def _why_dropped(column: Column, machine: NamespaceState, veth: VethLink, address: str, link: str) -> str:
    """Returns why the machine forwards no request that arrives on ``link`` to a container's address. Empty if no rule
    that drops it was read."""
    if isinstance(machine.firewall, UnsetType):
        return ""
    port = column.port or 80
    published = any((one.container_port, one.protocol) == (port, "tcp") for one in column.published) or any(
        (one.to_address, one.to_port) == (address, port) for one in machine.firewall.translations
    )
    closed = any(
        (bridge.family, bridge.name) == (family_of(address), veth.bridge.name)
        and not any(NameMatch(name).matches(link) for name in bridge.open_from)
        for bridge in machine.firewall.closed_bridges
    )
    if closed and not published:
        return f"a filter rule drops requests from {link} to {veth.bridge.name}, and {port}/tcp is not published"
    drops = machine.firewall.direct_drops
    names = [NameMatch(name) for drop in drops if drop.address == address for name in drop.interfaces]
    if not names or any(name.matches(link) for name in names):
        return ""
    return (
        f"a rule of the machine drops packets for {address} that arrive on {link}: Docker permits direct routing with "
        f"dockerd --allow-direct-routing, with gateway mode nat-unprotected or routed, or from an interface in the "
        f"network's option trusted_host_interfaces"
    )


def _why_no_route(client: OutsideClient, address: str) -> str:
    if route_gateway(client.lan, address) == "":
        return f"{address} is in a subnet of {client.noun} itself: the request would reach a container there"
    return f"{client.noun} has no route to {address} through the machine"
