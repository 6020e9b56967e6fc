"""Scenes of any modes, as an engine makes them: columns and the state of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from dashboard.core.experiments.initial_columns import ROOTLESS_COLUMN
from dashboard.core.experiments.messages import Comparison
from dashboard.core.modes import NEIGHBOUR, OTHER_CONTAINER, OTHER_HOST, ROOTLESS_NETNS
from dashboard.core.namespaces.links import is_cable
from dashboard.core.namespaces.state import (
    Family,
    HostsEntry,
    Interface,
    Listener,
    NamespaceState,
    Origin,
    Protocol,
    Resolver,
    Route,
)
from dashboard.core.paths.finder import measured_paths
from dashboard.core.paths.model import Path as RequestPath
from tests.core.builders import (
    DISCARDED,
    MACHINE,
    MACHINE_NETNS,
    Columns,
    States,
    container_id,
    machine_column,
    make_column,
    make_interface,
    make_listener,
    make_loopback,
    make_ports,
    make_route,
    make_state,
)

RECORDED = Path(__file__).resolve().parent.parent / "recorded"
_NAMESPACES = {"mnt": 4026531841, "pid": 4026531836, "ipc": 4026531839, "uts": 4026531838}
_FORWARDING = {"bridge", "user-bridge", "overlay"}


def make_scene(
    modes: Iterable[str] = ("host", "bridge", "user-bridge", "none", "container", "macvlan"),
    *,
    publish: int | None = 8080,
    sshd: bool = True,
) -> tuple[Columns, States]:
    """The machine and one arm for each mode, each with nginx on port 80, connected as Docker 26 connects them.

    ``publish`` is the machine's port that the first arm publishes; the next arms publish the next ports.
    A ``container`` arm shares the network stack of the first other arm.
    """
    wanted = tuple(modes)
    columns, states = [machine_column()], {}
    links, routes, listeners = _machine_links(sshd=sshd)
    owner = next((one for one in wanted if one != "container"), None)
    for number, mode in enumerate(wanted):
        port = None if publish is None or mode == "container" else publish + number
        asked = () if port is None else make_ports(port, 80, "")
        published = make_ports(port) if port is not None and mode in _FORWARDING else ()
        state, networks = _arm_state(mode, number, links, routes)
        if port is not None and published:
            listeners += _proxies(port, 900 + 2 * number)
        if mode == "host":
            listeners.append(make_listener(80, "nginx", 4100, container=container_id(mode)))
        command = f"docker run --rm -d --network {mode}{f' -p {port}:80' if port else ''} nginx"
        columns.append(
            make_column(
                mode,
                asked=asked,
                published=published,
                networks=networks,
                command=command,
                target=owner if mode == "container" else None,
                warnings=(DISCARDED,) if mode == "host" and asked else (),
            )
        )
        if state is not None:
            states[mode] = state
    machine = make_state(
        namespaces=_NAMESPACES,
        interfaces=tuple(links),
        routes=tuple(routes),
        listeners=tuple(listeners),
        resolver=Resolver(("127.0.0.53", "192.0.2.53"), origin=Origin.MACHINE),
        hosts=(HostsEntry("127.0.0.1", ("localhost",)), HostsEntry("127.0.1.1", ("lab-1",))),
        sysctls=_sysctls("1024", "1 0", "1"),
    )
    states = {MACHINE: machine} | states
    if "host" in wanted:
        states["host"] = replace(machine, namespaces=_own_namespaces(90), resolver=_copied(machine))
    if "container" in wanted and owner is not None:
        shared = states[owner]
        states["container"] = replace(shared, namespaces=_own_namespaces(91))
    return tuple(columns), {column.key: states[column.key] for column in columns if column.key in states}


def with_neighbour(columns: Columns, states: States, *routes: str) -> tuple[Columns, States]:
    """The scene with another machine on the LAN, which has routes through the machine to ``routes`` (default: all
    networks of the default address pool)."""
    state = make_state(
        netns=MACHINE_NETNS + 7,
        namespaces={"net": MACHINE_NETNS + 7},
        interfaces=(
            make_loopback(),
            make_interface("eth0", 2, "veth", peer="if4", addresses=("192.0.2.10/24", "2001:db8::10/64")),
        ),
        routes=(
            Route(Family.INET, "default", "192.0.2.1", "eth0"),
            Route(Family.INET, "192.0.2.0/24", None, "eth0"),
            *(Route(Family.INET, route, "192.0.2.2", "eth0") for route in routes or ("172.16.0.0/12",)),
        ),
        listeners=(),
    )
    column = make_column(NEIGHBOUR, mode=NEIGHBOUR, container=None, port=None, command="")
    return (*columns, column), {**states, NEIGHBOUR: state}


def with_rootless_netns(columns: Columns, states: States) -> tuple[Columns, States]:
    """The scene on a rootless Podman: bridges and the ends of cables are in a namespace of their own."""
    netns, machine = MACHINE_NETNS + 9, states[MACHINE]
    moved = tuple(link for link in machine.interfaces if link.kind == "bridge" or is_cable(link))
    state = make_state(
        netns=netns, namespaces={"net": netns}, interfaces=(make_loopback(), *moved), routes=(), listeners=()
    )
    rest = tuple(link for link in machine.interfaces if link not in moved)
    joined = {
        key: replace(
            one,
            interfaces=rest
            if one.netns == machine.netns
            else tuple(replace(link, peer_netns=netns) for link in one.interfaces),
        )
        for key, one in states.items()
    }
    return (*columns, ROOTLESS_COLUMN), {**joined, ROOTLESS_NETNS: state}


def with_other_host(columns: Columns, states: States, *routes: str) -> tuple[Columns, States]:
    """The scene with another host on the LAN, which has a docker0 as every host and routes through the machine to
    ``routes``, and with a container there, on its docker0 and on the network ``span``."""
    host = make_state(
        netns=MACHINE_NETNS + 8,
        hostname="other",
        namespaces={"net": MACHINE_NETNS + 8},
        interfaces=(
            make_loopback(),
            make_interface("eth0", 2, addresses=("192.0.2.3/24", "2001:db8::3/64")),
            make_interface("docker0", 3, "bridge", addresses=("172.17.0.1/16",)),
            make_interface("vethb", 4, "veth", peer="if7", master="docker0"),
        ),
        routes=(
            Route(Family.INET, "default", "192.0.2.1", "eth0"),
            Route(Family.INET, "192.0.2.0/24", None, "eth0"),
            Route(Family.INET, "172.17.0.0/16", None, "docker0"),
            *(Route(Family.INET, route, "192.0.2.2", "eth0") for route in routes),
        ),
        listeners=(),
    )
    inside = make_state(
        netns=MACHINE_NETNS + 9,
        namespaces={"net": MACHINE_NETNS + 9},
        interfaces=(
            make_loopback(),
            make_interface("eth0", 7, "veth", peer="if4", addresses=("172.17.0.2/16",)),
            make_interface("eth1", 8, "veth", peer="if9", addresses=("10.0.1.4/24",)),
        ),
        routes=(Route(Family.INET, "default", "172.17.0.1", "eth0"),),
        listeners=(),
    )
    other = make_column(OTHER_HOST, mode=OTHER_HOST, container=None, port=None, command="")
    container = make_column(
        OTHER_CONTAINER, mode=OTHER_CONTAINER, container=None, port=None, command="", networks={"span": "10.0.1.4"}
    )
    return (*columns, other, container), {**states, OTHER_HOST: host, OTHER_CONTAINER: inside}


def _machine_links(*, sshd: bool) -> tuple[list[Interface], list[Route], list[Listener]]:
    links = [
        make_loopback(),
        make_interface("eth0", 2, addresses=("192.0.2.2/24", "2001:db8::2/64", "fe80::2/64")),
        make_interface("docker0", 3, "bridge", addresses=("172.17.0.1/16",)),
    ]
    routes = [
        make_route(),
        make_route("192.0.2.0/24", None, source="192.0.2.2"),
        make_route("172.17.0.0/16", None, interface="docker0", source="172.17.0.1"),
        make_route("fe80::/64", None, metric=256),
    ]
    return links, routes, [make_listener(22, "sshd", 811)] if sshd else []


def _arm_state(
    mode: str, number: int, links: list[Interface], routes: list[Route]
) -> tuple[NamespaceState | None, dict[str, str]]:
    """The namespace of an arm. Objects that Docker adds on the machine are appended to ``links`` and ``routes``."""
    if mode == "host":
        return None, {}
    if mode == "container":
        return None, {}
    if mode == "none":
        return _inside(mode, number, (), (), Resolver(("192.0.2.53",), origin=Origin.STRIPPED)), {"none": ""}
    docker = Resolver(("127.0.0.11",), options=("ndots:0",), origin=Origin.DOCKER)
    if mode in {"macvlan", "ipvlan"}:
        address = f"192.0.2.{70 + number}"
        link = make_interface("eth0", 20 + number, mode, peer="if2", addresses=(f"{address}/24",))
        inner = (make_route(), make_route("192.0.2.0/24", None, source=address))
        return _inside(mode, number, (link,), inner, docker, embedded=True), {f"nm-7f2a9c-{mode}": address}
    subnet = 17 if mode == "bridge" else 18 + number
    bridge = "docker0" if mode == "bridge" else f"br-{mode}"
    address, gateway, outer = f"172.{subnet}.0.2", f"172.{subnet}.0.1", 31 + 2 * number
    if mode != "bridge":
        links.append(make_interface(bridge, 10 + number, "bridge", addresses=(f"{gateway}/16",)))
        routes.append(make_route(f"172.{subnet}.0.0/16", None, interface=bridge, source=gateway))
    links.append(make_interface(f"veth{outer:07x}", outer, "veth", peer=f"if{outer - 1}", master=bridge))
    link = make_interface("eth0", outer - 1, "veth", peer=f"if{outer}", addresses=(f"{address}/16",))
    inner = (make_route(gateway=gateway), make_route(f"172.{subnet}.0.0/16", None, source=address))
    resolver = Resolver(("192.0.2.53",), origin=Origin.STRIPPED) if mode == "bridge" else docker
    network = "bridge" if mode == "bridge" else f"nm-7f2a9c-{mode}"
    return _inside(mode, number, (link,), inner, resolver, embedded=mode != "bridge"), {network: address}


def _inside(
    mode: str,
    number: int,
    links: Sequence[Interface],
    routes: Sequence[Route],
    resolver: Resolver,
    *,
    embedded: bool = False,
) -> NamespaceState:
    own = container_id(mode)
    listeners = [make_listener(80, "nginx", 4200 + number, container=own)]
    if embedded:
        listeners.append(make_listener(38000 + number, "dockerd", 700, address="127.0.0.11"))
        port = 39000 + number
        listeners.append(make_listener(port, "dockerd", 700, address="127.0.0.11", protocol=Protocol.UDP))
    address = next((a.address for one in links for a in one.addresses), None)
    hosts = [HostsEntry("127.0.0.1", ("localhost",))] + ([HostsEntry(address, (own[:12],))] if address else [])
    return make_state(
        4026532500 + number,
        hostname=own[:12],
        namespaces=_own_namespaces(number),
        interfaces=(make_loopback(), *links),
        routes=tuple(routes),
        listeners=tuple(listeners),
        resolver=resolver,
        hosts=tuple(hosts),
        sysctls=_sysctls("0", "0 2147483647", "0"),
    )


def _proxies(port: int, pid: int) -> list[Listener]:
    inet6: dict[str, Any] = {"family": Family.INET6, "address": "::", "v6only": True}
    return [make_listener(port, "docker-proxy", pid), make_listener(port, "docker-proxy", pid + 1, **inet6)]


def _own_namespaces(number: int) -> dict[str, int]:
    return {name: 4026533000 + 10 * number + offset for offset, name in enumerate(_NAMESPACES)}


def _copied(machine: NamespaceState) -> Resolver:
    return replace(machine.resolver or Resolver(), origin=Origin.COPY)


def _sysctls(first_port: str, ping: str, forward: str) -> dict[str, str]:
    return {
        "net.core.somaxconn": "4096",
        "net.ipv4.ip_forward": forward,
        "net.ipv4.ip_unprivileged_port_start": first_port,
        "net.ipv4.ping_group_range": ping,
    }


@cache
def recorded_scene() -> tuple[Columns, States]:
    """The recorded observation of Docker 26.1.5 in six modes at once, without rows."""
    raw = msgspec.json.decode((RECORDED / "seven_columns.json").read_bytes())
    found = msgspec.convert(raw | {"rows": []}, Comparison)
    return found.columns, found.states


def paths_by_key(columns: Columns, states: States) -> dict[str, RequestPath]:
    """The measured paths by key; each key occurs only once."""
    paths = measured_paths(columns, states)
    by_key = {path.key: path for path in paths}
    assert len(by_key) == len(paths)
    return by_key
