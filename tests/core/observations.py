"""Observations for the tests of checks: a machine with docker0, and containers in any mode."""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import Any

from dashboard.core.experiments.messages import PublishedPort
from dashboard.core.namespaces.state import Listener, Lookup, NamespaceState, Origin, Resolver
from dashboard.core.workshops.observation import ContainerSnapshot, Observation, TcpConnection
from tests.core.builders import MACHINE_NETNS, make_interface, make_listener, make_loopback

NAMESPACES = {"mnt": 1, "pid": 2, "ipc": 3, "uts": 4}
NOW = 1_000_000.0
LINKS = (
    make_loopback(),
    make_interface("eth0", 2, addresses=("192.0.2.2/24",)),
    make_interface("docker0", 3, "bridge", addresses=("172.17.0.1/16",)),
)


def make_machine(*listeners: Listener, **more: Any) -> NamespaceState:
    """The machine with its listeners."""
    fields: dict[str, Any] = {
        "namespaces": {**NAMESPACES, "net": MACHINE_NETNS},
        "interfaces": LINKS,
        "listeners": listeners,
        "resolver": Resolver(("10.0.0.1",), origin=Origin.MACHINE),
        "sysctls": {"net.ipv4.ip_unprivileged_port_start": "1024"},
    }
    return NamespaceState(MACHINE_NETNS, **(fields | more))


def make_container(name: str = "web", mode: str = "bridge", **more: Any) -> ContainerSnapshot:
    """A running nginx container that listens on port 80 and was started ten seconds ago.

    ``port`` is its listening port (None for no listener); ``publish`` maps a port of the machine to port 80.
    """
    identity = f"{zlib.crc32(name.encode()):012x}{'0' * 52}"
    port, publish = more.pop("port", 80), more.pop("publish", None)
    alive = more.get("running", True)
    number = sum(name.encode()) + 5_000_000_000
    address = "" if mode in {"host", "none", "container"} else f"172.17.0.{2 + number % 200}"
    own = {kind: number + place for place, kind in enumerate(NAMESPACES, start=1)}
    listeners = (make_listener(port, "nginx", 300, container=identity),) if port else ()
    link = make_interface("eth0", 20, "veth", addresses=(f"{address}/16",) if address else ())
    origin = {"host": Origin.COPY, "user-bridge": Origin.DOCKER}.get(mode, Origin.STRIPPED)
    resolver = Resolver(("127.0.0.11",) if mode == "user-bridge" else ("10.0.0.1",), origin=origin)
    state = NamespaceState(
        number,
        namespaces=own,
        interfaces=(make_loopback(), link),
        listeners=listeners,
        resolver=resolver,
        lookups=more.pop("lookups", ()),
    )
    if mode == "host":
        state = replace(state, netns=MACHINE_NETNS, interfaces=LINKS)
    mapped = (PublishedPort(80, "tcp", "0.0.0.0", publish),) if publish else ()
    fields: dict[str, Any] = {
        "image": "nginx",
        "status": "running" if alive else "exited",
        "running": alive,
        "started": NOW - 10,
        "requested": mapped,
        "published": mapped if mode not in {"host", "none"} and alive else (),
        "networks": {"lab" if mode == "user-bridge" else "bridge": address} if address else {},
        "state": state if alive else None,
    }
    return ContainerSnapshot(identity, name, mode=mode, **(fields | more))


def make_observation(*containers: ContainerSnapshot, machine: NamespaceState | None = None, **more: Any) -> Observation:
    """An observation: a container in host mode listens on the machine, docker-proxy on each published port."""
    base = machine or make_machine()
    shown = [one for container in containers if container.state for one in _on_machine(container)]
    state = replace(base, listeners=(*base.listeners, *shown))
    fields: dict[str, Any] = {"at": NOW, "images": frozenset({"nginx:latest"})}
    return Observation(machine=state, containers=containers, **(fields | more))


def _on_machine(one: ContainerSnapshot) -> tuple[Listener, ...]:
    if one.mode == "host" and one.state is not None:
        return one.state.listeners
    return tuple(make_listener(port.host_port, "docker-proxy", 200) for port in one.published)


def make_connection(
    port: int = 80, server: str = "127.0.0.1", ago: float = 1.0, client: str = "127.0.0.1:50000"
) -> TcpConnection:
    """A request that ended ``ago`` seconds ago."""
    return TcpConnection(server, port, client, NOW - ago)


def answered(name: str, *answers: str) -> tuple[Lookup, ...]:
    """The result of a successful lookup."""
    return (Lookup(name, "answer" if answers else "no such name", answers),)
