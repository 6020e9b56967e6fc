"""Cells of the sections that show a network stack: identity, interfaces, routes and sysctls."""

from dashboard.core.comparison.cells import Cell, Cells, ObservedColumns, RowKey
from dashboard.core.experiments.messages import Column
from dashboard.core.modes import OBSERVERS, PODMAN_MODES, Mode
from dashboard.core.namespaces.addresses import primary_addresses
from dashboard.core.namespaces.links import describe_master, is_cable, lower_link
from dashboard.core.namespaces.state import Interface, NamespaceState, Route

NAMESPACE_TITLES = {
    "mnt": "Mounts (mnt)",
    "pid": "Processes (pid)",
    "ipc": "System V IPC (ipc)",
    "uts": "Host name (uts)",
    "cgroup": "Control groups (cgroup)",
    "user": "Users (user)",
}


def identity_cells(observed: ObservedColumns, column: Column, state: NamespaceState) -> Cells:
    """Yields the cells of the network namespace, the addresses, the host name and the other namespaces."""
    yield RowKey("identity", "netns", "", "Network namespace", (0,)), Cell(str(state.netns))
    own = tuple(address for address in column.networks.values() if address)
    if column.mode in PODMAN_MODES and not own and not observed.shares_machine(column.key):
        own = primary_addresses(state)  # the Engine's API reports none
    key = RowKey("identity", "address", "", "Own address", (1,))
    if column.key in OBSERVERS:
        addresses = primary_addresses(state)
        yield key, Cell(", ".join(addresses) or None, absent="none")
    elif own:
        yield key, Cell(", ".join(own))
    else:
        shared = observed.shares_machine(column.key)
        absent = observed.name_machine("none: uses the machine's") if shared else "none"
        if column.mode == Mode.CONTAINER and not shared:
            absent = f"none: uses the address of {column.target or 'its target'}"
        yield key, Cell(None, absent=absent)
    yield (
        RowKey("identity", "hostname", "", "Host name", (2,)),
        Cell(state.hostname or None, _normalised_hostname(column, state), absent="unknown"),
    )
    machine = observed.machine
    for number, (name, title) in enumerate(NAMESPACE_TITLES.items()):
        inode = state.namespaces.get(name)
        if inode is None:
            continue
        shared = machine is not None and machine.namespaces.get(name) == inode
        text = observed.name_machine("the machine's") if shared else "its own"
        yield (
            RowKey("identity", f"namespace {name}", "", title, (3, number)),
            Cell(text, note=str(inode)),
        )


def _normalised_hostname(column: Column, state: NamespaceState) -> str | None:
    """Returns the text that is compared in place of the host name; None if the host name itself is compared. All names
    that Docker generates from container ids have the same text, so that they count as equal."""
    generated = column.container is not None and state.hostname and column.container.id.startswith(state.hostname)
    return "the container id" if generated else None


def _interface_key(
    observed: ObservedColumns, state: NamespaceState, interface: Interface
) -> tuple[str, tuple[int | str, ...]]:
    if interface.kind == "veth" and observed.machine is not None and state.netns == observed.machine.netns:
        owner = observed.veth_owner(interface.index)
        if owner is not None:
            return f"veth to {owner}", (3, owner)
        if is_cable(interface):
            return interface.name, (4, interface.name)
    order = {"loopback": 0, "bridge": 2}.get(interface.kind, 1)
    return interface.name, (order, interface.name)


def interface_cells(observed: ObservedColumns, column: Column, state: NamespaceState) -> Cells:
    """Yields the cells of each interface: its kind and state, addresses, MTU, MAC address, and what the interface is
    joined to, such as a bridge or a veth peer."""
    for interface in state.interfaces:
        key, rank = _interface_key(observed, state, interface)
        renamed = key != interface.name

        def row(field: str, label: str, order: int, key: str = key, rank: tuple[int | str, ...] = rank) -> RowKey:
            return RowKey("interfaces", key, field, f"{key} {label}", (*rank, order))

        state_text = f"{interface.kind}, {'up' if interface.up else 'down'}"
        yield row("link", "link", 0), Cell(state_text, note=interface.name if renamed else "")
        addresses = [f"{a.address}/{a.prefix}" for a in interface.addresses]
        meaningful = [f"{a.address}/{a.prefix}" for a in interface.addresses if a.scope != "link"]
        yield (
            row("addresses", "addresses", 1),
            Cell("\n".join(addresses) or None, "\n".join(meaningful) or "link-local only", absent="no address"),
        )
        yield row("mtu", "MTU", 2), Cell(str(interface.mtu))
        if interface.kind != "loopback" and interface.mac:
            yield row("mac", "MAC", 3), Cell(interface.mac, "a MAC address")
        if interface.master or interface.peer:
            yield row("joined", "joined to", 4), _joined(observed, column, state, interface)


def _joined(observed: ObservedColumns, column: Column, state: NamespaceState, interface: Interface) -> Cell:
    # A replay passes one interface at a time in ``state``.
    links = observed.states[column.key].interfaces
    parts = [describe_master(interface, links)] if interface.master else []
    normalised = list(parts)
    if interface.peer and interface.kind == "veth":
        parts.append(f"veth peer {observed.veth_peer(state, interface) or interface.peer}")
        normalised.append("veth")
    elif interface.peer:
        lower = lower_link(observed.machine, state, interface) if observed.machine is not None else None
        where = observed.name_machine("of this machine")
        parts.append(f"on {lower.name} {where}" if lower is not None else f"on {interface.peer}")
        normalised.append(f"on {interface.peer if lower is None else lower.name}")
    return Cell(", ".join(parts), ", ".join(normalised))


def _route_text(route: Route) -> str:
    parts = [f"via {route.gateway}"] if route.gateway else []
    parts += [f"dev {route.interface}"] if route.interface else []
    parts += [f"src {route.source}"] if route.source else []
    parts += [f"metric {route.metric}"] if route.metric else []
    return " ".join(parts) or "unreachable"


def route_cells(observed: ObservedColumns, column: Column, state: NamespaceState) -> Cells:
    """Yields a cell for each destination in the routing table. Several routes to one destination are lines of one
    cell."""
    grouped: dict[tuple[str, str], list[Route]] = {}
    for route in state.routes:
        grouped.setdefault((route.family, route.destination), []).append(route)
    for (family, destination), routes in grouped.items():
        label = f"{'IPv6 ' if family == 'inet6' else ''}{destination}"
        rank = (0 if family == "inet" else 1, 0 if destination == "default" else 1, destination)
        named = (network_of_link(column, state, one.interface) for one in routes if destination == "default")
        networks = [name for name in dict.fromkeys(named) if name]
        note = f"network{'s' * (len(networks) > 1)} {' and '.join(networks)}" if networks else ""
        yield (
            RowKey("routes", destination, str(family), label, rank),
            Cell("\n".join(map(_route_text, routes)), note=note),
        )


def network_of_link(column: Column, state: NamespaceState, interface: str | None) -> str:
    """Returns the name of the Docker network to which an interface of a container belongs. ``interface`` is the
    interface's name. Empty if the container is on one network only, or if no network has an address of the
    interface."""
    if len(column.networks) < 2:
        return ""
    addresses = {a.address for link in state.interfaces if link.name == interface for a in link.addresses}
    return next((name for name, address in column.networks.items() if address in addresses), "")


def sysctl_cells(observed: ObservedColumns, column: Column, state: NamespaceState) -> Cells:
    """Yields a cell for each network sysctl."""
    for name, value in state.sysctls.items():
        yield RowKey("sysctls", name, "", name.removeprefix("net."), (name,)), Cell(" ".join(value.split()))
