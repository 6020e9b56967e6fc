"""The link table: which entries an event changes, and which it leaves unchanged."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
from msgspec import UNSET, UnsetType

from dashboard.netns.namespace import Namespace
from dashboard.netns.netlink import rtnetlink
from dashboard.netns.netlink.framing import Message, receive, split_messages
from dashboard.netns.netlink.interfaces import (
    ChangedObjects,
    LinkTable,
    open_route_socket,
    read_interfaces,
    read_links,
    read_nsids,
    read_routes,
)
from tests.netns.namespaces import Netns
from tests.support.polling import until


@pytest.fixture
def table(namespace: Namespace) -> LinkTable:
    return LinkTable(namespace.inode)


def _events(opened: socket.socket) -> list[Message]:
    found: list[Message] = []
    while True:
        try:
            found.extend(split_messages(receive(opened)))
        except BlockingIOError:
            return found


def _subscribe(namespace: Namespace) -> socket.socket:
    return namespace.run(lambda: open_route_socket(rtnetlink.EVENT_GROUPS))


def _follow(namespace: Namespace, table: LinkTable, events: socket.socket, dumps: socket.socket) -> None:
    """Applies events until the table equals a dump. The kernel adds IPv6 addresses a little later."""

    def follow() -> bool:
        for message in _events(events):
            table.apply(message)
        for message in read_links(dumps, tuple(table.stale_peers)):
            table.apply(message)
        table.stale_peers.clear()
        return table.interfaces() == read_interfaces(namespace)

    until(follow)


def test_events_alone_bring_the_table_up_to_date(netns: Netns, namespace: Namespace, table: LinkTable) -> None:
    with _subscribe(namespace) as events, namespace.run(open_route_socket) as dumps:
        table.load(dumps)
        netns.batch("link add v0 type veth peer name v1", "addr add 10.0.0.1/24 dev v0", "link set v0 mtu 1400")
        _follow(namespace, table, events, dumps)
        netns.batch("link set v0 name w0", "link add br0 type bridge", "link set v1 master br0")
        _follow(namespace, table, events, dumps)
        netns.batch("link set v1 nomaster", "addr del 10.0.0.1/24 dev w0", "link set w0 up", "link set v1 up")
        _follow(namespace, table, events, dumps)
        netns.ip("link", "del", "w0")
        _follow(namespace, table, events, dumps)
        assert {one.name for one in table.interfaces()} == {"lo", "br0"}


def test_the_end_that_stays_when_its_peer_moves_is_read_again(
    netns: Netns, make_netns: Callable[[], Netns], namespace: Namespace, table: LinkTable
) -> None:
    """The kernel sends no event for the end that stays until its carrier changes."""
    netns.batch("link add v0 type veth peer name v1")
    other = make_netns()
    with _subscribe(namespace) as events, namespace.run(open_route_socket) as dumps:
        table.load(dumps)
        netns.ip("link", "set", "v1", "netns", str(other.pid))
        for message in _events(events):
            table.apply(message)
        assert len(table.stale_peers) == 1
        _follow(namespace, table, events, dumps)


def test_the_namespace_of_a_peer_is_identified_by_its_number(
    netns: Netns, make_netns: Callable[[], Netns], namespace: Namespace, table: LinkTable
) -> None:
    other, third = make_netns(), make_netns()
    netns.batch(
        f"link add v0 type veth peer name eth0 netns {other.pid}",
        f"link add v1 type veth peer name eth0 netns {third.pid}",
        "link add v2 type veth peer name v3",
    )

    def peers() -> dict[str, int | UnsetType]:
        return {one.name: one.peer_netns for one in table.interfaces()}

    with Namespace.of_pid(other.pid) as elsewhere, namespace.run(open_route_socket) as dumps:
        table.load(dumps)
        local = {"lo": UNSET, "v2": namespace.inode, "v3": namespace.inode}
        assert peers() == local | {"v0": 0, "v1": 0}
        assert len(table.unknown_nsids) == 2
        table.identify(read_nsids(dumps, [(other.pid, ""), (2**22 + 5, "")]))
        assert peers() == local | {"v0": elsewhere.inode, "v1": 0}
        assert table.unknown_nsids == set()


def test_the_number_of_a_namespace_is_forgotten_with_its_last_link(
    netns: Netns, make_netns: Callable[[], Netns], namespace: Namespace, table: LinkTable
) -> None:
    """The kernel gives the number to the next namespace."""
    other = make_netns()
    netns.batch(f"link add v0 type veth peer name eth0 netns {other.pid}")
    with _subscribe(namespace) as events, namespace.run(open_route_socket) as dumps:
        table.load(dumps)
        table.identify(read_nsids(dumps, [(other.pid, "")]))
        netns.ip("link", "del", "v0")
        for message in _events(events):
            table.apply(message)
        netns.batch(f"link add v0 type veth peer name eth0 netns {other.pid}")
        for message in _events(events):
            table.apply(message)
        assert len(table.unknown_nsids) == 1


def test_a_port_that_leaves_its_bridge_stays_a_link(netns: Netns, namespace: Namespace, table: LinkTable) -> None:
    """The bridge reports it with RTM_DELLINK in its own family."""
    netns.batch("link add v0 type veth peer name v1", "link add br0 type bridge", "link set v0 master br0")
    with _subscribe(namespace) as events, namespace.run(open_route_socket) as dumps:
        table.load(dumps)
        netns.ip("link", "set", "v0", "nomaster")
        messages = _events(events)
        assert any(message.type == rtnetlink.RTM_DELLINK for message in messages)
        for message in messages:
            table.apply(message)
    assert table.interfaces() == read_interfaces(namespace)
    assert "v0" in {one.name for one in table.interfaces()}


def test_an_event_without_news_touches_nothing(netns: Netns, namespace: Namespace, table: LinkTable) -> None:
    with namespace.run(open_route_socket) as dumps:
        table.load(dumps)
        for message in read_links(dumps, (1,)):
            assert table.apply(message) is ChangedObjects.NOTHING
    assert table.apply(Message(99, 0, 0, b"")) is ChangedObjects.NOTHING


def test_values_that_did_not_change_stay_the_same_objects(netns: Netns, namespace: Namespace, table: LinkTable) -> None:
    netns.batch("link add v0 type veth peer name v1")
    with _subscribe(namespace) as events, namespace.run(open_route_socket) as dumps:
        table.load(dumps)
        before = table.interfaces()
        netns.ip("link", "set", "v0", "mtu", "1300")
        for message in _events(events):
            table.apply(message)
        after = table.interfaces()
    assert [one is other for one, other in zip(before, after, strict=True)] == [one.name != "v0" for one in before]
    assert table.routes() is table.routes()


def test_routes_of_other_tables_touch_nothing(netns: Netns, namespace: Namespace, table: LinkTable) -> None:
    netns.batch("link add v0 type veth peer name v1", "link set v0 up", "addr add 10.0.0.1/24 dev v0")
    with _subscribe(namespace) as events:
        netns.ip("route", "add", "10.9.0.0/16", "via", "10.0.0.9", "table", "100")
        assert [table.apply(message) for message in _events(events)] == [ChangedObjects.NOTHING]
        netns.ip("route", "add", "10.9.0.0/16", "via", "10.0.0.9")
        assert [table.apply(message) for message in _events(events)] == [ChangedObjects.ROUTES]


def test_a_removed_link_is_requested_only_once(netns: Netns, namespace: Namespace) -> None:
    with namespace.run(open_route_socket) as dumps:
        assert read_links(dumps, (4711,)) == []
        assert len(read_links(dumps, (4711, 1))) == 1


def test_a_bound_device_that_is_unknown_is_shown_by_its_index(table: LinkTable) -> None:
    assert table.name_of(0) is None
    assert table.name_of(7) == "if7"


def test_a_namespace_without_a_route_table_has_no_routes(namespace: Namespace) -> None:
    assert read_routes(namespace) == ()
