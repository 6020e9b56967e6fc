"""Links, addresses and routes, updated by events; and recovery when events are lost."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Iterator

import pytest

from dashboard.netns.namespace import Namespace
from dashboard.netns.netlink import framing as netlink_framing
from dashboard.netns.netlink.framing import MalformedMessage
from dashboard.netns.netlink.interfaces import LinkTable, open_route_socket, read_interfaces, read_routes
from dashboard.netns.netlink.rtnetlink import EVENT_GROUPS
from dashboard.netns.watch import link_feed
from dashboard.netns.watch.link_feed import LinkFeed
from tests.netns.namespaces import Netns
from tests.support.polling import eventually


class Counted:
    """Counts the calls of ``changed``."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1


@pytest.fixture
def sockets(netns: Netns, namespace: Namespace) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A socket for events, with a small buffer, and a socket for dumps."""
    with (
        namespace.run(lambda: open_route_socket(EVENT_GROUPS, 4096)) as events,
        namespace.run(open_route_socket) as dumps,
    ):
        yield events, dumps


@pytest.fixture
def changed() -> Counted:
    return Counted()


@pytest.fixture
async def feed(
    namespace: Namespace, sockets: tuple[socket.socket, socket.socket], changed: Counted
) -> AsyncIterator[LinkFeed]:
    table = LinkTable(namespace.inode)
    table.load(sockets[1])
    opened = LinkFeed(*sockets, table, changed)
    yield opened
    opened.stop()


async def _current(feed: LinkFeed, namespace: Namespace) -> None:
    """Waits until the table equals a dump."""

    async def equal() -> bool:
        interfaces = await asyncio.to_thread(read_interfaces, namespace)
        routes = await asyncio.to_thread(read_routes, namespace)
        return feed.table.interfaces() == interfaces and feed.table.routes() == routes

    await eventually(equal)


async def test_a_change_is_applied_and_reported(
    netns: Netns, namespace: Namespace, feed: LinkFeed, changed: Counted
) -> None:
    await asyncio.to_thread(netns.ip, "addr", "add", "10.0.0.1/24", "dev", "lo")
    await eventually(lambda: changed.calls)
    assert "10.0.0.1" in {one.address for one in feed.table.interfaces()[0].addresses}
    await _current(feed, namespace)


async def test_lost_events_are_repaired_by_a_dump(
    netns: Netns, namespace: Namespace, feed: LinkFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    overruns: list[int] = []

    def receive(opened: socket.socket) -> bytes:
        try:
            return netlink_framing.receive(opened)
        except OSError as error:
            if error.errno == errno.ENOBUFS:
                overruns.append(1)
            raise

    monkeypatch.setattr(link_feed, "receive", receive)
    netns.batch(*(f"addr add 10.0.{number}.1/24 dev lo" for number in range(200)))  # the loop stands still meanwhile
    await eventually(lambda: overruns)
    await eventually(lambda: not feed.lost)
    await _current(feed, namespace)


async def test_a_malformed_event_is_repaired_by_a_dump(
    netns: Netns, namespace: Namespace, feed: LinkFeed, changed: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_self: LinkTable, _message: object) -> None:
        monkeypatch.undo()
        raise MalformedMessage("made up")

    monkeypatch.setattr(LinkTable, "apply", refuse)
    await asyncio.to_thread(netns.ip, "addr", "add", "10.0.0.1/24", "dev", "lo")
    await eventually(lambda: changed.calls)
    await _current(feed, namespace)
    assert not feed.lost


async def test_a_failed_dump_is_repaired_by_the_next_one(
    netns: Netns, namespace: Namespace, feed: LinkFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> None:
        raise OSError(errno.ENOMEM, "made up")

    monkeypatch.setattr(link_feed, "read_hops", refuse)
    await asyncio.to_thread(netns.ip, "addr", "add", "10.0.0.1/24", "dev", "lo")
    await eventually(lambda: feed.lost)
    monkeypatch.undo()
    await feed.reload()
    assert not feed.lost
    await _current(feed, namespace)


async def test_events_during_a_dump_count(
    netns: Netns, namespace: Namespace, feed: LinkFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = LinkTable.load

    def load(self: LinkTable, opened: socket.socket) -> None:
        real(self, opened)
        netns.batch("addr add 10.0.0.1/24 dev lo", "addr del 10.0.0.1/24 dev lo", "addr add 10.0.0.2/24 dev lo")

    monkeypatch.setattr(LinkTable, "load", load)
    await feed.reload()
    monkeypatch.undo()
    await _current(feed, namespace)
    assert {one.address for one in feed.table.interfaces()[0].addresses} == {"127.0.0.1", "::1", "10.0.0.2"}


async def test_routes_that_vanish_silently_are_noticed(netns: Netns, namespace: Namespace, feed: LinkFeed) -> None:
    """The kernel sends no RTM_DELROUTE for IPv4 routes that go with their link."""
    await asyncio.to_thread(
        netns.batch,
        "link add v0 type veth peer name v1",
        "link set v0 up",
        "addr add 10.0.0.1/24 dev v0",
        "route add default via 10.0.0.9",
    )
    await eventually(lambda: any(one.destination == "default" for one in feed.table.routes()))
    await asyncio.to_thread(netns.ip, "link", "set", "v0", "down")
    await eventually(lambda: feed.table.routes() == ())


async def test_after_stop_nothing_is_reported(netns: Netns, feed: LinkFeed, changed: Counted) -> None:
    await asyncio.to_thread(netns.ip, "link", "set", "lo", "mtu", "1400")
    await eventually(lambda: changed.calls)
    feed.stop()
    feed.stop()
    calls = changed.calls
    await asyncio.to_thread(netns.ip, "link", "set", "lo", "mtu", "1500")
    await asyncio.to_thread(netns.ip, "link", "show")
    assert changed.calls == calls
