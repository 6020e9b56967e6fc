"""The paths that a request can take to each column's server, found from what was observed.

A path is named only where the state proves it: a veth end by its peer's index, docker-proxy by its
listening socket, a published port by the Engine's own list. What does not exist has its reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from dashboard.core.experiments.messages import ArmStatus, Column
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.links import lower_link
from dashboard.core.namespaces.state import Family, Interface, NamespaceState
from dashboard.core.paths.model import (
    DIRECT_LINKS,
    LOOPBACK_ADDRESSES,
    Cable,
    Path,
    PathKind,
    cables_between,
    family_of,
    global_addresses,
    reached_address,
)
from dashboard.core.paths.published import published_paths

__all__ = ["Path", "PathKind", "cause_between", "find_paths", "resolver_paths"]

DEFAULT_BRIDGE = "bridge"
_NOT_PUBLISHING = frozenset({"none", "container", "macvlan", "ipvlan"})


def _loopback(column: Column, machine: NamespaceState) -> Iterator[Path]:
    port = column.port or 80
    lo = next((one for one in machine.interfaces if one.kind == "loopback"), None)
    for family, address in LOOPBACK_ADDRESSES.items():
        if lo is not None and any(one.address == address for one in lo.addresses):
            title = f"{address} to {column.title}, in the machine's own stack"
            yield Path(
                PathKind.LOOPBACK, title, MACHINE, column.key, family, address, port, port, port, hops=(lo.name,)
            )
    if column.asked and not column.published:
        why = f"the Engine discarded -p: {column.title} uses the machine's own ports"
        yield Path(PathKind.PUBLISHED_DNAT, f"Published port of {column.title}", MACHINE, column.key, unavailable=why)


def _no_bridge_address(column: Column, state: NamespaceState, machine: NamespaceState) -> str:
    direct = next((one for one in state.interfaces if one.kind in DIRECT_LINKS), None)
    if direct is not None:
        parent = lower_link(machine, state, direct)
        return (
            f"{column.title} is a {direct.kind} on {parent.name if parent else 'a link of the machine'}: "
            f"the kernel passes nothing between a {direct.kind} and the machine through the parent interface"
        )
    if all(one.kind == "loopback" for one in state.interfaces):
        return f"{column.title} has loopback only: no interface leads to it"
    return f"no veth pair that was seen joins {column.title} to a bridge with an address in its subnet"


def _bridge_address(
    column: Column, state: NamespaceState, machine: NamespaceState, cables: Sequence[Cable]
) -> Iterator[Path]:
    port = column.port or 80
    found = False
    for family in Family:
        for cable in cables:
            if (address := reached_address(cable, family)) is not None:
                found = True
                hops = (cable.bridge.name, cable.outer.name, cable.inner.name)
                title = f"The machine to {column.title}'s own address"
                yield Path(
                    PathKind.BRIDGE_ADDRESS, title, MACHINE, column.key, family, address, port, port, port, hops=hops
                )
                break
    if not found:
        yield Path(
            PathKind.BRIDGE_ADDRESS,
            f"The machine to {column.title}'s own address",
            MACHINE,
            column.key,
            unavailable=_no_bridge_address(column, state, machine),
        )


def _shared(column: Column, target: Column) -> Path:
    port = column.port or 80
    address = LOOPBACK_ADDRESSES[Family.INET]
    title = f"{address} from {target.title} to {column.title}, in the stack that they share"
    return Path(
        PathKind.SHARED_NAMESPACE,
        title,
        target.key,
        column.key,
        Family.INET,
        address,
        port,
        port,
        port,
        hops=("lo",),
    )


def _link_with(state: NamespaceState, address: str) -> Interface | None:
    return next((one for one in state.interfaces if any(a.address == address for a in one.addresses)), None)


def _way_between(
    machine: NamespaceState | None, inside: NamespaceState, end: Interface, start: Interface
) -> tuple[str, ...]:
    """The hops from one container's link to another's, which is ``end`` in ``inside``."""
    if end.kind in DIRECT_LINKS:
        parent = lower_link(machine, inside, end) if machine is not None else None
        middle = parent.name if parent is not None else "the parent interface"
        return (f"{start.name} ({start.kind})", middle, f"{end.name} ({end.kind})")
    if machine is None:
        return (start.name, end.name)
    outer = {one.index: one for one in machine.interfaces}
    names = [start.name]
    for link in (start, end):
        index = link.peer[2:] if link.peer and link.peer.startswith("if") else ""
        other = outer.get(int(index)) if index.isdigit() else None
        if other is not None and other.kind == "veth" and other.peer == f"if{link.index}":
            names += [other.name, other.master or ""] if link is start else [other.name]
    return tuple(one for one in (*names, end.name) if one)


def _between(column: Column, running: Sequence[Column], states: Mapping[str, NamespaceState]) -> Iterator[Path]:
    """From another container of the same network, the first one that has an address there."""
    port = column.port or 80
    state = states[column.key]
    for network, assigned in column.networks.items():
        end = _link_with(state, assigned) if assigned else None
        if end is None:
            continue
        by_name = network != DEFAULT_BRIDGE
        where = f"on the network {network}" if by_name else "on the default bridge"
        peer = next(
            (
                one
                for one in running
                if one.key != column.key and one.networks.get(network) and states[one.key].netns != state.netns
            ),
            None,
        )
        start = None if peer is None else _link_with(states[peer.key], peer.networks[network])
        if peer is None or start is None:
            yield Path(
                PathKind.CONTAINER_TO_CONTAINER,
                f"Another container to {column.title}, {where}",
                column.key,
                column.key,
                unavailable=f"no second container {where} was seen: a path between two needs one",
            )
            return
        name = column.container.name if by_name and column.container else ""
        hops = _way_between(states.get(MACHINE), state, end, start)
        for family in Family:
            found = [assigned] if family_of(assigned) is family else global_addresses(end, family)
            if found and (family is Family.INET or global_addresses(start, family)):
                title = f"{peer.title} to {column.title}, {where}{', by name' if name else ''}"
                yield Path(
                    PathKind.CONTAINER_TO_CONTAINER,
                    title,
                    peer.key,
                    column.key,
                    family,
                    found[0],
                    port,
                    port,
                    port,
                    hops=hops,
                    host_name=name,
                )
        return


def find_paths(columns: Sequence[Column], states: Mapping[str, NamespaceState]) -> tuple[Path, ...]:
    """Every path to every running arm, in the order of the columns; also those that do not exist, with the reason."""
    machine = states.get(MACHINE)
    found: list[Path] = []
    running = [one for one in columns if one.key != MACHINE and one.status is ArmStatus.RUNNING and one.key in states]
    by_key = {one.key: one for one in running}
    for column in running:
        state = states[column.key]
        if machine is not None and state.netns == machine.netns:
            found += _loopback(column, machine)
            continue
        if machine is not None:
            cables = cables_between(machine, state)
            found += _bridge_address(column, state, machine, cables)
            if column.mode not in _NOT_PUBLISHING:
                found += published_paths(column, machine, cables)
        target = by_key.get(column.target or "")
        if target is not None and states[target.key].netns == state.netns:
            found.append(_shared(column, target))
        found += _between(column, running, states)
    return tuple(found)


def resolver_paths(columns: Sequence[Column], states: Mapping[str, NamespaceState]) -> tuple[Path, ...]:
    """From each column to the first name server of its own resolv.conf, for the probe ``dns``."""
    found = []
    for column in columns:
        if column.key not in states or (column.key != MACHINE and column.status is not ArmStatus.RUNNING):
            continue
        resolver = states[column.key].resolver
        title = f"{column.title} to its own resolver"
        if resolver is None or not resolver.nameservers:
            why = f"{column.title} has no name server in its resolv.conf"
            found.append(Path(PathKind.RESOLVER, title, column.key, column.key, unavailable=why))
            continue
        server = resolver.nameservers[0]
        found.append(
            Path(
                PathKind.RESOLVER,
                title,
                column.key,
                column.key,
                family_of(server),
                server,
                0,
                53,
                53,
                fixed=True,
                hops=(f"resolv.conf: {server} ({resolver.origin})",),
            )
        )
    return tuple(found)


def cause_between(baseline: Path, other: Path) -> str:
    """What ``other`` passes through and ``baseline`` does not, in one line; empty where nothing is proven.

    Both paths exist, so each hop named here was seen.
    """
    if PathKind.PUBLISHED_PROXY in {baseline.kind, other.kind} and baseline.kind != other.kind:
        more = "docker-proxy copies each byte in user space, over a second connection to the container"
        return more if other.kind is PathKind.PUBLISHED_PROXY else f"without docker-proxy: {more}"
    ranks = (PathKind.LOOPBACK, PathKind.BRIDGE_ADDRESS, PathKind.PUBLISHED_DNAT)
    if baseline.kind in ranks and other.kind in ranks and baseline.kind != other.kind:
        longer, shorter = (
            (other, baseline) if ranks.index(other.kind) > ranks.index(baseline.kind) else (baseline, other)
        )
        parts = []
        if shorter.kind is PathKind.LOOPBACK:
            parts.append(f"each packet crosses {', '.join(longer.hops[-3:])} into another network stack instead of lo")
        if longer.kind is PathKind.PUBLISHED_DNAT:
            parts.append("each packet's address is translated (DNAT, connection tracking)")
        return "; ".join(parts) if longer is other else f"the baseline's way is longer: {'; '.join(parts)}"
    if other.kind is PathKind.CONTAINER_TO_CONTAINER and baseline.kind in {
        PathKind.LOOPBACK,
        PathKind.SHARED_NAMESPACE,
    }:
        return f"each packet crosses {', '.join(other.hops)} instead of lo"
    return ""
