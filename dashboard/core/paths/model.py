"""The model of a path: how a request travels from one network namespace to a server in another."""

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
    """The kinds of paths, by how the request travels.

    - ``LOOPBACK`` and ``MACHINE_ADDRESS``: from the machine to a host mode container, over loopback or the machine's
      own address.
    - ``BRIDGE_ADDRESS``: from the machine to the container's own address.
    - ``PUBLISHED_…``: from the machine to a published port, through DNAT, docker-proxy, or the process that forwards
      the ports of a rootless Podman into the container's namespace.
    - ``CONTAINER_TO_CONTAINER`` and ``SHARED_NAMESPACE``: from another container, over a network or in the same
      namespace.
    - ``INSIDE``: to 127.0.0.1 in the container's own namespace.
    - ``LAN_…``, ``PEER_…``, ``REMOTE_…`` and ``FROM_MACHINE_…``: from the neighbour on the LAN, from another host on
      the LAN, from a container on that host, and from another machine of the installation. They lead to a host mode
      container (``…_ADDRESS``), to a published port (``…_PUBLISHED``) or to the container's own address
      (``…_CONTAINER``).
    - ``REMOTE_OVERLAY`` and ``FROM_MACHINE_OVERLAY``: over an overlay network, from a container on the other host or
      machine.
    - ``HAIRPIN``: from a container to its own published port.
    - ``TO_LAN``: from a container to the neighbour's server.
    - ``RESOLVER``: from a column to its name server.
    """

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
    """A path from the namespace of ``client`` to the namespace of ``server``. Both are keys of columns; ``client`` may
    also be ``@`` and the name of another machine.

    ``port`` is the TCP port to connect to, and ``udp_port`` the UDP port; 0 if no port leads to the server. If a UDP
    port is published but leads nowhere, ``udp_missing`` is the reason. ``server_port`` is the port on which the program
    listens. If ``fixed`` is true, measurements use ``server_port``, because other ports may not be reachable. Otherwise
    every port of the server's namespace is reachable, and measurements use a free one.

    ``hops`` are in the order of the request. ``host_name`` is the name that ``client`` resolves to the address; empty
    if there is no name. ``unavailable`` is the reason why the path does not exist; then ``address`` is empty. If the
    same kind of path leads over several networks of the server, ``network`` is the number of this one, counted from 1.
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
        """The name of the path among those to its server: the kind, with ``.2`` for the second network, ``-ipv6`` over
        IPv6, and ``@NAME`` if the client is another machine."""
        number = f".{self.network}" if self.network > 1 else ""
        machine = self.client if self.client.startswith(MACHINE_KEY) else ""
        return f"{self.kind}{number}{'-ipv6' if self.family is Family.INET6 else ''}{machine}"

    @property
    def key(self) -> str:
        """The key of the path in an experiment, such as ``bridge/published-dnat``; unique among ``measured_paths``."""
        return f"{self.server}/{self.name}"

    @property
    def target(self) -> str:
        """The endpoint to connect to, ``address:port``. Empty if the path does not exist."""
        return format_endpoint(self.address, self.port) if self.address else ""


def first_available(paths: Iterable[Path], key: Callable[[Path], Hashable]) -> tuple[Path, ...]:
    """Returns one path for each value of ``key``: the first that exists, otherwise the first."""
    chosen: dict[Hashable, Path] = {}
    for path in paths:
        current = chosen.setdefault(key(path), path)
        if current.unavailable and not path.unavailable:
            chosen[key(path)] = path
    return tuple(chosen.values())


@dataclass(frozen=True, slots=True)
class VethLink:
    """A veth pair that joins a column's namespace to a bridge of the machine. ``outer`` is the end on the machine,
    ``inner`` the end in the namespace."""

    bridge: Interface
    outer: Interface
    inner: Interface

    @property
    def hops(self) -> tuple[str, ...]:
        """The names of the bridge, the machine's end and the container's end, in this order."""
        return (self.bridge.name, self.outer.name, self.inner.name)


def family_of(address: str) -> Family:
    """Returns the family of an address. Only IPv6 addresses contain colons."""
    return Family.INET6 if ":" in address else Family.INET


def global_addresses(link: Interface, family: Family) -> list[str]:
    """Returns the addresses of a link that have scope global."""
    return [address.address for address in link.addresses if address.family == family and address.scope == "global"]


def link_with(state: NamespaceState, address: str) -> Interface | None:
    """Returns the link that has the address, or None."""
    return next((link for link in state.interfaces if any(one.address == address for one in link.addresses)), None)


def veth_links(machine: NamespaceState, inside: NamespaceState) -> list[VethLink]:
    """Returns the veth pairs that join the namespace ``inside`` to bridges of the machine."""
    bridges = {link.name: link for link in machine.interfaces if link.kind == "bridge"}
    return [
        VethLink(bridges[outer.master], outer, inner)
        for outer, inner in veth_ends(machine, inside)
        if outer.master in bridges
    ]


def reachable_address(veth: VethLink, family: Family) -> str | None:
    """Returns the container's address that is in a subnet of the bridge, so that the machine reaches it directly. None
    if the container has no such address."""
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
    """Returns the first address of ``family`` that the container has on its ends of these veth pairs, and the hops to
    it. Both are empty if the container has no such address."""
    return next(((address, veth.hops) for veth in veths for address in global_addresses(veth.inner, family)), ("", ()))


def client_machine(path: str) -> str:
    """Returns the machine that is the client, from the name of a path: ``lab2`` for ``from-machine-address@lab2``.
    Empty if the client is not another machine."""
    return path.partition(MACHINE_KEY)[2]


def without_network(path: str) -> str:
    """Returns the name of a path without the number of the network and without the client's machine:
    ``bridge-address-ipv6`` for ``bridge-address.2-ipv6``."""
    return re.sub(r"\.\d{1,4}(?=-ipv6$|$)", "", path.partition(MACHINE_KEY)[0])


def network_of(path: str) -> int:
    """Returns the network's number in the name of a path: 2 for ``bridge-address.2-ipv6``, 1 if it has no number."""
    number = re.search(r"\.(\d{1,4})(?:-ipv6)?$", path.partition(MACHINE_KEY)[0])
    return int(number[1]) if number else 1


def kind_of(path: str) -> str:
    """Returns the kind in the name of a path: ``bridge-address`` for ``bridge-address.2-ipv6``."""
    return without_network(path).removesuffix("-ipv6")


def describe_bridge_elsewhere(column: Column, states: Mapping[str, NamespaceState]) -> str:
    """Returns a clause for a sentence: the bridge of this rootless Podman container is in Podman's namespace
    ``rootless-netns``. Empty if the bridge was not observed there."""
    bridges = states.get(ROOTLESS_NETNS)
    ends = veth_ends(bridges, states[column.key]) if bridges is not None else ()
    name = next((outer.master for outer, _inner in ends if outer.master), "")
    return f"the bridge {name} of {column.title} is in {ROOTLESS_NETNS}, not on the machine" if name else ""
