"""What a path is: how a request travels from one network namespace to a server in another."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from dashboard.core.namespaces.addresses import bracket
from dashboard.core.namespaces.links import veth_ends
from dashboard.core.namespaces.state import Family, Interface, NamespaceState

LOOPBACK_ADDRESSES = {Family.INET: "127.0.0.1", Family.INET6: "::1"}
ANY_ADDRESS = {Family.INET: "0.0.0.0", Family.INET6: "::"}  # noqa: S104 - compared, not bound
DIRECT_LINKS = frozenset({"macvlan", "ipvlan"})


class PathKind(StrEnum):
    """How a request travels."""

    LOOPBACK = "loopback"
    BRIDGE_ADDRESS = "bridge-address"
    PUBLISHED_DNAT = "published-dnat"
    PUBLISHED_PROXY = "published-proxy"
    CONTAINER_TO_CONTAINER = "container-to-container"
    SHARED_NAMESPACE = "shared-namespace"
    RESOLVER = "resolver"


@dataclass(frozen=True, slots=True)
class Path:
    """One way from ``client``'s namespace to ``server``'s, both keys of columns.

    ``port`` is the TCP port to connect to and ``udp_port`` the UDP port, 0 where none leads there;
    ``server_port`` is where the program behind them listens. With ``fixed`` only that port is led through
    (it is published); otherwise any port of the server's namespace can be reached, and a responder takes
    a free one. ``hops`` in the order of the request. ``host_name`` is the name by which ``client`` finds
    the address, if it has one. ``unavailable`` says why there is no such path; then there is no address.
    """

    kind: PathKind
    title: str
    client: str
    server: str
    family: Family = Family.INET
    address: str = ""
    port: int = 0
    udp_port: int = 0
    server_port: int = 0
    fixed: bool = False
    hops: tuple[str, ...] = ()
    host_name: str = ""
    unavailable: str = ""

    @property
    def name(self) -> str:
        """The kind, with ``-ipv6`` where it goes over IPv6."""
        return f"{self.kind}-ipv6" if self.family is Family.INET6 else str(self.kind)

    @property
    def key(self) -> str:
        """Identity within an experiment, e.g. ``bridge/published-dnat``."""
        return f"{self.server}/{self.name}"

    @property
    def target(self) -> str:
        """Address and port as a person would type them."""
        return f"{bracket(self.address)}:{self.port}" if self.address else ""


@dataclass(frozen=True, slots=True)
class Cable:
    """How a column's namespace hangs on a bridge of the machine."""

    bridge: Interface
    outer: Interface
    inner: Interface


def family_of(address: str) -> Family:
    """By the text: only IPv6 has colons."""
    return Family.INET6 if ":" in address else Family.INET


def global_addresses(link: Interface, family: Family) -> list[str]:
    """Those that are valid beyond the link."""
    return [one.address for one in link.addresses if one.family == family and one.scope == "global"]


def cables_between(machine: NamespaceState, inside: NamespaceState) -> list[Cable]:
    """The veth pairs that join ``inside`` to bridges of the machine."""
    bridges = {one.name: one for one in machine.interfaces if one.kind == "bridge"}
    return [
        Cable(bridges[outer.master], outer, inner)
        for outer, inner in veth_ends(machine, inside)
        if outer.master in bridges
    ]


def reached_address(cable: Cable, family: Family) -> str | None:
    """The inner address that lies in one of the bridge's own subnets, so that the machine reaches it directly."""
    own = [
        ipaddress.ip_network(f"{one.address}/{one.prefix}", strict=False)
        for one in cable.bridge.addresses
        if one.family == family and one.scope == "global"
    ]
    for address in global_addresses(cable.inner, family):
        if any(ipaddress.ip_address(address) in network for network in own):
            return address
    return None


def inner_hops(cables: Sequence[Cable], family: Family) -> tuple[str, ...]:
    """Bridge, outer end and inner end of the pair with an address of ``family``; nothing if there is none."""
    for cable in cables:
        if global_addresses(cable.inner, family):
            return (cable.bridge.name, cable.outer.name, cable.inner.name)
    return ()


def kind_of(path: str) -> str:
    """``published-proxy`` of ``published-proxy-ipv6``."""
    return path.removesuffix("-ipv6")
