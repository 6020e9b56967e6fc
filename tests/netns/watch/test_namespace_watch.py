"""A watched namespace: which changes are reported, when, and at which cost."""

from __future__ import annotations

import asyncio
import errno
import logging
import threading
from collections.abc import Callable

import pytest
from msgspec import UnsetType

from dashboard.netns.namespace import Namespace, NamespaceGone
from dashboard.netns.netlink.listeners import ListenerTable
from dashboard.netns.watch import namespace_watch as watching
from dashboard.netns.watch.link_feed import LinkFeed
from dashboard.netns.watch.namespace_watch import KernelView, Watch
from tests.netns.conftest import Seen
from tests.netns.namespaces import Netns, wanted
from tests.support.polling import eventually, others_run


async def _ip(netns: Netns, *arguments: str) -> None:
    await asyncio.to_thread(netns.ip, *arguments)


async def test_the_first_view_is_available_at_once_and_not_reported(netns: Netns, watch: Watch, seen: Seen) -> None:
    assert [one.name for one in watch.view.interfaces] == ["lo"]
    assert watch.view.sysctls["net.ipv4.ip_unprivileged_port_start"] == "1024"
    await watch.resync()
    assert seen == []


async def test_changes_are_reported_with_their_cause(netns: Netns, watch: Watch, seen: Seen) -> None:
    await _ip(netns, "link", "set", "lo", "mtu", "1400")
    await eventually(lambda: seen == ["link lo"])
    await _ip(netns, "addr", "add", "10.0.0.1/24", "dev", "lo")
    await eventually(lambda: seen[1:] == ["address lo"])
    await _ip(netns, "route", "add", "10.9.0.0/16", "dev", "lo")
    await eventually(lambda: seen[2:] == ["route"])
    process = netns.hold([wanted("tcp", "inet", "0.0.0.0", 80)])
    await eventually(lambda: seen[3:] == ["listener tcp :80"])
    assert [(one.port, one.pid) for one in watch.view.listeners] == [(80, process.pid)]
    netns.release(process)
    await eventually(lambda: seen[4:] == ["listener tcp :80"])
    await asyncio.to_thread(netns.run, "sysctl", "-qw", "net.core.somaxconn=77")
    await watch.resync()
    assert seen[5:] == ["sysctl"]
    assert watch.view.sysctls["net.core.somaxconn"] == "77"


async def test_a_change_that_is_undone_is_not_reported(netns: Netns, watch: Watch, seen: Seen) -> None:
    netns.batch("addr add 10.0.0.1/24 dev lo", "addr del 10.0.0.1/24 dev lo", "link set lo mtu 1400")
    await eventually(lambda: seen)
    assert seen == ["link lo"]


async def test_a_change_is_reported_within_milliseconds(netns: Netns, watch: Watch, seen: Seen) -> None:
    loop = asyncio.get_running_loop()
    waits: list[float] = []
    for number in range(10):
        count = len(seen)
        done = loop.create_future()
        thread = threading.Thread(
            target=lambda n=number, d=done: (
                netns.ip("addr", "add", f"10.0.{n}.1/24", "dev", "lo"),
                loop.call_soon_threadsafe(d.set_result, loop.time()),
            )
        )
        thread.start()
        while len(seen) == count:
            await others_run()
        told = loop.time()
        waits.append(told - await done)
        thread.join()
    assert sorted(waits)[5] < 0.2, f"not by the check that comes every second: {waits}"


async def test_sysctls_are_read_again_by_themselves(
    netns: Netns, namespace: Namespace, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_CHECK_PERIOD_S", 0.05)
    monkeypatch.setattr(watching, "_SYSCTL_PERIOD_S", 0.05)
    watch = await Watch.open(namespace, seen, extra_sysctls=("net.ipv4.conf.lo.accept_local",))
    seen.before = watch.view
    await asyncio.to_thread(netns.run, "sysctl", "-qw", "net.ipv4.conf.lo.accept_local=1")
    await eventually(lambda: seen == ["sysctl"])
    assert watch.view.sysctls["net.ipv4.conf.lo.accept_local"] == "1"
    watch.close()


async def test_everything_is_read_again_periodically(
    netns: Netns, namespace: Namespace, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_CHECK_PERIOD_S", 0.05)
    monkeypatch.setattr(watching, "_RESYNC_PERIOD_S", 0.05)
    monkeypatch.setattr(LinkFeed, "_read", lambda self: self._events.recv(65536))  # deaf to events
    watch = await Watch.open(namespace, seen)
    seen.before = watch.view
    await _ip(netns, "link", "set", "lo", "mtu", "1400")
    await eventually(lambda: seen == ["link lo"])
    watch.close()


async def test_a_failing_poll_is_logged_once_and_continues(
    netns: Netns, watch: Watch, seen: Seen, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[int] = []

    def refuse(_self: ListenerTable) -> bool:
        calls.append(1)
        raise OSError(errno.ENOMEM, "made up")

    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(watching, "_ERROR_PAUSE_S", 0.01)
        patch.setattr(ListenerTable, "poll", refuse)
        await eventually(lambda: len(calls) > 3)
    assert [record.getMessage().count("made up") for record in caplog.records] == [1]
    netns.hold([wanted("tcp", "inet", "0.0.0.0", 80)])
    await eventually(lambda: seen == ["listener tcp :80"])


async def test_a_failing_callback_does_not_stop_the_watch(
    netns: Netns, namespace: Namespace, caplog: pytest.LogCaptureFixture
) -> None:
    views: list[KernelView] = []

    def fail(view: KernelView) -> None:
        views.append(view)
        raise ValueError("made up")

    watch = await Watch.open(namespace, fail)
    for mtu in ("1400", "1401"):
        await _ip(netns, "link", "set", "lo", "mtu", mtu)
        await eventually(lambda mtu=mtu: views and views[-1].interfaces[0].mtu == int(mtu))  # type: ignore[misc]
    assert "made up" in caplog.text
    watch.close()


async def test_several_watches_share_one_namespace_and_one_timer(netns: Netns, namespace: Namespace) -> None:
    watches = [await Watch.open(namespace, lambda _view: None) for _ in range(5)]
    namespace.close()
    netns.hold([wanted("tcp", "inet", "0.0.0.0", 80)])
    await eventually(lambda: all(len(watch.view.listeners) == 1 for watch in watches))
    assert len({watch._poll_timer for watch in watches}) == 1
    for watch in watches:
        watch.close()


async def test_after_close_nothing_is_reported(netns: Netns, watch: Watch, seen: Seen) -> None:
    watch.close()
    watch.close()
    await _ip(netns, "link", "set", "lo", "mtu", "1400")
    assert seen == []
    with pytest.raises(NamespaceGone):
        await watch.resync()


async def test_a_watch_may_be_closed_by_its_callback(netns: Netns, namespace: Namespace) -> None:
    views: list[KernelView] = []

    def close(view: KernelView) -> None:
        views.append(view)
        watch.close()

    watch = await Watch.open(namespace, close)
    await _ip(netns, "link", "set", "lo", "mtu", "1400")
    await eventually(lambda: views)
    await _ip(netns, "link", "set", "lo", "mtu", "1401")
    assert [view.interfaces[0].mtu for view in views] == [1400]


async def test_closing_in_the_middle_of_a_resync_leaves_nothing_open(netns: Netns, namespace: Namespace) -> None:
    watch = await Watch.open(namespace, lambda _view: None)
    task = asyncio.ensure_future(watch.resync())
    await others_run()
    watch.close()
    with pytest.raises((NamespaceGone, OSError, asyncio.CancelledError)):
        await task


async def test_a_cancelled_opening_leaves_nothing_open(netns: Netns, namespace: Namespace) -> None:
    task = asyncio.ensure_future(Watch.open(namespace, lambda _view: None))
    await others_run()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await eventually(lambda: not any(one.name == "netns visit" for one in threading.enumerate()))


async def test_opening_a_closed_namespace_says_that_it_is_gone(namespace: Namespace) -> None:
    namespace.close()
    with pytest.raises(NamespaceGone):
        await Watch.open(namespace, lambda _view: None)


async def test_a_kernel_that_refuses_is_reported_and_leaves_nothing_open(
    namespace: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_self: ListenerTable) -> bool:
        raise OSError(errno.EPERM, "made up")

    monkeypatch.setattr(ListenerTable, "poll", refuse)
    with pytest.raises(OSError, match="made up"):
        await Watch.open(namespace, lambda _view: None)


async def test_owners_are_searched_among_the_candidates_given(
    netns: Netns, namespace: Namespace, make_netns: Callable[[], Netns]
) -> None:
    process = netns.hold([wanted("tcp", "inet", "0.0.0.0", 80)])
    asked: list[int] = []

    def candidates() -> dict[int, str]:
        asked.append(1)
        return {process.pid: ""}

    watch = await Watch.open(namespace, lambda _view: None, candidates=candidates)
    assert [one.pid for one in watch.view.listeners] == [process.pid]
    assert asked
    watch.close()


async def test_the_namespaces_of_peers_are_identified(
    netns: Netns, namespace: Namespace, make_netns: Callable[[], Netns]
) -> None:
    engine, other = make_netns(), make_netns()
    netns.batch(f"link add eth0 type veth peer name v0 netns {engine.pid}")
    watch = await Watch.open(namespace, lambda _view: None, peers=lambda: [(engine.pid, "")])

    def peers() -> dict[str, int | UnsetType]:
        return {one.name: one.peer_netns for one in watch.view.interfaces if one.kind == "veth"}

    with Namespace.of_pid(engine.pid) as elsewhere:
        assert peers() == {"eth0": elsewhere.inode}
        netns.ip("link", "add", "eth1", "type", "veth", "peer", "name", "v0", "netns", str(other.pid))
        await eventually(lambda: peers() == {"eth0": elsewhere.inode, "eth1": 0})
        netns.batch("link del eth0", "link del eth1", f"link add eth2 type veth peer name v2 netns {engine.pid}")
        await eventually(lambda: peers() == {"eth2": elsewhere.inode})
        await watch.resync()
        assert peers() == {"eth2": elsewhere.inode}
    watch.close()
