"""The state of one column: everything that was observed of it at one instant.

Collections are in canonical order (see ``sorted_state``), so equal observations are equal values, and a difference can
be replayed exactly. Sources: rtnetlink(7), sock_diag(7), resolv.conf(5), namespaces(7).
"""

from collections.abc import Iterable
from dataclasses import astuple, dataclass, field, replace
from enum import StrEnum

from msgspec import UNSET, UnsetType


class Family(StrEnum):
    """An address family, named as in iproute2."""

    INET = "inet"
    INET6 = "inet6"


class Protocol(StrEnum):
    """The transport protocol of a listener."""

    TCP = "tcp"
    UDP = "udp"


class Origin(StrEnum):
    """Where the contents of a column's resolv.conf come from."""

    MACHINE = "machine"  # the machine's own file
    COPY = "copy"  # host mode: a copy of the machine's, loopback servers included
    STRIPPED = "stripped"  # default bridge and none: loopback servers removed
    FALLBACK = "fallback"  # no server was left after stripping: public servers
    DOCKER = "docker"  # user-defined network: Docker's resolver at 127.0.0.11
    AARDVARK = "aardvark"  # user-defined network of Podman: aardvark-dns at the bridge's address
    FORWARDED = "forwarded"  # an address at which pasta or slirp4netns passes queries to the machine's servers
    GIVEN = "given"  # --dns
    OTHER = "other"  # the container or its image wrote its own
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Address:
    """An address of an interface. ``prefix`` is in bits, ``scope`` is named as in iproute2."""

    address: str
    prefix: int
    family: Family
    scope: str = "global"


@dataclass(frozen=True, slots=True)
class Interface:
    """One link. ``kind`` is IFLA_INFO_KIND, or ``loopback`` or ``physical`` if the kernel reports none.

    For a veth interface, ``peer`` is the index of the other end in its own namespace (IFLA_LINK), as in ``if7``. For
    vlan, macvlan and ipvlan, ``peer`` is the name of the link below, or ``if7`` if that link is in another namespace.
    ``master`` is the name of the link of which the interface is a port (IFLA_MASTER), such as a bridge, bond or VRF.

    ``peer_netns`` is the inode of the namespace of a peer that is given by its index (IFLA_LINK_NETNSID). It is 0 if
    that namespace is neither the interface's own nor the Engine's. It is UNSET, and not serialised, if it is unknown,
    as in reports of older versions.
    """

    name: str
    index: int
    kind: str
    mac: str = ""
    mtu: int = 1500
    up: bool = True
    peer: str | None = None
    master: str | None = None
    addresses: tuple[Address, ...] = ()
    peer_netns: int | UnsetType = UNSET


@dataclass(frozen=True, slots=True)
class Route:
    """A unicast route of the main table. ``destination`` is in CIDR notation, or ``default``."""

    family: Family
    destination: str
    gateway: str | None = None
    interface: str | None = None
    source: str | None = None
    metric: int | None = None


@dataclass(frozen=True, slots=True)
class Listener:
    """A TCP socket in LISTEN, or an unconnected UDP socket.

    ``v6only`` is None for IPv4; False means that the socket also accepts IPv4 (ss prints ``*``). ``pid`` is the pid on
    the machine, None if no process was found. ``container`` is the full id of the container that owns the socket, None
    for a process of the machine. ``interface`` is the name of the device to which the socket is bound, if any.
    """

    protocol: Protocol
    family: Family
    address: str
    port: int
    pid: int | None = None
    process: str | None = None
    container: str | None = None
    v6only: bool | None = None
    interface: str | None = None


@dataclass(frozen=True, slots=True)
class Resolver:
    """The contents of resolv.conf, and their origin."""

    nameservers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    origin: Origin = Origin.OTHER


@dataclass(frozen=True, slots=True)
class HostsEntry:
    """A line of the hosts file."""

    address: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lookup:
    """The lookup of one name from inside a column.

    ``server`` is the address of the name server, or ``hosts file``. ``time_us`` is None if no query was sent.
    ``outcome`` is ``answer``, ``no such name``, ``no address``, ``no answer`` or ``refused`` (or another DNS response
    code in lower case).
    """

    name: str
    outcome: str
    answers: tuple[str, ...] = ()
    server: str | None = None
    time_us: int | None = None


@dataclass(frozen=True, slots=True)
class Translation:
    """A nat rule that replaces the destination of packets that the namespace's own programs send to ``port``.

    ``address`` is the original destination that the rule matches, an address or network; empty for every address of the
    namespace. Destinations in ``excluded`` (CIDR) are not translated. ``condition`` is the part of the rule that
    Netmodes does not evaluate; it may be empty.
    """

    protocol: Protocol
    family: Family
    port: int
    to_address: str
    to_port: int
    address: str = ""
    excluded: tuple[str, ...] = ()
    condition: str = ""


@dataclass(frozen=True, slots=True)
class IsolatedBridge:
    """A bridge on which filter rules drop packets from one attached link to another."""

    family: Family
    name: str


@dataclass(frozen=True, slots=True)
class ClosedBridge:
    """A bridge for which filter rules drop the connections that arrive on other links, except those to published ports.
    Connections from the links ``open_from``, named as in the rules, may be accepted."""

    family: Family
    name: str
    open_from: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DirectDrop:
    """A rule that drops packets for a container's address unless they arrive on one of ``interfaces``."""

    family: Family
    address: str
    interfaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UnreadRules:
    """The reason why the rules of a family could not be read."""

    family: Family
    reason: str


@dataclass(frozen=True, slots=True)
class FirewallRules:
    """What the packet filter does to requests. At most one translation without a condition applies to a packet.

    ``unread`` has the families whose rules could not be read: the other fields contain nothing for them, even if the
    kernel has rules.
    """

    translations: tuple[Translation, ...] = ()
    isolated_bridges: tuple[IsolatedBridge, ...] = ()
    unread: tuple[UnreadRules, ...] = ()
    direct_drops: tuple[DirectDrop, ...] = ()
    closed_bridges: tuple[ClosedBridge, ...] = ()

    def why_unread(self, family: Family) -> str:
        """Returns why the rules of the family are not known; empty if they are known."""
        return next((one.reason for one in self.unread if one.family == family), "")

    def isolates(self, bridge: str, family: Family) -> bool:
        """Whether filter rules drop packets from one link on the bridge to another."""
        return IsolatedBridge(family, bridge) in self.isolated_bridges


@dataclass(frozen=True, slots=True)
class NamespaceState:
    """Everything that was observed of one column at one instant. ``netns`` and ``namespaces`` are inodes of
    /proc/PID/ns.

    ``firewall`` is read for the machine only; it is UNSET for other columns and in records of older versions.
    """

    netns: int
    hostname: str = ""
    namespaces: dict[str, int] = field(default_factory=dict)
    interfaces: tuple[Interface, ...] = ()
    routes: tuple[Route, ...] = ()
    listeners: tuple[Listener, ...] = ()
    resolver: Resolver | None = None
    hosts: tuple[HostsEntry, ...] = ()
    sysctls: dict[str, str] = field(default_factory=dict)
    lookups: tuple[Lookup, ...] = ()
    firewall: FirewallRules | UnsetType = UNSET


def _text(value: str | None) -> str:
    return "" if value is None else value


def interface_key(item: Interface) -> tuple[int, str]:
    """Returns the index and the name of a link, which identify it in its namespace."""
    return (item.index, item.name)


def address_key(item: Address) -> tuple[str, str, int]:
    """Returns the family, address and prefix of an address, which identify it on its link."""
    return (item.family, item.address, item.prefix)


def route_key(item: Route) -> tuple[str, str, str, str, int, str]:
    """Returns the fields that identify a route in its table."""
    return (
        item.family,
        item.destination,
        _text(item.interface),
        _text(item.gateway),
        -1 if item.metric is None else item.metric,
        _text(item.source),
    )


def listener_key(item: Listener) -> tuple[str, int, str, str, str, int, str]:
    """Returns the fields that identify the socket of a listener. They include the pid, because several sockets may
    share one address (SO_REUSEPORT)."""
    return (
        item.protocol,
        item.port,
        item.family,
        item.address,
        _text(item.interface),
        -1 if item.pid is None else item.pid,
        repr(item.v6only),
    )


def _listener_order(item: Listener) -> tuple[tuple[str, int, str, str, str, int, str], str, str]:
    """Returns the sort key of a listener. Sockets with the same identity are sorted by their owners, so the order does
    not depend on which was seen first."""
    return (listener_key(item), _text(item.process), _text(item.container))


def sorted_interfaces(items: Iterable[Interface]) -> tuple[Interface, ...]:
    """Returns the links and their addresses in canonical order, without duplicates."""
    return tuple(
        replace(item, addresses=tuple(sorted(dict.fromkeys(item.addresses), key=address_key)))
        for item in sorted(dict.fromkeys(items), key=interface_key)
    )


def sorted_routes(items: Iterable[Route]) -> tuple[Route, ...]:
    """Returns the routes in canonical order, without duplicates."""
    return tuple(sorted(dict.fromkeys(items), key=route_key))


def sorted_listeners(items: Iterable[Listener]) -> tuple[Listener, ...]:
    """Returns the listeners in canonical order, without duplicates."""
    return tuple(sorted(dict.fromkeys(items), key=_listener_order))


def sorted_rules[T: (Translation, DirectDrop)](items: Iterable[T]) -> tuple[T, ...]:
    """Returns the rules in canonical order, without duplicates."""
    return tuple(sorted(dict.fromkeys(items), key=astuple))


def sorted_state(state: NamespaceState) -> NamespaceState:
    """Returns the state with its collections in canonical order, without duplicates."""
    rules = state.firewall
    if not isinstance(rules, UnsetType):
        drops = sorted_rules(rules.direct_drops)
        rules = replace(rules, translations=sorted_rules(rules.translations), direct_drops=drops)
    return replace(
        state,
        namespaces=dict(sorted(state.namespaces.items())),
        interfaces=sorted_interfaces(state.interfaces),
        routes=sorted_routes(state.routes),
        listeners=sorted_listeners(state.listeners),
        sysctls=dict(sorted(state.sysctls.items())),
        firewall=rules,
    )
