"""Builders of core values with valid defaults."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from dashboard.core.experiments.messages import ArmStatus, Column, ContainerRef, PublishedPort
from dashboard.core.modes import ArmSpec, Mode
from dashboard.core.namespaces.state import (
    Address,
    Family,
    HostsEntry,
    Interface,
    Listener,
    NamespaceState,
    Origin,
    Protocol,
    Resolver,
    Route,
    sorted_state,
)

MACHINE = "machine"
MACHINE_NETNS = 4026531840
DISCARDED = "Published ports are discarded when using host network mode"
States = dict[str, NamespaceState]
Columns = tuple[Column, ...]


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
