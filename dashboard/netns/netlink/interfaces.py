"""Reads the interfaces, addresses and routes of one namespace once, or keeps them current with the kernel's events."""

import errno
import socket
from collections.abc import Iterable, Mapping
from contextlib import suppress
from enum import Flag, auto

from msgspec import UNSET, UnsetType

from dashboard.core.namespaces.state import Address, Family, Interface, Route, address_key, interface_key, route_key
from dashboard.netns.namespace import Namespace, NamespaceGone
from dashboard.netns.netlink import rtnetlink
from dashboard.netns.netlink.framing import Message, dump, open_socket, query
from dashboard.netns.netlink.rtnetlink import LinkRecord, RouteRecord


class ChangedObjects(Flag):
    """The kinds of objects that a message may have changed."""

    NOTHING = 0
    LINKS = auto()
    ADDRESSES = auto()
    ROUTES = auto()


def open_route_socket(groups: int = 0, receive_bytes: int = 0) -> socket.socket:
    """Opens a non-blocking rtnetlink socket in the namespace of the calling thread. Call it with ``Namespace.run``. For
    the arguments, see ``framing.open_socket``."""
    return open_socket(socket.NETLINK_ROUTE, groups, receive_bytes)


def read_interfaces(namespace: Namespace) -> tuple[Interface, ...]:
    """Returns all links with their addresses, by index. Blocks for about 30 µs per link: call it in a thread."""
    with namespace.run(open_route_socket) as opened:
        table = LinkTable(namespace.inode)
        table.load_links(opened)
        return table.interfaces()


def read_routes(namespace: Namespace) -> tuple[Route, ...]:
    """Returns the unicast routes of the main table for both families, one per next hop. Call it in a thread."""
    with namespace.run(open_route_socket) as opened:
        table = LinkTable(namespace.inode)
        table.load_links(opened)
        table.load_routes(opened)
        return table.routes()


class LinkTable:
    """The links, addresses and routes of a namespace, as last reported by the kernel. ``netns`` is the namespace's
    inode.

    Unchanged values remain the same objects, so that comparing two results is cheap.
    """

    def __init__(self, netns: int) -> None:
        self.netns = netns
        self._links: dict[int, LinkRecord] = {}
        self._namespaces: dict[int, int] = {}  # inodes by number, 0 for one that was not identified
        self._addresses: dict[int, dict[bytes, Address]] = {}
        self._hops: dict[Family, tuple[RouteRecord, ...]] = {}
        self._built: dict[int, Interface] = {}
        self._routes: tuple[Route, ...] | None = None
        #: Links whose peer may differ from their last event; read them again with ``read_links``.
        self.stale_peers: set[int] = set()
        #: Incremented when a name changes; callers that show names must refresh them then.
        self.names_version = 0

    def load(self, opened: socket.socket) -> None:
        """Reads the links, addresses and routes."""
        self.load_links(opened)
        self.load_routes(opened)

    def load_links(self, opened: socket.socket) -> None:
        """Reads the links and addresses. Changes during the call may be missing; the kernel's events report them."""
        for message in dump(opened, rtnetlink.RTM_GETLINK, rtnetlink.LINKS_REQUEST):
            self.apply(message)
        for message in dump(opened, rtnetlink.RTM_GETADDR, rtnetlink.ADDRESSES_REQUEST):
            self.apply(message)
        self.stale_peers.clear()

    def load_routes(self, opened: socket.socket) -> None:
        """Reads the routes again."""
        self.replace_routes(read_hops(opened))

    def replace_routes(self, hops: dict[Family, tuple[RouteRecord, ...]]) -> None:
        """Replaces the routes with the result of ``read_hops``."""
        if hops != self._hops:
            self._hops = hops
            self._routes = None

    @property
    def unknown_nsids(self) -> set[int]:
        """The ids (nsid) of other namespaces to which links refer, except those that already have an inode from
        ``identify``."""
        numbers = {link.lower_nsid for link in self._links.values() if link.lower_nsid is not None}
        return numbers - self._namespaces.keys()

    def identify(self, namespaces: Mapping[int, int]) -> None:
        """Sets the inodes of other namespaces. ``namespaces`` contains the inodes by id (nsid). The ids in
        ``unknown_nsids`` that are missing there get the inode 0, which means not identified."""
        known = {**dict.fromkeys(self.unknown_nsids, 0), **self._namespaces, **namespaces}
        if known != self._namespaces:
            self._namespaces = known
            self._built.clear()

    def apply(self, message: Message) -> ChangedObjects:
        """Applies one message, and returns the kinds of objects that it may have changed.

        Routes are only reported as changed, and the caller must read them again. Events alone do not suffice: the
        kernel sends none for IPv4 routes that disappear with their link or source address (fib_flush).
        """
        if message.type in {rtnetlink.RTM_NEWLINK, rtnetlink.RTM_DELLINK}:
            return self._apply_link(message)
        if message.type in {rtnetlink.RTM_NEWADDR, rtnetlink.RTM_DELADDR}:
            return self._apply_address(message)
        if message.type in {rtnetlink.RTM_NEWROUTE, rtnetlink.RTM_DELROUTE}:
            return ChangedObjects.ROUTES if rtnetlink.decode_route(message.body) else ChangedObjects.NOTHING
        return ChangedObjects.NOTHING

    def _apply_link(self, message: Message) -> ChangedObjects:
        link = rtnetlink.decode_link(message.body)
        if link is None:
            return ChangedObjects.NOTHING
        before = self._links.get(link.index)
        if message.type == rtnetlink.RTM_DELLINK:
            self._links.pop(link.index, None)
            self._forget_nsid(before)
            self._mark_stale_peer(before)
            self._addresses.pop(link.index, None)
            self._on_names_changed()
            return ChangedObjects.LINKS | ChangedObjects.ROUTES
        if before == link:
            return ChangedObjects.NOTHING
        self._links[link.index] = link
        self._forget_nsid(before)
        self._mark_stale_peer(link)
        if before is None or before.name != link.name:
            self._on_names_changed()
        else:
            self._built.pop(link.index, None)
        return ChangedObjects.LINKS | ChangedObjects.ROUTES

    def _mark_stale_peer(self, link: LinkRecord | None) -> None:
        """Adds to ``stale_peers`` the end of a veth pair that must be read again, if there is one. ``link`` is the end
        that has changed or is gone.

        If the peer of ``link`` is unknown, adds ``link``: the kernel reports the first end of a new pair before the
        second one exists. If ``link`` is gone, or if the peer's record names another link as its peer, adds the peer:
        the kernel sends no event for one end when the other end moves to another namespace.
        """
        if link is None or link.kind != "veth" or link.lower_nsid is not None:
            return
        if link.lower == 0:
            self.stale_peers.add(link.index)
        elif (peer := self._links.get(link.lower)) and (peer.lower != link.index or link.index not in self._links):
            self.stale_peers.add(peer.index)

    def _forget_nsid(self, before: LinkRecord | None) -> None:
        """Removes the id (nsid) in ``before``, the previous record of a link that has changed or was removed, unless a
        link still uses the id. The kernel may give an unused id to another namespace."""
        number = None if before is None else before.lower_nsid
        if number in self._namespaces and all(link.lower_nsid != number for link in self._links.values()):
            del self._namespaces[number]

    def _on_names_changed(self) -> None:
        """Increments ``names_version`` after a link was added, renamed or removed. Discards the built interfaces and
        routes, which may contain the old name as master, lower link or device."""
        self._built.clear()
        self._routes = None
        self.names_version += 1

    def _apply_address(self, message: Message) -> ChangedObjects:
        record = rtnetlink.decode_address(message.body)
        if record is None:
            return ChangedObjects.NOTHING
        own = self._addresses.setdefault(record.index, {})
        if message.type == rtnetlink.RTM_DELADDR:
            own.pop(record.key, None)
        else:
            own[record.key] = record.address
        self._built.pop(record.index, None)
        return ChangedObjects.ADDRESSES | ChangedObjects.ROUTES

    def name_of(self, index: int) -> str | None:
        """Returns the name of the link with this index; None for index 0, a name such as ``if7`` for an unknown
        link."""
        if index == 0:
            return None
        link = self._links.get(index)
        return f"if{index}" if link is None else link.name

    def interfaces(self) -> tuple[Interface, ...]:
        """Returns all links in canonical order."""
        for index, link in self._links.items():
            if index not in self._built:
                self._built[index] = self._interface(link)
        return tuple(sorted((self._built[index] for index in self._links), key=interface_key))

    def _interface(self, link: LinkRecord) -> Interface:
        addresses = self._addresses.get(link.index)
        return Interface(
            name=link.name,
            index=link.index,
            kind=link.kind,
            mac=link.mac,
            mtu=link.mtu,
            up=link.up,
            peer=self._peer(link),
            master=self.name_of(link.master),
            addresses=tuple(sorted(dict.fromkeys(addresses.values()), key=address_key)) if addresses else (),
            peer_netns=self._peer_netns(link),
        )

    def _peer(self, link: LinkRecord) -> str | None:
        if link.lower == 0:
            return None
        if link.kind == "veth" or link.lower_nsid is not None:
            return f"if{link.lower}"
        return self.name_of(link.lower)

    def _peer_netns(self, link: LinkRecord) -> int | UnsetType:
        if link.lower_nsid is not None:
            return self._namespaces.get(link.lower_nsid, 0)
        return self.netns if link.kind == "veth" and link.lower else UNSET

    def routes(self) -> tuple[Route, ...]:
        """Returns the routes in canonical order."""
        if self._routes is None:
            routes = (
                Route(hop.family, hop.destination, hop.gateway, self.name_of(hop.interface), hop.source, hop.metric)
                for hops in self._hops.values()
                for hop in hops
            )
            self._routes = tuple(sorted(dict.fromkeys(routes), key=route_key))
        return self._routes


def read_links(opened: socket.socket, indexes: Iterable[int]) -> list[Message]:
    """Reads single links and returns the kernel's messages, for ``LinkTable.apply``. Links that no longer exist are
    omitted."""
    found: list[Message] = []
    for index in indexes:
        try:
            found.extend(query(opened, rtnetlink.RTM_GETLINK, rtnetlink.pack_link_request(index)))
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise
    return found


def read_nsids(opened: socket.socket, places: Iterable[tuple[int, str]]) -> dict[int, int]:
    """Returns the inodes of network namespaces by their ids (nsid). The ids are those that the namespace of the socket
    ``opened`` has assigned. ``places`` are the namespaces to look up, each as the arguments of
    ``Namespace.of_machine``. Namespaces that are gone or cannot be read are omitted."""
    inodes: dict[int, int] = {}
    for place in places:
        with suppress(NamespaceGone, OSError), Namespace.of_machine(*place) as namespace:
            for message in query(opened, rtnetlink.RTM_GETNSID, rtnetlink.pack_nsid_request(namespace.fd)):
                number = rtnetlink.decode_nsid(message.body) if message.type == rtnetlink.RTM_NEWNSID else None
                if number is not None:
                    inodes[number] = namespace.inode
    return inodes


def read_hops(opened: socket.socket) -> dict[Family, tuple[RouteRecord, ...]]:
    """Returns the next hops of all routes in the main table, by family. A namespace without that table has no
    routes."""
    found: dict[Family, tuple[RouteRecord, ...]] = {}
    for family, body in rtnetlink.ROUTES_REQUESTS.items():
        hops: list[RouteRecord] = []
        try:
            messages = dump(opened, rtnetlink.RTM_GETROUTE, body)
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise
            messages = []
        for message in messages:
            if message.type == rtnetlink.RTM_NEWROUTE:
                hops.extend(hop for hop in rtnetlink.decode_route(message.body) if hop.family is family)
        found[family] = tuple(hops)
    return found
