"""What each column says in each row, before it is compared.

A cell has a text for the reader and a ``norm`` to compare by: where names, numbers and times
carry no meaning (veth names, MAC addresses, the resolver's random ports, process ids, inodes),
the norm leaves them out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from dashboard.core.experiments.messages import ArmStatus, Column, PublishedPort
from dashboard.core.modes import MACHINE, Mode
from dashboard.core.namespaces.addresses import bracket, primary_addresses
from dashboard.core.namespaces.links import is_cable, lower_link, veth_ends
from dashboard.core.namespaces.state import Interface, Listener, Lookup, NamespaceState, Origin, Route

EMBEDDED_RESOLVER = "127.0.0.11"

NAMESPACE_TITLES = {
    "mnt": "Mounts (mnt)",
    "pid": "Processes (pid)",
    "ipc": "System V IPC (ipc)",
    "uts": "Host name (uts)",
    "cgroup": "Control groups (cgroup)",
    "user": "Users (user)",
}

ORIGIN_NOTES = {
    Origin.MACHINE: "the machine's own file",
    Origin.COPY: "copied from the machine",
    Origin.STRIPPED: "the machine's, loopback servers removed",
    Origin.FALLBACK: "public servers: nothing else was left",
    Origin.DOCKER: "Docker's own resolver",
    Origin.GIVEN: "given with --dns",
    Origin.OTHER: "written by something else",
    Origin.UNREADABLE: "could not be read",
}


@dataclass(frozen=True, slots=True)
class RowKey:
    """Identity and reading order of a row: ``rank`` sorts within the section."""

    section: str
    key: str
    field: str
    label: str
    rank: tuple[int | str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cell:
    """What one column says. ``text`` None: nothing, then ``absent`` is the word for it.

    ``applies`` False: the row has no meaning for this column; it is left out of the relation.
    """

    text: str | None = None
    norm: object = None
    note: str = ""
    absent: str = ""
    applies: bool = True


Cells = Iterator[tuple[RowKey, Cell]]


@dataclass(frozen=True)
class Scene:
    """All columns with their states, as one instant."""

    columns: Sequence[Column]
    states: Mapping[str, NamespaceState]

    @property
    def machine(self) -> NamespaceState | None:
        """The machine's state, if it is known."""
        return self.states.get(MACHINE)

    def shares_machine(self, key: str) -> bool:
        """Whether the column lives in the machine's network namespace."""
        return self.machine is not None and key in self.states and self.states[key].netns == self.machine.netns

    @cached_property
    def _titles(self) -> dict[str, str]:
        return {column.container.id: column.title for column in reversed(self.columns) if column.container}

    def owner_title(self, container: str | None) -> str | None:
        """The title of the column whose container this is."""
        return None if container is None else self._titles.get(container)

    @cached_property
    def _cables(self) -> tuple[dict[int, tuple[Column, Interface]], dict[tuple[int, int], Interface]]:
        """The far end of each veth between the machine and a column, from both sides."""
        outside: dict[int, tuple[Column, Interface]] = {}
        inside: dict[tuple[int, int], Interface] = {}
        for column in sorted(
            self.columns, key=lambda one: one.mode == Mode.CONTAINER
        ):  # who owns the stack comes first
            state = self.states.get(column.key)
            if self.machine is None or state is None or state.netns == self.machine.netns:
                continue
            for outer, inner in veth_ends(self.machine, state):
                outside.setdefault(outer.index, (column, inner))
                inside[state.netns, inner.index] = outer
        return outside, inside

    @cached_property
    def _twins(self) -> dict[int, Interface]:
        """The machine's veth ends by the index of their peer: a cable with both ends on the machine."""
        ends = self.machine.interfaces if self.machine is not None else ()
        return {int(x.peer[2:]): x for x in ends if x.kind == "veth" and x.peer and x.peer[2:].isdigit()}

    def veth_owner(self, index: int) -> str | None:
        """The title of the column at the other end of the machine's veth ``index``."""
        found = self._cables[0].get(index)
        return found[0].title if found else None

    def veth_peer(self, state: NamespaceState, one: Interface) -> str | None:
        """Where the other end of a veth is, in words; None if it is not in sight."""
        if self.machine is None:
            return None
        if state.netns != self.machine.netns:
            outer = self._cables[1].get((state.netns, one.index))
            return f"{outer.name} on this machine" if outer else None
        found = self._cables[0].get(one.index)
        if found is not None:
            return f"{found[1].name} in {found[0].title}"
        twin = self._twins.get(one.index)
        return twin.name if twin is not None and one.peer == f"if{twin.index}" else None


def _port_order(protocol: str, port: int) -> tuple[int | str, ...]:
    return (port, protocol)


def identity_cells(scene: Scene, column: Column, state: NamespaceState) -> Cells:
    """Which namespaces, which host name, which address."""
    yield RowKey("identity", "netns", "", "Network namespace", (0,)), Cell(str(state.netns), state.netns)
    own = tuple(address for address in column.networks.values() if address)
    key = RowKey("identity", "address", "", "Own address", (1,))
    if column.key == MACHINE:
        addresses = primary_addresses(state)
        yield key, Cell(", ".join(addresses) or None, addresses, absent="none")
    elif own:
        yield key, Cell(", ".join(own), own)
    else:
        shared = scene.shares_machine(column.key)
        absent = "none: uses the machine's" if shared else "none"
        if column.mode == Mode.CONTAINER and not shared:
            absent = f"none: uses that of {column.target or 'its target'}"
        yield key, Cell(None, absent=absent)
    yield (
        RowKey("identity", "hostname", "", "Host name", (2,)),
        Cell(state.hostname or None, _hostname_norm(scene, column, state), absent="unknown"),
    )
    machine = scene.machine
    for number, (name, title) in enumerate(NAMESPACE_TITLES.items()):
        inode = state.namespaces.get(name)
        if inode is None:
            continue
        shared = machine is not None and machine.namespaces.get(name) == inode
        text = "the machine's" if shared else "its own"
        yield (
            RowKey("identity", f"namespace {name}", "", title, (3, number)),
            Cell(text, text, note=str(inode)),
        )


def _hostname_norm(scene: Scene, column: Column, state: NamespaceState) -> object:
    """A host name that Docker made from the container's id is noise."""
    if column.container is not None and state.hostname and column.container.id.startswith(state.hostname):
        return ("container id",)
    return state.hostname


def _interface_key(scene: Scene, state: NamespaceState, one: Interface) -> tuple[str, tuple[int | str, ...]]:
    if one.kind == "veth" and scene.machine is not None and state.netns == scene.machine.netns:
        owner = scene.veth_owner(one.index)
        if owner is not None:
            return f"veth to {owner}", (3, owner)
        if is_cable(one):
            return one.name, (4, one.name)
    order = {"loopback": 0, "bridge": 2}.get(one.kind, 1)
    return one.name, (order, one.name)


def interface_cells(scene: Scene, column: Column, state: NamespaceState) -> Cells:
    """Links with their addresses, MTU and what they are joined to."""
    for one in state.interfaces:
        key, rank = _interface_key(scene, state, one)
        renamed = key != one.name

        def row(field: str, label: str, order: int, key: str = key, rank: tuple[int | str, ...] = rank) -> RowKey:
            return RowKey("interfaces", key, field, f"{key} {label}", (*rank, order))

        state_text = f"{one.kind}, {'up' if one.up else 'down'}"
        yield row("link", "link", 0), Cell(state_text, state_text, note=one.name if renamed else "")
        addresses = [f"{a.address}/{a.prefix}" for a in one.addresses]
        meaningful = tuple(f"{a.address}/{a.prefix}" for a in one.addresses if a.scope != "link")
        yield (
            row("addresses", "addresses", 1),
            Cell("\n".join(addresses) or None, meaningful or ("link-local only",), absent="no address"),
        )
        yield row("mtu", "MTU", 2), Cell(str(one.mtu), one.mtu)
        if one.kind != "loopback" and one.mac:
            yield row("mac", "MAC", 3), Cell(one.mac, "a MAC address")
        if one.master or one.peer:
            yield row("joined", "joined to", 4), _joined(scene, state, one)


def _joined(scene: Scene, state: NamespaceState, one: Interface) -> Cell:
    parts, norm = [], []
    if one.master:
        parts.append(f"bridge {one.master}")
        norm.append(("master", one.master))
    if one.peer and one.kind == "veth":
        other = scene.veth_peer(state, one)
        parts.append(f"veth peer {other or one.peer}")
        norm.append(("veth", ""))
    elif one.peer:
        lower = lower_link(scene.machine, state, one) if scene.machine is not None else None
        parts.append(f"on {lower.name} of this machine" if lower is not None else f"on {one.peer}")
        norm.append(("parent", one.peer if lower is None else lower.name))
    return Cell(", ".join(parts), tuple(norm))


def _route_text(route: Route) -> str:
    parts = [f"via {route.gateway}"] if route.gateway else []
    parts += [f"dev {route.interface}"] if route.interface else []
    parts += [f"src {route.source}"] if route.source else []
    parts += [f"metric {route.metric}"] if route.metric else []
    return " ".join(parts) or "unreachable"


def route_cells(scene: Scene, column: Column, state: NamespaceState) -> Cells:
    """Routes by destination; several to one destination stand under each other."""
    grouped: dict[tuple[str, str], list[Route]] = {}
    for route in state.routes:
        grouped.setdefault((route.family, route.destination), []).append(route)
    for (family, destination), routes in grouped.items():
        lines = tuple(_route_text(route) for route in routes)
        label = f"{'IPv6 ' if family == 'inet6' else ''}{destination}"
        rank = (0 if family == "inet" else 1, 0 if destination == "default" else 1, destination)
        yield RowKey("routes", destination, str(family), label, rank), Cell("\n".join(lines), lines)


def _where(one: Listener) -> str:
    if one.address in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        text = "all IPv4" if one.family == "inet" else ("all IPv6" if one.v6only else "all IPv4 and IPv6")
    else:
        text = bracket(one.address)
    return f"{text}%{one.interface}" if one.interface else text


def listener_cells(scene: Scene, column: Column, state: NamespaceState) -> Cells:
    """Who listens on which port, by protocol and port."""
    grouped: dict[tuple[str, int], list[Listener]] = {}
    apart = column.key != MACHINE and not scene.shares_machine(column.key)
    for one in state.listeners:
        if apart and one.address == EMBEDDED_RESOLVER and one.container is None:
            key = RowKey(
                "listeners",
                f"{one.protocol} resolver",
                "",
                f"{one.protocol} {EMBEDDED_RESOLVER}",
                (99999, one.protocol),
            )
            yield (
                key,
                Cell(f"{one.process or 'dockerd'} :{one.port}", "Docker's resolver", note="random port"),
            )
        else:
            grouped.setdefault((one.protocol, one.port), []).append(one)
    for (protocol, port), listeners in grouped.items():
        key = RowKey("listeners", f"{protocol} :{port}", "", f"{protocol} :{port}", _port_order(protocol, port))
        yield key, _listener_cell(scene, column, listeners)


def _listener_cell(scene: Scene, column: Column, listeners: Iterable[Listener]) -> Cell:
    owners: dict[tuple[str, int | None, str], list[str]] = {}
    norm = set()
    for one in listeners:
        owner = scene.owner_title(one.container)
        foreign = owner if owner is not None and owner != column.title else ""
        name = one.process or "a process that cannot be seen"
        owners.setdefault((name, one.pid, foreign), []).append(_where(one))
        norm.add((name, foreign, one.container is None, _where(one)))
    lines, places = [], []
    for (name, pid, foreign), where in owners.items():
        tail = f" ({foreign})" if foreign else ""
        lines.append(f"{name}{f' {pid}' if pid else ''}{tail}")
        places.append(", ".join(dict.fromkeys(where)))
    return Cell("\n".join(lines), frozenset(norm), note="; ".join(dict.fromkeys(places)))


def _published_text(ports: Iterable[PublishedPort]) -> str:
    parts = []
    for one in ports:
        port = f":{one.host_port}" if one.host_port else ":any free port"
        parts.append(f"{bracket(one.host_address)}{port}" if one.host_address or one.host_port else port[1:])
    return "\n".join(dict.fromkeys(parts))


def published_cells(scene: Scene, column: Column, state: NamespaceState | None) -> Cells:
    """Published ports, as asked and as the Engine really did it."""
    ports = {(one.container_port, one.protocol) for one in (*column.asked, *column.published)}
    for port, protocol in sorted(ports):
        asked = [one for one in column.asked if (one.container_port, one.protocol) == (port, protocol)]
        real = [one for one in column.published if (one.container_port, one.protocol) == (port, protocol)]
        key = f"{port}/{protocol}"
        rank = _port_order(protocol, port)
        text = _published_text(asked)
        yield (
            RowKey("published", key, "asked", f"{key} asked", (*rank, 0)),
            Cell(text or None, text, absent="not asked"),
        )
        text = _published_text(real)
        running = column.status is ArmStatus.RUNNING
        word = "discarded" if running else "nothing: it does not run"
        yield (
            RowKey("published", key, "published", f"{key} published", (*rank, 1)),
            Cell(text or None, text, absent=word),
        )


def dns_cells(scene: Scene, column: Column, state: NamespaceState) -> Cells:
    """The resolver, and what names resolve to from inside."""
    resolver = state.resolver
    if resolver is not None:
        note = ORIGIN_NOTES[resolver.origin]
        yield (
            RowKey("dns", "resolver", "nameservers", "Name servers", (0, 0)),
            Cell("\n".join(resolver.nameservers) or None, resolver.nameservers, note=note, absent="none"),
        )
        yield (
            RowKey("dns", "resolver", "search", "Search domains", (0, 1)),
            Cell(" ".join(resolver.search) or None, resolver.search, absent="none"),
        )
        yield (
            RowKey("dns", "resolver", "options", "Resolver options", (0, 2)),
            Cell(" ".join(resolver.options) or None, resolver.options, absent="none"),
        )
    for number, one in enumerate(state.lookups):
        key = RowKey("dns", f"lookup {one.name}", "", f"lookup “{one.name}”", (1, number, one.name))
        yield key, _lookup_cell(one)


def _lookup_cell(one: Lookup) -> Cell:
    note = f"by {one.server}" if one.server else ""
    if one.time_us is not None:
        note = f"{note}, {one.time_us / 1000:.1f} ms".removeprefix(", ")
    if not one.answers:
        return Cell(None, one.outcome, note=note, absent=one.outcome)
    return Cell("\n".join(one.answers), one.answers, note=note)


def hosts_cells(scene: Scene, column: Column, state: NamespaceState) -> Cells:
    """The hosts file, name by name; the container's own name is one row."""
    grouped: dict[str, list[str]] = {}
    for entry in state.hosts:
        for name in entry.names:
            own = name == state.hostname and column.key != MACHINE and not scene.shares_machine(column.key)
            grouped.setdefault("own host name" if own else name, []).append(entry.address)
    for name, addresses in grouped.items():
        rank = (0 if name == "own host name" else 1, name)
        yield RowKey("hosts", name, "", name, rank), Cell("\n".join(addresses), tuple(addresses))


def sysctl_cells(scene: Scene, column: Column, state: NamespaceState) -> Cells:
    """Network sysctls, each namespace's own."""
    for name, value in state.sysctls.items():
        text = " ".join(value.split())
        yield RowKey("sysctls", name, "", name.removeprefix("net."), (name,)), Cell(text, text)
