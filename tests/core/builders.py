"""Builders of core values with valid defaults, scenes of any modes, and hypothesis strategies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec import UNSET

from dashboard.core.experiments.initial_columns import ROOTLESS_COLUMN
from dashboard.core.experiments.messages import ArmStatus, Column, Comparison, ContainerRef, PublishedPort, Row
from dashboard.core.experiments.stream import RowPatch, row_id
from dashboard.core.modes import NEIGHBOUR, OTHER_CONTAINER, OTHER_HOST, ROOTLESS_NETNS, ArmSpec, Mode
from dashboard.core.namespaces.links import is_cable
from dashboard.core.namespaces.state import (
    Address,
    DirectDrop,
    Family,
    FirewallRules,
    HostsEntry,
    Interface,
    IsolatedBridge,
    Listener,
    Lookup,
    NamespaceState,
    Origin,
    Protocol,
    Resolver,
    Route,
    Translation,
    UnreadRules,
    sorted_state,
)

MACHINE = "machine"
MACHINE_NETNS = 4026531840
RECORDED = Path(__file__).resolve().parent.parent / "recorded"
DISCARDED = "Published ports are discarded when using host network mode"
_NAMESPACES = {"mnt": 4026531841, "pid": 4026531836, "ipc": 4026531839, "uts": 4026531838}
_FORWARDING = {"bridge", "user-bridge", "overlay"}

States = dict[str, NamespaceState]
Columns = tuple[Column, ...]


# One value, valid as it stands.


def make_address(text: str = "192.0.2.2", prefix: int = 24) -> Address:
    """An address; family and scope follow from the text as the kernel would set them."""
    if ":" in text:
        scope = "link" if text.startswith("fe80") else "host" if text == "::1" else "global"
        return Address(text, prefix, Family.INET6, scope)
    return Address(text, prefix, Family.INET, "host" if text.startswith("127.") else "global")


def make_interface(name: str = "eth0", index: int = 2, kind: str = "physical", **more: Any) -> Interface:
    """A link. ``addresses`` can be texts such as ``192.0.2.2/24``."""
    texts = more.pop("addresses", ())
    addresses = tuple(_cidr(one) if isinstance(one, str) else one for one in texts)
    return Interface(name, index, kind, addresses=addresses, **({"mac": f"02:42:00:00:00:{index % 256:02x}"} | more))


def _cidr(text: str) -> Address:
    address, _, prefix = text.partition("/")
    return make_address(address, int(prefix))


def make_loopback() -> Interface:
    """lo with both of its addresses."""
    addresses = ("127.0.0.1/8", "::1/128")
    return make_interface("lo", 1, "loopback", mac="00:00:00:00:00:00", mtu=65536, addresses=addresses)


def make_listener(port: int = 80, process: str | None = "nginx", pid: int | None = 4711, **more: Any) -> Listener:
    """A TCP socket on all IPv4 addresses."""
    fields: dict[str, Any] = {"protocol": Protocol.TCP, "family": Family.INET, "address": "0.0.0.0"}
    return Listener(port=port, process=process, pid=pid, **(fields | more))


def make_route(destination: str = "default", gateway: str | None = "192.0.2.1", **more: Any) -> Route:
    """A route through eth0; the family follows from the destination unless given."""
    family = Family.INET6 if ":" in destination else Family.INET
    return Route(**({"family": family, "destination": destination, "gateway": gateway, "interface": "eth0"} | more))


def make_state(netns: int = MACHINE_NETNS, **more: Any) -> NamespaceState:
    """A namespace with loopback, eth0 and one listener, in canonical order."""
    fields: dict[str, Any] = {
        "hostname": "lab-1",
        "interfaces": (make_loopback(), make_interface(addresses=("192.0.2.2/24",))),
        "routes": (make_route(), make_route("192.0.2.0/24", None, source="192.0.2.2")),
        "listeners": (make_listener(22, "sshd", 811),),
        "resolver": Resolver(("192.0.2.53",), origin=Origin.MACHINE),
        "hosts": (HostsEntry("127.0.0.1", ("localhost",)),),
        "sysctls": {"net.ipv4.ip_forward": "1"},
    }
    return sorted_state(NamespaceState(netns, **(fields | more)))


def container_id(key: str) -> str:
    """The container id for a key: 64 hexadecimal digits, always the same."""
    return key.encode().hex().ljust(64, "0")[:64]


def make_column(key: str = "bridge", mode: str = "", **more: Any) -> Column:
    """The column of a running arm; its mode is its key without a number by default."""
    fields: dict[str, Any] = {
        "mode": mode or key.rstrip("-0123456789"),
        "title": key,
        "container": ContainerRef(container_id(key), f"nm-7f2a9c-{key}", "nginx"),
        "command": f"docker run --rm -d --network {key} nginx",
        "port": 80,
    }
    return Column(key, **(fields | more))


def machine_column() -> Column:
    """The machine's column."""
    return Column(MACHINE, MACHINE, "this machine")


def make_ports(host_port: int = 8080, container_port: int = 80, *addresses: str) -> tuple[PublishedPort, ...]:
    """One published port on these addresses, all IPv4 and all IPv6 by default."""
    return tuple(PublishedPort(container_port, "tcp", one, host_port) for one in addresses or ("0.0.0.0", "::"))


def make_arm(key: str = "bridge", mode: Mode | None = None, **more: Any) -> ArmSpec:
    """The specification of an arm; its mode is its key without a number by default."""
    return ArmSpec(key, mode or Mode(key.rstrip("-0123456789")), **more)


# A whole scene, as an engine makes it.


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


def end(columns: Columns, key: str, status: ArmStatus, **more: Any) -> Columns:
    """The columns with one arm that ended."""
    return tuple(
        replace(one, **({"status": status, "published": ()} | more)) if one.key == key else one for one in columns
    )


def with_column(columns: Columns, key: str, **more: Any) -> Columns:
    """The columns, with some fields of one column changed."""
    return tuple(replace(one, **more) if one.key == key else one for one in columns)


def without(states: Mapping[str, NamespaceState], *keys: str) -> States:
    """The states without these columns."""
    return {key: state for key, state in states.items() if key not in keys}


def shuffled(state: NamespaceState, draw: Callable[[Any], Any]) -> NamespaceState:
    """The same observation in another order."""
    return replace(
        state,
        interfaces=tuple(draw(st.permutations(state.interfaces))),
        routes=tuple(draw(st.permutations(state.routes))),
        listeners=tuple(draw(st.permutations(state.listeners))),
        sysctls=dict(draw(st.permutations(list(state.sysctls.items())))),
        namespaces=dict(draw(st.permutations(list(state.namespaces.items())))),
    )


# Strategies: small pools, so that two draws overlap and differences are not trivial.

ports = st.sampled_from([22, 53, 80, 443, 8080, 65535])
names = st.sampled_from(["lo", "eth0", "eth1", "docker0", "br-7f2a9c", "veth1a2b3c4", "tun0", "ünïx"])
inet_texts = st.sampled_from(["0.0.0.0", "127.0.0.1", "127.0.0.11", "192.0.2.2", "172.17.0.1", "172.17.0.2"])
inet6_texts = st.sampled_from(["::", "::1", "2001:db8::2", "fe80::42:1"])
addresses = st.one_of(
    st.builds(make_address, inet_texts, st.integers(0, 32)), st.builds(make_address, inet6_texts, st.integers(0, 128))
)
interfaces = st.builds(
    Interface,
    name=names,
    index=st.integers(1, 12),
    kind=st.sampled_from(["loopback", "physical", "veth", "bridge", "macvlan", "ipvlan", "tun", "vxlan"]),
    mac=st.sampled_from(["", "02:42:ac:11:00:02", "3a:00:00:00:00:07"]),
    mtu=st.sampled_from([1450, 1500, 65536]),
    up=st.booleans(),
    peer=st.one_of(st.none(), st.integers(1, 12).map("if{}".format), names),
    master=st.one_of(st.none(), st.sampled_from(["docker0", "br-7f2a9c"])),
    addresses=st.lists(addresses, max_size=3).map(tuple),
)
routes = st.builds(
    Route,
    family=st.sampled_from(Family),
    destination=st.sampled_from(["default", "172.17.0.0/16", "192.0.2.0/24", "fe80::/64"]),
    gateway=st.one_of(st.none(), inet_texts),
    interface=st.one_of(st.none(), names),
    source=st.one_of(st.none(), inet_texts),
    metric=st.one_of(st.none(), st.integers(0, 3)),
)
processes = st.sampled_from(["nginx", "sshd", "docker-proxy", "dockerd", "python3", None])
listeners = st.builds(
    Listener,
    protocol=st.sampled_from(Protocol),
    family=st.sampled_from(Family),
    address=st.one_of(inet_texts, inet6_texts),
    port=ports,
    pid=st.one_of(st.none(), st.integers(1, 4)),
    process=processes,
    container=st.sampled_from([None, container_id("host"), container_id("bridge"), "f0" * 32]),
    v6only=st.sampled_from([None, True, False]),
    interface=st.one_of(st.none(), names),
)
resolvers = st.builds(
    Resolver,
    nameservers=st.lists(inet_texts, max_size=3).map(tuple),
    search=st.lists(st.sampled_from(["a.example", "b.example"]), max_size=2).map(tuple),
    options=st.lists(st.sampled_from(["ndots:0", "rotate"]), max_size=2).map(tuple),
    origin=st.sampled_from(Origin),
)
hosts_entries = st.builds(
    HostsEntry,
    address=inet_texts,
    names=st.lists(st.sampled_from(["localhost", "lab-1", "db"]), min_size=1, max_size=2).map(tuple),
)
lookups = st.builds(
    Lookup,
    name=st.sampled_from(["localhost", "web", "host.docker.internal"]),
    outcome=st.sampled_from(["answer", "no such name", "no answer", "refused"]),
    answers=st.lists(inet_texts, max_size=2).map(tuple),
    server=st.one_of(st.none(), inet_texts, st.just("hosts file")),
    time_us=st.one_of(st.none(), st.integers(0, 2_000_000)),
)
sysctl_names = st.sampled_from(
    ["net.ipv4.ip_forward", "net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range", "net.core.somaxconn"]
)
translations = st.builds(
    Translation,
    protocol=st.sampled_from(Protocol),
    family=st.sampled_from(Family),
    port=ports,
    to_address=inet_texts,
    to_port=ports,
    address=st.sampled_from(["", "192.0.2.2"]),
    excluded=st.sampled_from([(), ("127.0.0.0/8",)]),
    condition=st.sampled_from(["", "-m owner --uid-owner 0"]),
)
firewalls = st.builds(
    FirewallRules,
    translations=st.lists(translations, max_size=3).map(tuple),
    isolated_bridges=st.sampled_from([(), (IsolatedBridge(Family.INET, "docker0"),)]),
    unread=st.sampled_from([(), (UnreadRules(Family.INET6, "ip6tables-save is not installed"),)]),
    closed_bridges=st.sampled_from([(), (IsolatedBridge(Family.INET, "docker0"),)]),
    direct_drops=st.sampled_from([(), (DirectDrop(Family.INET, "172.17.0.2", ("docker0", "eth0")),)]),
)
#: As they come from an adapter: in any order, with duplicates; a link's index is its own, as in the kernel.
observations = st.builds(
    NamespaceState,
    netns=st.integers(MACHINE_NETNS, MACHINE_NETNS + 3),
    hostname=st.sampled_from(["", "lab-1", container_id("bridge")[:12]]),
    namespaces=st.dictionaries(st.sampled_from(["mnt", "pid", "uts"]), st.integers(1, 3), max_size=3),
    interfaces=st.lists(interfaces, max_size=6, unique_by=lambda one: one.index).map(tuple),
    routes=st.lists(routes, max_size=6).map(tuple),
    listeners=st.lists(listeners, max_size=8).map(tuple),
    resolver=st.one_of(st.none(), resolvers),
    hosts=st.lists(hosts_entries, max_size=3).map(tuple),
    sysctls=st.dictionaries(sysctl_names, st.sampled_from(["0", "1", "1 0", "1\t0"]), max_size=4),
    lookups=st.lists(lookups, max_size=3, unique_by=lambda one: one.name).map(tuple),
    firewall=st.just(UNSET) | firewalls,
)
states = observations.map(sorted_state)
published_ports = st.builds(
    PublishedPort,
    container_port=ports,
    protocol=st.sampled_from(["tcp", "udp"]),
    host_address=st.sampled_from(["", "0.0.0.0", "::", "127.0.0.1"]),
    host_port=st.one_of(st.just(0), ports),
)
arm_keys = st.sampled_from(["host", "bridge", "user-bridge", "none", "container", "macvlan"])


def columns_with_key(key: str) -> st.SearchStrategy[Column]:
    """A column with this key and default fields."""
    return st.builds(
        make_column,
        key=st.just(key),
        asked=st.lists(published_ports, max_size=2).map(tuple),
        published=st.lists(published_ports, max_size=2).map(tuple),
        status=st.sampled_from(ArmStatus),
        warnings=st.sampled_from([(), (DISCARDED,)]),
        error=st.sampled_from([None, "Error response from daemon: no"]),
        exit_code=st.sampled_from([None, 0, 1]),
        networks=st.sampled_from([{}, {"bridge": "172.17.0.2"}, {"none": ""}]),
        target=st.sampled_from([None, "bridge"]),
    )


columns = arm_keys.flatmap(columns_with_key)


@st.composite
def generated_scenes(draw: st.DrawFn) -> tuple[Columns, States]:
    """Generates columns with arbitrary states, including impossible ones."""
    keys = draw(st.lists(arm_keys, max_size=4, unique=True))
    heads = (machine_column(), *(draw(columns_with_key(key)) for key in keys))
    if draw(st.integers(0, 2)) == 0:
        heads = (*heads, make_column(NEIGHBOUR, mode=NEIGHBOUR, container=None, port=None))
    found = {column.key: draw(states) for column in heads if draw(st.integers(0, 4)) > 0}
    return heads, found


@st.composite
def engine_scenes(draw: st.DrawFn) -> tuple[Columns, States]:
    """Generates scenes that an engine can produce: any set of modes, some arms ended, some services on the machine."""
    order = ["host", "bridge", "user-bridge", "none", "macvlan", "overlay", "container"]
    wanted = draw(st.lists(st.sampled_from(order), min_size=1, max_size=6, unique=True))
    heads, found = make_scene(
        sorted(wanted, key=order.index), publish=draw(st.sampled_from([None, 80, 8080])), sshd=draw(st.booleans())
    )
    for key in draw(st.lists(st.sampled_from(wanted), max_size=2, unique=True)):
        status = draw(st.sampled_from([ArmStatus.EXITED, ArmStatus.LOST, ArmStatus.GONE, ArmStatus.REFUSED]))
        heads = end(heads, key, status)
        found = without(found, key)
    return with_neighbour(heads, found) if draw(st.booleans()) else (heads, found)


def apply_rows(rows: tuple[Row, ...], patch: RowPatch) -> tuple[Row, ...]:
    """The rows after a patch, applied as the browser does; a property test compares them with
    those of ``diff_rows``."""
    gone = set(patch.remove)
    result = [row for row in rows if row_id(row) not in gone]
    for placed in patch.set:
        index = next((n for n, row in enumerate(result) if row_id(row) == placed.id), None)
        if index is not None:
            result[index] = placed.row
            continue
        behind = next((n for n, row in enumerate(result) if row_id(row) == placed.after), -1)
        result.insert(behind + 1, placed.row)
    return tuple(result)
