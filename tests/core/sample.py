"""An experiment as it could be observed: the machine, a host arm and a bridge arm."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from dashboard.core.experiments.messages import Column, ContainerRef, ExperimentHead, Phase, PublishedPort, TimelineItem
from dashboard.core.namespaces.state import (
    Address,
    Family,
    HostsEntry,
    Interface,
    Listener,
    Lookup,
    NamespaceState,
    Origin,
    Protocol,
    Resolver,
    Route,
    sorted_state,
)

STARTED_AT = 1_780_000_000.0
HOST_ID, BRIDGE_ID, USER_ID = "a1" * 32, "b2" * 32, "c3" * 32
DISCARDED = "Published ports are discarded when using host network mode"
NAMESPACES = {"mnt": 4026532443, "pid": 4026532446, "ipc": 4026532445, "uts": 4026532444}


def _address(text: str, prefix: int) -> Address:
    if ":" in text:
        return Address(text, prefix, Family.INET6, "link" if text.startswith("fe80") else "global")
    return Address(text, prefix, Family.INET, "host" if text.startswith("127.") else "global")


def make_link(name: str, index: int, kind: str, *addresses: tuple[str, int], **more: Any) -> Interface:
    """One interface; further fields by name."""
    return Interface(name, index, kind, addresses=tuple(_address(*one) for one in addresses), **more)


def make_listener(port: int, process: str, pid: int, **more: Any) -> Listener:
    """A TCP listener on all IPv4 addresses by default."""
    fields: dict[str, Any] = {"protocol": Protocol.TCP, "family": Family.INET, "address": "0.0.0.0"}
    return Listener(port=port, process=process, pid=pid, **(fields | more))


def _loopback() -> Interface:
    return make_link("lo", 1, "loopback", ("127.0.0.1", 8), ("::1", 128), mtu=65536)


def _resolver(origin: Origin, *servers: str, options: tuple[str, ...] = ()) -> Resolver:
    return Resolver(servers, ("lab.internal",), options, origin)


def machine_state(*more: Listener) -> NamespaceState:
    """The machine: docker0, a user bridge, two veth ends, a few services; nginx of the host-mode arm."""
    return sorted_state(
        NamespaceState(
            4026531840,
            "lab-1",
            {"mnt": 4026531841, "pid": 4026531836, "ipc": 4026531839, "uts": 4026531838},
            (
                _loopback(),
                make_link("eth0", 2, "physical", ("192.0.2.2", 24), ("fe80::2", 64), mac="02:42:c0:00:02:02"),
                make_link("docker0", 3, "bridge", ("172.17.0.1", 16), mac="02:42:01:01:01:01"),
                make_link("br-7f2a", 4, "bridge", ("172.18.0.1", 16), mac="02:42:02:02:02:02"),
                make_link("veth1a2b", 7, "veth", peer="if6", master="docker0", mac="3a:00:00:00:00:07"),
                make_link("veth3c4d", 9, "veth", peer="if8", master="br-7f2a", mac="3a:00:00:00:00:09"),
            ),
            (
                Route(Family.INET, "default", "192.0.2.1", "eth0"),
                Route(Family.INET, "192.0.2.0/24", None, "eth0", "192.0.2.2"),
                Route(Family.INET, "172.17.0.0/16", None, "docker0", "172.17.0.1"),
                Route(Family.INET, "172.18.0.0/16", None, "br-7f2a", "172.18.0.1"),
            ),
            (
                make_listener(22, "sshd", 811),
                make_listener(5432, "postgres", 902, address="127.0.0.1"),
                make_listener(53, "systemd-resolve", 640, address="127.0.0.53"),
                make_listener(80, "nginx", 41207, container=HOST_ID),
                make_listener(8080, "docker-proxy", 41271),
                make_listener(8080, "docker-proxy", 41276, family=Family.INET6, address="::", v6only=True),
                *more,
            ),
            _resolver(Origin.MACHINE, "127.0.0.53", options=("edns0",)),
            (HostsEntry("127.0.0.1", ("localhost",)), HostsEntry("192.0.2.9", ("db.internal",))),
            {
                "net.ipv4.ip_unprivileged_port_start": "1024",
                "net.ipv4.ping_group_range": "1 0",
                "net.ipv4.ip_forward": "1",
                "net.core.somaxconn": "4096",
            },
            (
                Lookup("db.internal", "answer", ("192.0.2.9",), "hosts file"),
                Lookup("web-bridge", "no such name", (), "127.0.0.53", 812),
            ),
        )
    )


def host_state(machine: NamespaceState) -> NamespaceState:
    """A host-mode arm: the machine's network stack, its own mounts and processes, a copied resolv.conf."""
    resolver = machine.resolver
    return replace(
        machine,
        namespaces=NAMESPACES,
        resolver=None if resolver is None else replace(resolver, origin=Origin.COPY),
    )


def bridge_state(
    netns: int, address: str, peer: str, index: int, pid: int, container: str, *, docker_dns: bool = False
) -> NamespaceState:
    """The state of an arm with a separate network stack behind a bridge."""
    gateway = address.rsplit(".", 1)[0] + ".1"
    network = address.rsplit(".", 2)[0] + ".0.0/16"
    answered = Lookup("web-bridge", "answer", ("172.18.0.3",), "127.0.0.11", 404)
    silent = Lookup("web-bridge", "no such name", (), "192.0.2.1", 1350)
    return sorted_state(
        NamespaceState(
            netns,
            container[:12],
            {name: inode + 100 + index for name, inode in NAMESPACES.items()},
            (
                _loopback(),
                make_link("eth0", index, "veth", (address, 16), peer=peer, mac=f"02:42:ac:00:00:{index:02x}"),
            ),
            (
                Route(Family.INET, "default", gateway, "eth0"),
                Route(Family.INET, network, None, "eth0", address),
            ),
            (make_listener(80, "nginx", pid, container=container),),
            _resolver(Origin.DOCKER, "127.0.0.11", options=("ndots:0",))
            if docker_dns
            else _resolver(Origin.STRIPPED, "192.0.2.1"),
            (HostsEntry("127.0.0.1", ("localhost",)), HostsEntry(address, (container[:12],))),
            {
                "net.ipv4.ip_unprivileged_port_start": "0",
                "net.ipv4.ping_group_range": "0 2147483647",
                "net.ipv4.ip_forward": "1",
                "net.core.somaxconn": "4096",
            },
            (
                Lookup("db.internal", "no such name", (), "192.0.2.1", 1204),
                answered if docker_dns else silent,
            ),
        )
    )


def make_column(key: str, container: str, command: str, **more: Any) -> Column:
    """The head of an arm's column; its mode is its key by default."""
    fields: dict[str, Any] = {
        "mode": key,
        "title": key,
        "container": ContainerRef(container, f"netmodes-7f2-{key}", "nginx"),
        "command": command,
        "port": 80,
    }
    return Column(key, **(fields | more))


def make_columns() -> tuple[Column, ...]:
    """Columns of the machine, host with a discarded port, bridge with a published port, user-bridge."""
    both = (PublishedPort(80, "tcp", "0.0.0.0", 8080), PublishedPort(80, "tcp", "::", 8080))
    asked = (PublishedPort(80, "tcp", "", 8080),)
    return (
        Column("machine", "machine", "this machine"),
        make_column(
            "host",
            HOST_ID,
            "docker run --rm -d --network host -p 8080:80 nginx",
            warnings=(DISCARDED,),
            asked=asked,
        ),
        make_column(
            "bridge",
            BRIDGE_ID,
            "docker run --rm -d -p 8080:80 nginx",
            published=both,
            asked=asked,
            networks={"bridge": "172.17.0.2"},
        ),
        make_column(
            "user-bridge",
            USER_ID,
            "docker run --rm -d --network netmodes-7f2 nginx",
            networks={"netmodes-7f2": "172.18.0.2"},
        ),
    )


def make_states(*more: Listener) -> dict[str, NamespaceState]:
    """The states of ``make_columns``; ``more`` listens on the machine (and so in host mode)."""
    machine = machine_state(*more)
    return {
        "machine": machine,
        "host": host_state(machine),
        "bridge": bridge_state(4026532561, "172.17.0.2", "if7", 6, 41288, BRIDGE_ID),
        "user-bridge": bridge_state(4026532674, "172.18.0.2", "if9", 8, 41350, USER_ID, docker_dns=True),
    }


def make_timeline() -> tuple[TimelineItem, ...]:
    """The timeline of a launch."""
    lines = (
        (0.0, "Launch requested, 3 arms", "a person", ()),
        (0.081, "host created; the Engine warns: published ports discarded", "create", ("host",)),
        (0.214, "bridge eth0 gets 172.17.0.2", "network attach", ("bridge",)),
        (0.231, "docker-proxy opens :8080 on this machine", "process 41271", ("machine", "host")),
        (0.390, "nginx opens :80 in host", "process 41207", ("host", "machine")),
        (0.402, "nginx opens :80 in bridge", "process 41288", ("bridge",)),
        (0.455, "nginx opens :80 in user-bridge", "process 41350", ("user-bridge",)),
        (132.7, "python3 opens :9000 in host, and so on this machine", "process 41402", ("host", "machine")),
    )
    return tuple(
        TimelineItem(number, STARTED_AT + offset, offset, text, cause, columns)
        for number, (offset, text, cause, columns) in enumerate(lines, start=1)
    )


def make_head(phase: Phase = Phase.RUNNING, **more: Any) -> ExperimentHead:
    """The head of an experiment."""
    fields: dict[str, Any] = {
        "created_at": STARTED_AT - 1,
        "started_at": STARTED_AT,
        "stopped_at": STARTED_AT + 134 if phase in {Phase.STOPPED, Phase.FAILED} else None,
        "engine": "26.1.5",
    }
    return ExperimentHead("7f2a9c", "nginx on port 80", "nginx", 80, phase, **(fields | more))


def make_crowd(count: int) -> Iterable[Listener]:
    """Many listeners, for folded cells and the size of a large patch."""
    return (make_listener(20_000 + number, f"worker{number}", 50_000 + number) for number in range(count))
