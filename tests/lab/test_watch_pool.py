"""One watch per namespace, for as long as it has subscribers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET

from dashboard.core.namespaces.state import FirewallRules
from dashboard.lab.watch_pool import WatchPool
from dashboard.netns.namespace import Namespace, NamespaceGone
from dashboard.netns.watch import firewall_feed
from dashboard.netns.watch.namespace_watch import KernelView, OnChange, Watch
from tests.netns.namespaces import Netns, wanted
from tests.support.polling import eventually

ID = "c" * 64


class Seen(list[KernelView]):
    """The changes that one subscriber received."""

    def __call__(self, view: KernelView) -> None:
        self.append(view)

    def has(self, link: str) -> bool:
        return any(one.name == link for view in self for one in view.interfaces)


def open_files() -> int:
    """The number of open descriptors. Threads of earlier tests may open and close theirs meanwhile."""
    return len(list(Path("/proc/self/fd").iterdir()))


def inode_of(netns: Netns) -> int:
    return Path(f"/proc/{netns.pid}/ns/net").stat().st_ino


def nobody() -> None:
    """A search for the process of an engine that finds none."""


async def test_the_peers_of_links_are_those_in_the_namespaces_of_bridges(pool: WatchPool, netns: Netns) -> None:
    bridges, other = Netns(), Netns()
    try:
        netns.batch(
            f"link add eth0 type veth peer name v0 netns {bridges.pid}",
            f"link add eth1 type veth peer name v0 netns {other.pid}",
        )
        _, view = await pool.subscribe("one", netns.pid, Seen(), nobody, bridges=lambda: [(bridges.pid, "")])
        peers = {link.name: link.peer_netns for link in view.interfaces if link.kind == "veth"}
        assert peers == {"eth0": inode_of(bridges), "eth1": 0}
    finally:
        bridges.close()
        other.close()


async def test_two_subscribers_of_one_namespace_share_a_watch(
    pool: WatchPool, netns: Netns, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[object] = []
    real = Watch.open

    async def counted(namespace: Namespace, on_change: OnChange, **options: Any) -> Watch:
        opened.append(namespace)
        return await real(namespace, on_change, **options)

    monkeypatch.setattr(Watch, "open", counted)
    first, second = Seen(), Seen()
    (inode, view), (other, _) = await asyncio.gather(
        pool.subscribe("one", netns.pid, first, nobody), pool.subscribe("two", netns.pid, second, nobody)
    )
    assert inode == other
    assert [one.name for one in view.interfaces] == ["lo"]
    assert len(opened) == 1
    netns.ip("link", "add", "both", "type", "bridge")
    await eventually(lambda: first.has("both") and second.has("both"))
    assert (pool.view(inode) or view).interfaces == first[-1].interfaces
    await pool.unsubscribe("one", inode)
    netns.ip("link", "add", "second", "type", "bridge")
    await eventually(lambda: second.has("second"))
    assert not first.has("second")


async def test_a_container_without_a_cgroup_is_named_by_its_first_process(pool: WatchPool, netns: Netns) -> None:
    process = netns.hold([wanted("tcp", "inet", "0.0.0.0", 80)])
    seen = Seen()
    inode, view = await pool.subscribe("machine", netns.pid, seen, nobody)
    assert [one.container for one in view.listeners] == [None]
    _, joined = await pool.subscribe("host", process.pid, Seen(), nobody, container=ID)
    assert [one.container for one in joined.listeners] == [ID]
    assert seen[-1].listeners == joined.listeners
    await pool.unsubscribe("host", inode)


async def test_the_last_unsubscription_closes_the_watch(pool: WatchPool, netns: Netns) -> None:
    before = open_files()
    inode, _ = await pool.subscribe("one", netns.pid, Seen(), nobody)
    assert pool.namespace(inode) is not None
    assert open_files() > before
    await pool.unsubscribe("one", inode)
    await pool.unsubscribe("one", inode)
    assert pool.namespace(inode) is None
    assert pool.view(inode) is None
    await eventually(lambda: open_files() <= before)


async def test_a_process_that_has_ended_is_an_error_and_leaves_nothing_open(pool: WatchPool) -> None:
    gone = Netns()
    gone.close()
    before = open_files()
    with pytest.raises(NamespaceGone):
        await pool.subscribe("one", gone.pid, Seen(), nobody)
    await eventually(lambda: open_files() <= before)


async def test_a_namespace_without_processes_is_watched_on(pool: WatchPool, netns: Netns) -> None:
    inode, _ = await pool.subscribe("one", netns.pid, Seen(), nobody)
    netns.kill()
    await pool.resync(inode)
    view = pool.view(inode)
    assert view is not None
    assert [one.name for one in view.interfaces] == ["lo"]


class Readings:
    """Readings of the firewall that wait until they are released, without tools."""

    def __init__(self) -> None:
        self.started = 0
        self.released = asyncio.Event()

    async def __call__(self, _namespace: Namespace, _backend: str, _bridges: Iterable[str]) -> FirewallRules:
        self.started += 1
        await self.released.wait()
        return FirewallRules()


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> Readings:
    made = Readings()
    monkeypatch.setattr(firewall_feed, "read_firewall", made)
    return made


async def test_a_subscription_that_is_cancelled_while_rules_are_read_leaves_nothing_open(
    pool: WatchPool, netns: Netns, readings: Readings
) -> None:
    before = open_files()
    subscribing = asyncio.create_task(pool.subscribe("one", netns.pid, Seen(), nobody, "iptables"))
    await eventually(lambda: readings.started == 1)
    subscribing.cancel()
    await asyncio.wait([subscribing])
    assert subscribing.cancelled()
    assert pool.namespace(inode_of(netns)) is None
    await eventually(lambda: open_files() <= before)


async def test_rules_whose_reading_was_cancelled_are_read_for_the_next_subscriber(
    pool: WatchPool, netns: Netns, readings: Readings
) -> None:
    inode, _ = await pool.subscribe("other", netns.pid, Seen(), nobody)
    subscribing = asyncio.create_task(pool.subscribe("one", netns.pid, Seen(), nobody, "iptables"))
    await eventually(lambda: readings.started == 1)
    subscribing.cancel()
    await asyncio.wait([subscribing])
    view = pool.view(inode)
    assert view is not None
    assert view.firewall is UNSET
    readings.released.set()
    _, view = await pool.subscribe("two", netns.pid, Seen(), nobody, "iptables")
    assert (readings.started, view.firewall) == (2, FirewallRules())


async def test_a_link_that_appears_during_the_first_reading_has_the_rules_read_again(
    pool: WatchPool, netns: Netns, readings: Readings
) -> None:
    seen = Seen()
    await pool.subscribe("other", netns.pid, seen, nobody)
    subscribing = asyncio.create_task(pool.subscribe("one", netns.pid, Seen(), nobody, "iptables"))
    await eventually(lambda: readings.started == 1)
    netns.ip("link", "add", "meanwhile", "type", "bridge")
    await eventually(lambda: seen.has("meanwhile"))
    readings.released.set()
    await subscribing
    await eventually(lambda: readings.started == 2)


async def test_a_namespace_that_opens_after_its_subscriber_was_cancelled_is_closed(
    pool: WatchPool, netns: Netns, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, go_on = threading.Event(), threading.Event()
    opened: list[Namespace] = []
    real = Namespace.of_machine

    def slow(pid: int, path: str = "") -> Namespace:
        entered.set()
        assert go_on.wait(20)
        opened.append(real(pid, path))
        return opened[0]

    monkeypatch.setattr(Namespace, "of_machine", slow)
    subscribing = asyncio.ensure_future(pool.subscribe(object(), netns.pid, Seen(), nobody))
    await eventually(entered.is_set)
    subscribing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await subscribing
    go_on.set()
    await eventually(lambda: opened and "closed" in repr(opened[0]))
