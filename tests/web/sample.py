"""Sample data for pages: a comparison of the machine and three arms, and builders for variants."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from dashboard.core.comparison.rows import compare
from dashboard.core.diagram.path_overlay import draw_paths
from dashboard.core.diagram.topology import draw
from dashboard.core.experiments.engine_kind import ONLY_PODMAN
from dashboard.core.experiments.inspect_commands import COMMANDS
from dashboard.core.experiments.messages import (
    ArmStatus,
    Check,
    Column,
    ContainerRef,
    Doctor,
    EngineRef,
    ExperimentHead,
    ModeReport,
    Phase,
    PublishedPort,
    TimelineItem,
)
from dashboard.core.experiments.presets.catalogue import PRESETS
from dashboard.core.experiments.presets.preset import prepare
from dashboard.core.experiments.stream import Snapshot
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
from dashboard.web.experiments.forms import LaunchForm

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
    """An arm with a separate network stack behind a bridge."""
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


def make_snapshot(
    phase: Phase = Phase.RUNNING,
    columns: tuple[Column, ...] | None = None,
    states: dict[str, NamespaceState] | None = None,
    timeline: tuple[TimelineItem, ...] | None = None,
    seq: int = 41,
    **head: Any,
) -> Snapshot:
    """A complete snapshot; each part can be replaced."""
    columns = make_columns() if columns is None else columns
    states = make_states() if states is None else states
    wide, narrow = draw(columns, states)
    return Snapshot(
        seq,
        make_head(phase, **head),
        columns,
        compare(columns, states),
        wide,
        narrow,
        make_timeline() if timeline is None else timeline,
        draw_paths(columns, states, (wide, narrow)),
    )


def make_eventful_snapshot() -> Snapshot:
    """Eight arms: one refused, one exited, one shares a network stack. They show every state of a column's head."""
    first, host, bridge, user = make_columns()
    states = make_states()
    exited = replace(
        host,
        status=ArmStatus.EXITED,
        exit_code=1,
        logs=(
            "2026/11/24 11:31:07 [emerg] 1#1: bind() to 0.0.0.0:80 failed (98: Address already in use)",
            "nginx: [emerg] bind() to 0.0.0.0:80 failed (98: Address already in use)",
        ),
    )
    refused = replace(
        make_column("overlay", "d4" * 32, "docker run --rm -d --network netmodes-7f2-o nginx"),
        container=None,
        status=ArmStatus.REFUSED,
        error="Error response from daemon: This node is not a swarm manager.",
    )
    shares = make_column(
        "container", "e5" * 32, "docker run --rm -d --network container:netmodes-7f2-bridge nginx", target="bridge"
    )
    lonely = make_column("none", "f6" * 32, "docker run --rm -d --network none nginx")
    lan = make_column("macvlan", "a7" * 32, "docker run --rm -d --network netmodes-7f2-m nginx")
    lan2 = make_column("ipvlan", "b8" * 32, "docker run --rm -d --network netmodes-7f2-i nginx")
    states["container"] = states["bridge"]
    states["none"] = NamespaceState(4026532801, "f6f6f6", interfaces=(_loopback(),))
    for key, netns, address in (("macvlan", 4026532901, "192.0.2.77"), ("ipvlan", 4026532951, "192.0.2.78")):
        link = make_link("eth0", 12, key, (address, 24), peer="eth0", mac="02:42:c0:00:02:4d")
        states[key] = NamespaceState(netns, key, interfaces=(_loopback(), link))
    columns = (first, exited, bridge, user, lonely, shares, lan, lan2, refused)
    return make_snapshot(
        columns=columns, states=states, notice="The image was built here: no registry answers.", progress=""
    )


def make_doctor() -> Doctor:
    """The doctor's report of an ordinary machine."""
    missing = "This engine is not part of a swarm: run `docker swarm init` to try overlay networks."
    kernel = "This kernel has no ipvlan module."
    modes = ("host", "bridge", "user-bridge", "none", "container", "macvlan")
    return Doctor(
        EngineRef("26.1.5", "1.45", "lab-1", "6.18.1", "Debian GNU/Linux 13", endpoint="unix:///run/docker.sock"),
        (
            *(ModeReport(mode, True) for mode in modes),
            ModeReport("ipvlan", False, kernel),
            ModeReport("overlay", False, missing),
            *(ModeReport(mode, False, ONLY_PODMAN) for mode in ("pasta", "slirp4netns", "private", "ns")),
        ),
        (
            Check("Docker Engine", True, "26.1.5, API 1.45, unix:///run/docker.sock"),
            Check("enter namespaces", True, "setns works: CAP_SYS_ADMIN"),
            Check("docker-proxy", True, "userland proxy is on"),
            Check("image nginx", False, "not here yet; it will be built from Debian's packages at first launch"),
        ),
    )


@dataclass(frozen=True, slots=True)
class Listed:
    """An experiment in the lists of the start page."""

    id: str
    title: str
    image: str
    port: int
    phase: str
    modes: tuple[str, ...]
    created_at: datetime
    url: str


def make_listed(phase: str, count: int = 1) -> list[Listed]:
    """Experiments as the start page lists them."""
    return [
        Listed(
            f"e{number}",
            f"nginx on port {80 + number}",
            "nginx",
            80 + number,
            phase,
            ("host", "bridge", "user-bridge", "none")[: 2 + number % 3],
            datetime.fromtimestamp(STARTED_AT - 3600 * number, UTC),
            f"/experiments/e{number}/",
        )
        for number in range(count)
    ]


INSPECT_COMMANDS: tuple[dict[str, Any], ...] = tuple(
    {"key": one.key, "text": one.text, "needs_name": one.needs_name, "section": one.section}
    for one in COMMANDS.values()
)

ATTEMPTS: tuple[dict[str, Any], ...] = (
    {
        "path": "loopback",
        "title": "Host mode over loopback",
        "from": "this machine",
        "url": "http://127.0.0.1:80/",
        "curl": "curl http://127.0.0.1:80/",
        "status": 200,
        "reason": "OK",
        "body_start": "<!DOCTYPE html><html><head><title>Welcome to nginx!</title>",
        "time_us": 412,
        "client_seen": "127.0.0.1",
        "error": None,
        "unavailable": None,
    },
    {
        "path": "published-proxy",
        "title": "Published port through docker-proxy",
        "from": "this machine",
        "url": "http://127.0.0.1:8080/",
        "curl": "curl http://127.0.0.1:8080/",
        "status": 200,
        "reason": "OK",
        "body_start": "<!DOCTYPE html>",
        "time_us": 1904,
        "client_seen": "172.17.0.1",
        "error": None,
        "unavailable": None,
    },
    {
        "path": "bridge-address",
        "title": "The container's own address, closed port",
        "from": "this machine",
        "url": "http://172.18.0.2:8080/",
        "curl": "curl http://172.18.0.2:8080/",
        "status": None,
        "reason": "",
        "body_start": "",
        "time_us": 95,
        "client_seen": None,
        "error": "Connection refused: nobody listens on port 8080 at 172.18.0.2.",
        "unavailable": None,
    },
    {
        "path": "published-dnat",
        "title": "Published port through DNAT",
        "from": "this machine",
        "url": "",
        "curl": "",
        "status": None,
        "reason": "",
        "body_start": "",
        "time_us": None,
        "client_seen": None,
        "error": None,
        "unavailable": "user-bridge publishes no port.",
    },
)

ENGINE_CHIP = SimpleNamespace(text="Engine 26.1.5 · lab-1", ok=True, private=False)


def base_context(**more: Any) -> dict[str, Any]:
    """The context of every page."""
    return {"engine_chip": ENGINE_CHIP, "signed_in": True} | more


def home_context(**more: Any) -> dict[str, Any]:
    """The start page's context."""
    fields: dict[str, Any] = {
        "running": make_listed("running", 2),
        "past": make_listed("stopped", 5),
        "modes": list(make_doctor().modes),
        "engine_problem": "",
        "images": ["nginx", "nginx:1.28", "busybox:latest"],
        "form": LaunchForm(free_port=8080),
        "presets": [prepare(preset, ("nginx:latest",), 8080) for preset in PRESETS],
    }
    return base_context(**(fields | more))


def experiment_context(snapshot: Snapshot | None = None, **more: Any) -> dict[str, Any]:
    """The experiment page's context."""
    fields: dict[str, Any] = {
        "snapshot": snapshot or make_snapshot(),
        "experiment_url": "/experiments/7f2a9c/",
        "ws_path": "/ws/experiments/7f2a9c/",
        "inspect_commands": INSPECT_COMMANDS,
    }
    return base_context(**(fields | more))


def make_crowd(count: int) -> Iterable[Listener]:
    """Many listeners, for folded cells and the size of a large patch."""
    return (make_listener(20_000 + number, f"worker{number}", 50_000 + number) for number in range(count))
