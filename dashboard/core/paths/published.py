"""Published ports as paths: through docker-proxy, and through DNAT.

The Engine's nat OUTPUT rule leaves 127.0.0.0/8 out, so loopback addresses go to docker-proxy and any
other address of the machine is translated (Moby: libnetwork/drivers/bridge/setup_ip_tables_linux.go).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence

from dashboard.core.experiments.messages import Column, PublishedPort
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.addresses import bracket, primary_addresses
from dashboard.core.namespaces.state import Family, NamespaceState
from dashboard.core.paths.model import (
    ANY_ADDRESS,
    LOOPBACK_ADDRESSES,
    Cable,
    Path,
    PathKind,
    family_of,
    global_addresses,
    inner_hops,
)


def _mapped(column: Column, port: int, protocol: str, family: Family) -> PublishedPort | None:
    """The mapping of the program's port that holds for ``family``."""
    fits = [
        one
        for one in column.published
        if one.container_port == port
        and one.protocol == protocol
        and (one.host_address == "" or family_of(one.host_address) == family)
    ]
    return next(iter(sorted(fits, key=lambda one: one.host_address not in {"", ANY_ADDRESS[family]})), None)


def _proxy_holds(machine: NamespaceState, port: int, family: Family) -> str | None:
    """The process that listens on the machine's ``port`` for ``family``, None if nobody does."""
    held = [
        one
        for one in machine.listeners
        if one.protocol == "tcp" and one.port == port and (one.family == family or one.v6only is False)
    ]
    named = [one.process for one in held if one.process]
    return "docker-proxy" if "docker-proxy" in named else next(iter(named), "an unknown process" if held else None)


def published_paths(column: Column, machine: NamespaceState, cables: Sequence[Cable]) -> Iterator[Path]:
    """Both ways through the published port of ``column``, for each address family, or why there is none."""
    port = column.port or 80
    for family in Family:
        mapped = _mapped(column, port, "tcp", family)
        udp = _mapped(column, port, "udp", family)
        if mapped is None:
            if family is Family.INET:
                why = f"{column.title} publishes no port" if not column.published else f"port {port} is not published"
                for kind in (PathKind.PUBLISHED_DNAT, PathKind.PUBLISHED_PROXY):
                    yield Path(kind, f"Published port of {column.title}", MACHINE, column.key, unavailable=why)
            continue
        yield from _through_proxy(column, machine, cables, mapped, udp, family)
        yield from _through_dnat(column, machine, cables, mapped, udp, family)


def _own_addresses(machine: NamespaceState, family: Family) -> list[str]:
    """The machine's addresses besides loopback: that of its way out first, then those of its bridges, which the nat
    OUTPUT rule takes as well (it looks at whether an address is local, not at whose it is)."""
    addresses = [one for one in primary_addresses(machine) if family_of(one) == family]
    for link in machine.interfaces:
        addresses += global_addresses(link, family)
    return list(dict.fromkeys(addresses))


def _through_proxy(
    column: Column,
    machine: NamespaceState,
    cables: Sequence[Cable],
    mapped: PublishedPort,
    udp: PublishedPort | None,
    family: Family,
) -> Iterator[Path]:
    bound = mapped.host_address
    anywhere = bound in {"", ANY_ADDRESS[family]}
    if not anywhere and not ipaddress.ip_address(bound).is_loopback:
        return
    address = LOOPBACK_ADDRESSES[family] if anywhere else bound
    title = f"{address} to the published port of {column.title}"
    holder = _proxy_holds(machine, mapped.host_port, family)
    if holder != "docker-proxy":
        if family is Family.INET:
            whose = f"{holder} holds the port" if holder else "nothing that was seen listens there"
            why = f"no docker-proxy on the machine's port {mapped.host_port}: {whose}"
            yield Path(PathKind.PUBLISHED_PROXY, title, MACHINE, column.key, unavailable=why)
        return
    inner = family if inner_hops(cables, family) else Family.INET
    hops = ("lo", f"docker-proxy :{mapped.host_port} (user space)", *inner_hops(cables, inner))
    yield Path(
        PathKind.PUBLISHED_PROXY,
        title,
        MACHINE,
        column.key,
        family,
        address,
        mapped.host_port,
        udp.host_port if udp else 0,
        mapped.container_port,
        fixed=True,
        hops=hops,
    )


def _through_dnat(
    column: Column,
    machine: NamespaceState,
    cables: Sequence[Cable],
    mapped: PublishedPort,
    udp: PublishedPort | None,
    family: Family,
) -> Iterator[Path]:
    bound = mapped.host_address
    own = _own_addresses(machine, family)
    if bound not in {"", ANY_ADDRESS[family]}:
        own = [] if ipaddress.ip_address(bound).is_loopback else [bound]
    inside = next((a for cable in cables for a in global_addresses(cable.inner, family)), None)
    title = f"The machine's address to the published port of {column.title}"
    why = ""
    if not own:
        why = (
            f"published on {bound} only"
            if bound not in {"", ANY_ADDRESS[family]}
            else "the machine has no address besides loopback"
        )
    elif inside is None and family is Family.INET:
        why = f"no address of {column.title} behind a bridge was seen"
    if why:
        if family is Family.INET:
            yield Path(PathKind.PUBLISHED_DNAT, title, MACHINE, column.key, unavailable=why)
        return
    if inside is None:  # IPv6 to a container without IPv6: docker-proxy alone takes it
        return
    translated = f"DNAT {bracket(own[0])}:{mapped.host_port} → {bracket(inside)}:{mapped.container_port}"
    yield Path(
        PathKind.PUBLISHED_DNAT,
        title,
        MACHINE,
        column.key,
        family,
        own[0],
        mapped.host_port,
        udp.host_port if udp else 0,
        mapped.container_port,
        fixed=True,
        hops=(translated, *inner_hops(cables, family)),
    )
