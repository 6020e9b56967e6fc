"""Paths to published ports: through docker-proxy, and through DNAT.

The Engine's nat OUTPUT rule excludes 127.0.0.0/8, so docker-proxy accepts connections to loopback addresses, and the
destination is translated for any other address of the machine (Moby: libnetwork/drivers/bridge/
setup_ip_tables_linux.go). There are two exceptions: with ``--userland-proxy=false`` the rule includes loopback and
dockerd holds the port; and DNAT exists only for the families of the container's addresses.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence

from dashboard.core.experiments.messages import Column, PublishedPort
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.addresses import format_endpoint, primary_addresses
from dashboard.core.namespaces.state import Family, NamespaceState
from dashboard.core.paths.model import (
    ANY_ADDRESS,
    LOOPBACK_ADDRESSES,
    Path,
    PathKind,
    VethLink,
    family_of,
    global_addresses,
    inner_address,
)


def _mapping(column: Column, port: int, protocol: str, family: Family) -> PublishedPort | None:
    """The mapping of the program's port for ``family``; one for all addresses is preferred."""
    mappings = [
        mapping
        for mapping in column.published
        if mapping.container_port == port
        and mapping.protocol == protocol
        and (mapping.host_address == "" or family_of(mapping.host_address) == family)
    ]
    return min(mappings, key=lambda mapping: mapping.host_address not in {"", ANY_ADDRESS[family]}, default=None)


def _port_holder(machine: NamespaceState, port: int, family: Family) -> str | None:
    """The process that listens on the machine's ``port`` for ``family``; None if no process listens."""
    listeners = [
        listener
        for listener in machine.listeners
        if listener.protocol == "tcp"
        and listener.port == port
        and (listener.family == family or listener.v6only is False)
    ]
    names = [listener.process for listener in listeners if listener.process]
    return "docker-proxy" if "docker-proxy" in names else next(iter(names), "an unknown process" if listeners else None)


def userland_proxy(columns: Sequence[Column], machine: NamespaceState | None) -> bool | None:
    """Whether the Engine starts docker-proxy for published ports; None if nothing that was seen proves it.

    A published TCP port on which only dockerd or nothing listens proves that it does not.
    """
    if machine is None:
        return None
    if any(listener.process == "docker-proxy" for listener in machine.listeners):
        return True
    holders = {
        _port_holder(machine, mapping.host_port, family_of(mapping.host_address))
        for column in columns
        for mapping in column.published
        if mapping.protocol == "tcp" and mapping.host_port
    }
    return False if holders and holders <= {None, "dockerd"} else None


def _own_addresses(machine: NamespaceState, family: Family) -> list[str]:
    """The machine's addresses except loopback: first that of the default route's interface, then those of its bridges,
    which the nat OUTPUT rule includes (it matches every local address)."""
    addresses = [address for address in primary_addresses(machine) if family_of(address) == family]
    for link in machine.interfaces:
        addresses += global_addresses(link, family)
    return list(dict.fromkeys(addresses))


def published_paths(column: Column, machine: NamespaceState, veths: Sequence[VethLink]) -> Iterator[Path]:
    """The paths to the published port of ``column``, for each address family; for the first family that is published,
    also the reasons for missing paths."""
    port = column.port or 80
    mappings = {family: mapping for family in Family if (mapping := _mapping(column, port, "tcp", family)) is not None}
    for family, mapping in mappings.items():
        for path in _paths_of_family(column, machine, veths, family, mapping):
            if path.address or family is next(iter(mappings)):
                yield path
    if not mappings:
        why = f"{column.title} does not publish {port}/tcp" if column.published else f"{column.title} publishes no port"
        for kind in (PathKind.PUBLISHED_DNAT, PathKind.PUBLISHED_PROXY):
            yield Path(kind, f"Published port of {column.title}", MACHINE, column.key, unavailable=why)


def _paths_of_family(
    column: Column, machine: NamespaceState, veths: Sequence[VethLink], family: Family, mapping: PublishedPort
) -> Iterator[Path]:
    """``mapping`` is bound to all addresses, to a loopback address or to another address: a client reaches the port
    over loopback, over the machine's address, or over both."""
    udp = _mapping(column, mapping.container_port, "udp", family)
    bound = mapping.host_address
    if bound in {"", ANY_ADDRESS[family]}:
        loopback, outer = LOOPBACK_ADDRESSES[family], next(iter(_own_addresses(machine, family)), "")
    else:
        loopback, outer = (bound, "") if ipaddress.ip_address(bound).is_loopback else ("", bound)
    holder = _port_holder(machine, mapping.host_port, family)
    inner, inner_hops = inner_address(veths, family)

    def path(kind: PathKind, address: str, why: str = "") -> Path:
        where = address if address == loopback else "The machine's address"
        title = f"{where} to the published port of {column.title}"
        if why:
            return Path(kind, title, MACHINE, column.key, unavailable=why)
        if kind is PathKind.PUBLISHED_PROXY:
            proxied_hops = inner_hops or inner_address(veths, Family.INET)[1]
            hops = ("lo", f"docker-proxy :{mapping.host_port} (user space)", *proxied_hops)
        else:
            ends = [(address, mapping.host_port), (inner, mapping.container_port)]
            hops = (f"DNAT {' → '.join(format_endpoint(*end) for end in ends)}", *inner_hops)
        return Path(
            kind,
            title,
            MACHINE,
            column.key,
            family,
            address,
            mapping.host_port,
            udp.host_port if udp else 0,
            mapping.container_port,
            fixed=True,
            hops=hops,
        )

    if loopback:
        holds = f"{holder} holds the port" if holder else "nothing that was seen listens there"
        why = "" if holder == "docker-proxy" else f"no docker-proxy on the machine's port {mapping.host_port}: {holds}"
        yield path(PathKind.PUBLISHED_PROXY, loopback, why)
    if not outer:
        only = f"{column.title} publishes on {bound} only"
        why = only if bound == loopback else "the machine has no address except loopback"
        yield path(PathKind.PUBLISHED_DNAT, outer, why)
    elif inner:
        yield path(PathKind.PUBLISHED_DNAT, outer)
    elif family is Family.INET:
        yield path(PathKind.PUBLISHED_DNAT, outer, f"no address of {column.title} behind a bridge was seen")
    elif holder == "docker-proxy":
        yield path(PathKind.PUBLISHED_PROXY, outer)
    # IPv6 has no counterpart of the sysctl route_localnet, which lets translated packets leave loopback.
    if loopback and inner and holder == "dockerd" and family is Family.INET:
        yield path(PathKind.PUBLISHED_DNAT, loopback)
