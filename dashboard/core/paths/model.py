"""The path of a request from one network namespace to a server in another."""

import ipaddress
import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from dashboard.core.experiments.messages import Column
from dashboard.core.modes import ROOTLESS_NETNS
from dashboard.core.namespaces.addresses import format_endpoint
from dashboard.core.namespaces.links import veth_ends
from dashboard.core.namespaces.state import Family, Interface, NamespaceState

LOOPBACK_ADDRESSES = {Family.INET: "127.0.0.1", Family.INET6: "::1"}
ANY_ADDRESS = {Family.INET: "0.0.0.0", Family.INET6: "::"}  # noqa: S104 - compared, not bound


class PathKind(StrEnum):
    """How a request travels. ``PUBLISHED_ROOTLESS``: through the process that forwards the ports of a rootless Podman
    into the container's namespace. ``MACHINE_ADDRESS``: to a host mode container over the machine's own address;
    ``INSIDE``: to 127.0.0.1 in the container's own namespace; ``LAN_…``: from another machine on the LAN, to a host
    mode container, to a published port, and to the container's own address; ``PEER_…``: to the same three from another
    host on the LAN; ``REMOTE_…``: to the same three from a container on that host, and over a network that spans both
    hosts; ``HAIRPIN``: from a container to its own published port; ``TO_LAN``: from a container to the neighbour's
    server; ``FROM_MACHINE_…``: to the same three from another machine of the installation, and over an overlay network
    from an arm there."""

    LOOPBACK = "loopback"
    BRIDGE_ADDRESS = "bridge-address"
    PUBLISHED_DNAT = "published-dnat"
    PUBLISHED_PROXY = "published-proxy"
    PUBLISHED_ROOTLESS = "published-rootless"
    CONTAINER_TO_CONTAINER = "container-to-container"
    SHARED_NAMESPACE = "shared-namespace"
    RESOLVER = "resolver"
    MACHINE_ADDRESS = "machine-address"
    INSIDE = "inside"
    LAN_ADDRESS = "lan-address"
    LAN_PUBLISHED = "lan-published"
    LAN_CONTAINER = "lan-container"
    PEER_ADDRESS = "peer-address"
    PEER_PUBLISHED = "peer-published"
    PEER_CONTAINER = "peer-container"
    REMOTE_ADDRESS = "remote-address"
    REMOTE_PUBLISHED = "remote-published"
    REMOTE_CONTAINER = "remote-container"
    REMOTE_OVERLAY = "remote-overlay"
    HAIRPIN = "hairpin"
    TO_LAN = "to-lan"
    FROM_MACHINE_ADDRESS = "from-machine-address"
    FROM_MACHINE_PUBLISHED = "from-machine-published"
    FROM_MACHINE_CONTAINER = "from-machine-container"
    FROM_MACHINE_OVERLAY = "from-machine-overlay"


#: The first character of a client that is another machine of the installation; its name follows.
MACHINE_KEY = "@"

#: The kinds that measurements and diagrams show.
MEASURED_KINDS = frozenset(PathKind) - {
    PathKind.MACHINE_ADDRESS,
    PathKind.INSIDE,
    PathKind.PEER_CONTAINER,
    PathKind.REMOTE_CONTAINER,
    PathKind.TO_LAN,
    PathKind.FROM_MACHINE_CONTAINER,
}
#: The kinds that pass the machine's packet filter, from or to the LAN, or from a container to itself.
FILTERED_KINDS = frozenset(
    {
        PathKind.LAN_ADDRESS,
        PathKind.LAN_PUBLISHED,
        PathKind.LAN_CONTAINER,
        PathKind.PEER_ADDRESS,
        PathKind.PEER_PUBLISHED,
        PathKind.PEER_CONTAINER,
        PathKind.REMOTE_ADDRESS,
        PathKind.REMOTE_PUBLISHED,
        PathKind.REMOTE_CONTAINER,
        PathKind.REMOTE_OVERLAY,
        PathKind.HAIRPIN,
        PathKind.TO_LAN,
        PathKind.FROM_MACHINE_ADDRESS,
        PathKind.FROM_MACHINE_PUBLISHED,
        PathKind.FROM_MACHINE_CONTAINER,
        PathKind.FROM_MACHINE_OVERLAY,
    }
)


@dataclass(frozen=True, slots=True)
class Path:
    """A path from ``client``'s namespace to ``server``'s; both are keys of columns, or ``client`` is ``@`` and the name
    of another machine.

    ``port`` is the TCP port to connect to and ``udp_port`` the UDP port, 0 if no port leads there; ``server_port`` is
    the port on which the program listens. With ``fixed`` only that port is reachable (it is published); otherwise any
    port of the server's namespace is, and a responder takes a free one. ``hops`` are in the order of the request.
    ``host_name`` is the name that ``client`` resolves to the address, if there is one. ``unavailable`` is the reason
    why the path does not exist; then there is no address. ``network`` is 2 or more for the same kind of path over
    further networks of the server. ``udp_missing`` is the reason why no UDP port leads there although one is published.
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
    network: int = 1
    udp_missing: str = ""

    @property
    def name(self) -> str:
        """The kind, with ``.2`` for the second network, ``-ipv6`` over IPv6, and ``@NAME`` for another machine."""
        number = f".{self.network}" if self.network > 1 else ""
        machine = self.client if self.client.startswith(MACHINE_KEY) else ""
        return f"{self.kind}{number}{'-ipv6' if self.family is Family.INET6 else ''}{machine}"

    @property
    def key(self) -> str:
        """The key of the measured path, e.g. ``bridge/published-dnat``; unique among ``measured_paths``."""
        return f"{self.server}/{self.name}"

    @property
    def target(self) -> str:
        """``address:port``; empty if the path does not exist."""
        return format_endpoint(self.address, self.port) if self.address else ""


def first_available(paths: Iterable[Path], key: Callable[[Path], Hashable]) -> tuple[Path, ...]:
    """One path for each ``key``: the first that exists, otherwise the first."""
    chosen: dict[Hashable, Path] = {}
    for path in paths:
        current = chosen.setdefault(key(path), path)
        if current.unavailable and not path.unavailable:
            chosen[key(path)] = path
    return tuple(chosen.values())


@dataclass(frozen=True, slots=True)
class VethLink:
    """A veth pair that joins a column's namespace to a bridge of the machine."""

    bridge: Interface
    outer: Interface
    inner: Interface

    @property
    def hops(self) -> tuple[str, ...]:
        """The names of the bridge, the machine's end and the container's end."""
        return (self.bridge.name, self.outer.name, self.inner.name)


def family_of(address: str) -> Family:
    """The family of an address: only IPv6 addresses contain colons."""
    return Family.INET6 if ":" in address else Family.INET


def global_addresses(link: Interface, family: Family) -> list[str]:
    """The addresses of a link with scope global."""
    return [address.address for address in link.addresses if address.family == family and address.scope == "global"]


def link_with(state: NamespaceState, address: str) -> Interface | None:
    """The link that has an address."""
    return next((link for link in state.interfaces if any(one.address == address for one in link.addresses)), None)


def veth_links(machine: NamespaceState, inside: NamespaceState) -> list[VethLink]:
    """The veth pairs that join ``inside`` to bridges of the machine."""
    bridges = {link.name: link for link in machine.interfaces if link.kind == "bridge"}
    return [
        VethLink(bridges[outer.master], outer, inner)
        for outer, inner in veth_ends(machine, inside)
        if outer.master in bridges
    ]


def reachable_address(veth: VethLink, family: Family) -> str | None:
    """The container's address in one of the bridge's subnets, which the machine reaches directly; None without one."""
    subnets = [
        ipaddress.ip_network(f"{address.address}/{address.prefix}", strict=False)
        for address in veth.bridge.addresses
        if address.family == family and address.scope == "global"
    ]
    for address in global_addresses(veth.inner, family):
        if any(ipaddress.ip_address(address) in subnet for subnet in subnets):
            return address
    return None


def inner_address(veths: Sequence[VethLink], family: Family) -> tuple[str, tuple[str, ...]]:
    """The container's first address of ``family`` behind these veth pairs, and the hops to it; both empty without
    one."""
    return next(((address, veth.hops) for veth in veths for address in global_addresses(veth.inner, family)), ("", ()))


def client_machine(path: str) -> str:
    """The machine that is the client, from the name of a path: ``lab2`` in ``from-machine-address@lab2``; empty for
    other paths."""
    return path.partition(MACHINE_KEY)[2]


def without_network(path: str) -> str:
    """The name of a path without its network and the client's machine: ``bridge-address-ipv6`` for
    ``bridge-address.2-ipv6``."""
    return re.sub(r"\.\d{1,4}(?=-ipv6$|$)", "", path.partition(MACHINE_KEY)[0])


def network_of(path: str) -> int:
    """The number of the network in the name of a path: 2 in ``bridge-address.2-ipv6``; 1 without a number."""
    number = re.search(r"\.(\d{1,4})(?:-ipv6)?$", path.partition(MACHINE_KEY)[0])
    return int(number[1]) if number else 1


def kind_of(path: str) -> str:
    """The kind in the name of a path: ``published-proxy`` in ``published-proxy-ipv6``, ``bridge-address`` in
    ``bridge-address.2``."""
    return without_network(path).removesuffix("-ipv6")


def describe_bridge_elsewhere(column: Column, states: Mapping[str, NamespaceState]) -> str:
    """Where the bridge of a rootless Podman's container is; empty if it is not seen in rootless-netns."""
    bridges = states.get(ROOTLESS_NETNS)
    ends = veth_ends(bridges, states[column.key]) if bridges is not None else ()
    name = next((outer.master for outer, _inner in ends if outer.master), "")
    return f"the bridge {name} of {column.title} is in {ROOTLESS_NETNS}, not on the machine" if name else ""
