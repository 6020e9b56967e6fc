"""Finds every path that a request can take to the server of a column, from the observed states.

A path exists only where the state proves it: a veth pair by the peer indexes of its ends, docker-proxy by its listening
socket, DNAT by a nat rule. A path that does not exist is returned with the reason.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from msgspec import UnsetType

from dashboard.core.experiments.messages import ArmStatus, Column
from dashboard.core.modes import MACHINE, OBSERVERS, SHOWN_ONLY, Mode
from dashboard.core.namespaces.addresses import primary_addresses
from dashboard.core.namespaces.links import SUB_INTERFACES, is_tapped, lower_link, outer_end
from dashboard.core.namespaces.state import Family, Interface, NamespaceState
from dashboard.core.namespaces.visibility import name_machine, not_visible
from dashboard.core.paths.clients.machines import MachineClient, machine_clients, missing_clients
from dashboard.core.paths.clients.outside_clients import outside_clients
from dashboard.core.paths.clients.overlay import overlay_paths
from dashboard.core.paths.model import (
    FILTERED_KINDS,
    LOOPBACK_ADDRESSES,
    MEASURED_KINDS,
    Path,
    PathKind,
    VethLink,
    describe_bridge_elsewhere,
    family_of,
    first_available,
    global_addresses,
    link_with,
    reachable_address,
    veth_links,
)
from dashboard.core.paths.outside import leads_to_program, paths_outside_machine, paths_to_bridged, paths_to_host_mode
from dashboard.core.paths.published import published_paths
from dashboard.core.paths.translations import held_by_another

#: The networks of Docker and of Podman on which names of containers do not resolve.
DEFAULT_BRIDGES = frozenset({"bridge", "podman"})
_NOT_PUBLISHING = frozenset({"none", "container", "macvlan", "ipvlan", "ns"})


def _open_path(
    kind: PathKind, title: str, client: str, column: Column, address: str, hops: tuple[str, ...], host_name: str = ""
) -> Path:
    """Returns a path on which every port of the server's namespace can be reached."""
    port = column.port or 80
    family = family_of(address)
    return Path(kind, title, client, column.key, family, address, port, port, port, hops=hops, host_name=host_name)


def _path_in_machine(
    kind: PathKind, title: str, column: Column, machine: NamespaceState, address: str, link: str, *, responder: bool
) -> Path:
    """Returns the path from the machine to a container in its namespace, over the loopback interface ``link``. Unless
    the responder of Netmodes answers, it is unavailable if another program holds the container's port."""
    if not responder and (why := held_by_another(column, machine, address)):
        return Path(kind, title, MACHINE, column.key, unavailable=why)
    return _open_path(kind, title, MACHINE, column, address, (link,))


def _paths_in_machine(column: Column, machine: NamespaceState, *, responder: bool) -> Iterator[Path]:
    """Yields the paths to a container in the machine's namespace: over loopback and over primary addresses."""
    lo = next((link for link in machine.interfaces if link.kind == "loopback"), None)
    own = primary_addresses(machine)
    for family, address in LOOPBACK_ADDRESSES.items():
        if lo is None:
            break
        if any(assigned.address == address for assigned in lo.addresses):
            title = f"{address} to {column.title}"
            yield _path_in_machine(PathKind.LOOPBACK, title, column, machine, address, lo.name, responder=responder)
        outer = next((address for address in own if family_of(address) is family), None)
        if outer is not None:
            title, kind = f"The machine's address to {column.title}", PathKind.MACHINE_ADDRESS
            yield _path_in_machine(kind, title, column, machine, outer, lo.name, responder=responder)
    if column.asked and not column.published:
        why = f"the Engine discarded -p: {column.title} uses the machine's own ports"
        yield Path(PathKind.PUBLISHED_DNAT, f"Published port of {column.title}", MACHINE, column.key, unavailable=why)


def _why_no_bridge_address(
    column: Column, state: NamespaceState, machine: NamespaceState, veths: Sequence[VethLink]
) -> str:
    direct = next((link for link in state.interfaces if link.kind in SUB_INTERFACES), None)
    if direct is not None:
        parent = lower_link(machine, state, direct)
        return (
            f"{column.title} is a {direct.kind} on {parent.name if parent else 'an interface of the machine'}: the "
            f"kernel passes nothing between a {direct.kind} and the machine through the parent interface"
        )
    if is_tapped(state):
        return f"{column.title} has a tap device, served by a program of the machine: no link leads to it"
    if all(link.kind == "loopback" for link in state.interfaces):
        return f"{column.title} has loopback only: no interface leads to it"
    bridge = next((link.bridge.name for link in veths), "")
    if bridge:
        return f"the bridge {bridge} has no address in the subnet of {column.title}: the machine has no route to it"
    return f"no observed veth pair joins {column.title} to a bridge with an address in its subnet"


def _bridge_address(
    column: Column, state: NamespaceState, machine: NamespaceState, veths: Sequence[VethLink], elsewhere: str
) -> Iterator[Path]:
    kind, title = PathKind.BRIDGE_ADDRESS, f"The machine to {column.title}'s address"
    exists = False
    for family in Family:
        pairs = [(address, veth) for veth in veths if (address := reachable_address(veth, family)) is not None]
        for number, (address, veth) in enumerate(pairs, 1):
            exists = True
            where = f" on {veth.bridge.name}" if len(pairs) > 1 else ""
            path = _open_path(kind, f"{title}{where}", MACHINE, column, address, veth.hops)
            yield replace(path, network=number)
    if not exists:
        why = elsewhere or _why_no_bridge_address(column, state, machine, veths)
        yield Path(kind, title, MACHINE, column.key, unavailable=why)


def _hops_between(
    machine: NamespaceState | None,
    server: NamespaceState,
    server_link: Interface,
    client: NamespaceState,
    client_link: Interface,
) -> tuple[str, ...]:
    """Returns the hops from ``client_link`` to ``server_link``, the links of two containers on the same network."""
    if server_link.kind in SUB_INTERFACES:
        parent = lower_link(machine, server, server_link) if machine is not None else None
        middle = parent.name if parent is not None else "the parent interface"
        return (f"{client_link.name} ({client_link.kind})", middle, f"{server_link.name} ({server_link.kind})")
    if machine is None:
        return (client_link.name, server_link.name)
    near, far = outer_end(machine, client, client_link), outer_end(machine, server, server_link)
    names = [client_link.name]
    names += [near.name, near.master or ""] if near is not None else []
    names += [far.name] if far is not None else []
    return tuple(name for name in (*names, server_link.name) if name)


def _between(column: Column, running: Sequence[Column], states: Mapping[str, NamespaceState]) -> Iterator[Path]:
    """Yields the paths to a column from other containers. For each network of the column, the client is the first other
    container on that network. If Docker resolves names there, the path uses the name of the column's container."""
    kind, state = PathKind.CONTAINER_TO_CONTAINER, states[column.key]
    found = dict.fromkeys(Family, 0)
    for network, assigned in column.networks.items():
        server_link = link_with(state, assigned) if assigned else None
        if server_link is None:
            continue
        by_name = network not in DEFAULT_BRIDGES
        where = f"on the network {network}" if by_name else "on the default bridge"
        peers = (
            other
            for other in running
            if other.key != column.key and other.networks.get(network) and states[other.key].netns != state.netns
        )
        peer = next(peers, None)
        client_link = None if peer is None else link_with(states[peer.key], peer.networks[network])
        if peer is None or client_link is None:
            title = f"Another container to {column.title}, {where}"
            why = f"this path needs a second container {where}, and none was observed"
            yield Path(kind, title, column.key, column.key, unavailable=why)
            continue
        name = column.container.name if by_name and column.container else ""
        title = f"{peer.title} to {column.title}, {where}{', by name' if name else ''}"
        hops = _hops_between(states.get(MACHINE), state, server_link, states[peer.key], client_link)
        for family in Family:
            addresses = [assigned] if family_of(assigned) is family else global_addresses(server_link, family)
            if addresses and (family_of(assigned) is family or global_addresses(client_link, family)):
                why = _why_dropped(states.get(MACHINE), state, server_link, family)
                if not why:
                    found[family] += 1
                    path = _open_path(kind, title, peer.key, column, addresses[0], hops, name)
                    yield replace(path, network=found[family])
                elif family_of(assigned) is family:
                    yield Path(kind, title, peer.key, column.key, unavailable=why)


def _invisible_path(column: Column) -> Path:
    host = column.mode == Mode.HOST
    kind = PathKind.LOOPBACK if host else PathKind.BRIDGE_ADDRESS
    title = f"127.0.0.1 to {column.title}" if host else f"The machine to {column.title}'s address"
    return Path(kind, title, MACHINE, column.key, unavailable=not_visible(column.invisible))


def _why_dropped(machine: NamespaceState | None, server: NamespaceState, link: Interface, family: Family) -> str:
    """Returns why packets between two containers on the bridge of ``link`` are dropped; empty if no rule drops them."""
    if machine is None or isinstance(machine.firewall, UnsetType):
        return ""
    bridge = next((veth.bridge.name for veth in veth_links(machine, server) if veth.inner == link), "")
    if not machine.firewall.isolates(bridge, family):
        return ""
    return f"a filter rule drops what one container on {bridge} sends to another (Docker's option icc=false)"


def find_paths(
    columns: Sequence[Column],
    states: Mapping[str, NamespaceState],
    machines: Sequence[MachineClient] = (),
    *,
    responder: bool = False,
) -> tuple[Path, ...]:
    """Returns every path to every running arm, and the paths from arms to the neighbour's server. Paths that do not
    exist are included with the reason. ``machines`` are other machines of the installation that send requests, too.
    ``responder`` is true if the responder of Netmodes will answer instead of the containers' programs: in the machine's
    namespace it listens on any free port, so it does not matter which program holds the container's port.

    Several paths may have the same ``key``; ``first_available`` chooses one of them.
    """
    machine, clients = states.get(MACHINE), (*outside_clients(states), *machine_clients(machines))
    arms = {one.name: one.arm for one in machines if one.arm is not None}
    paths: list[Path] = []
    running = [
        column
        for column in columns
        if column.key not in OBSERVERS and column.status is ArmStatus.RUNNING and column.key in states
    ]
    paths += [
        _invisible_path(column)
        for column in columns
        if column.key not in OBSERVERS and column.status is ArmStatus.RUNNING and column.invisible
    ]
    by_key = {column.key: column for column in running}
    loopback = LOOPBACK_ADDRESSES[Family.INET]
    for column in running:
        state = states[column.key]
        if machine is not None and state.netns == machine.netns:
            paths += _paths_in_machine(column, machine, responder=responder)
            for client in clients:
                paths += paths_to_host_mode(column, machine, client, responder=responder)
            paths += paths_outside_machine(column, columns, states)
            continue
        title = f"{loopback} inside {column.title}"
        paths.append(_open_path(PathKind.INSIDE, title, column.key, column, loopback, ("lo",)))
        if machine is not None:
            veths = veth_links(machine, state)
            paths += _bridge_address(column, state, machine, veths, describe_bridge_elsewhere(column, states))
            # A bridge that a macvlan or ipvlan container is attached to, too, may publish its ports.
            if column.mode not in _NOT_PUBLISHING or (column.mode in SUB_INTERFACES and column.published):
                paths += published_paths(column, state, machine, veths)
                for client in clients:
                    paths += paths_to_bridged(column, state, machine, client, veths)
        target = by_key.get(column.target or "")
        if target is not None and states[target.key].netns == state.netns:
            title = f"{loopback} from {target.title} to {column.title}, in their shared network stack"
            paths.append(_open_path(PathKind.SHARED_NAMESPACE, title, target.key, column, loopback, ("lo",)))
        paths += _between(column, running, states)
        paths += paths_outside_machine(column, columns, states)
        paths += overlay_paths(column, state, arms)
    paths += missing_clients(machines, columns)
    title = next((column.title for column in columns if column.key == MACHINE), "")
    return tuple(
        replace(path, title=name_machine(path.title, title), unavailable=name_machine(path.unavailable, title))
        for path in paths
    )


def measured_paths(
    columns: Sequence[Column],
    states: Mapping[str, NamespaceState],
    machines: Sequence[MachineClient] = (),
    *,
    responder: bool = False,
) -> tuple[Path, ...]:
    """Returns the paths that measurements and diagrams show, one for each ``key``. Paths through the machine's packet
    filter (``FILTERED_KINDS``) are included only over IPv4, and only if they lead to a program or are unavailable. For
    ``machines`` and ``responder`` see ``find_paths``."""
    paths = (
        path
        for path in find_paths(columns, states, machines, responder=responder)
        if path.kind in MEASURED_KINDS
        and (
            path.kind not in FILTERED_KINDS
            or (path.family is Family.INET and (path.unavailable or leads_to_program(path)))
        )
    )
    return first_available(paths, lambda path: path.key)


def resolver_paths(columns: Sequence[Column], states: Mapping[str, NamespaceState]) -> tuple[Path, ...]:
    """Returns the paths from each column to the first name server of its resolv.conf, for the probe ``dns``."""
    paths = []
    for column in columns:
        if column.key not in states or (column.key != MACHINE and column.status is not ArmStatus.RUNNING):
            continue
        if column.key in SHOWN_ONLY:
            continue
        resolver = states[column.key].resolver
        kind, title = PathKind.RESOLVER, f"{column.title} to its own resolver"
        if resolver is None or not resolver.nameservers:
            why = f"{column.title} has no name server in its resolv.conf"
            paths.append(Path(kind, title, column.key, column.key, unavailable=why))
            continue
        server = resolver.nameservers[0]
        hops = (f"resolv.conf: {server} ({resolver.origin})",)
        paths.append(
            Path(kind, title, column.key, column.key, family_of(server), server, 0, 53, 53, fixed=True, hops=hops)
        )
    return tuple(paths)
