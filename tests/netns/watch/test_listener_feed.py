"""Listeners and their owners."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import threading
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import ExitStack

import pytest

from dashboard.core.namespaces.state import Listener
from dashboard.netns.namespace import Namespace
from dashboard.netns.netlink.listeners import ListenerTable, open_diag_socket
from dashboard.netns.processes import Owner, find_owners
from dashboard.netns.watch import listener_feed
from dashboard.netns.watch.listener_feed import ListenerFeed
from tests.netns.namespaces import Netns, wanted
from tests.support.polling import DEADLINE_S, eventually


class Recorded:
    """Records the content of a feed at each reported change."""

    def __init__(self) -> None:
        self.shown: list[tuple[Listener, ...]] = []
        self.feed: ListenerFeed | None = None

    def __call__(self) -> None:
        assert self.feed is not None
        self.shown.append(self.feed.listeners(0, lambda index: f"if{index}" if index else None))


@pytest.fixture
def table(netns: Netns, namespace: Namespace) -> Iterator[ListenerTable]:
    with namespace.run(open_diag_socket) as diag:
        yield ListenerTable(diag)


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


@pytest.fixture
async def feed(table: ListenerTable, recorded: Recorded) -> AsyncIterator[ListenerFeed]:
    opened = ListenerFeed(table, {}, None, recorded)
    recorded.feed = opened
    yield opened
    opened.stop()


class Handover:
    """A listening socket of the test's own process, which plays the engine, and the process that receives it."""

    def __init__(self, namespace: Namespace, address: str = "0.0.0.0") -> None:
        self._open = ExitStack()
        self._socket = self._open.enter_context(namespace.run(socket.socket))
        self._socket.bind((address, 8080))
        self._socket.listen()
        self.inode = os.fstat(self._socket.fileno()).st_ino

    def pass_on(self) -> int:
        """Starts a process that inherits the socket, and closes it here; returns the pid."""
        proxy = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=[self._socket.fileno()])
        self._open.callback(proxy.communicate)
        self._socket.close()
        return proxy.pid

    def close(self) -> None:
        """Ends the process."""
        self._open.close()


@pytest.fixture
def handover(namespace: Namespace) -> Iterator[Handover]:
    made = Handover(namespace)
    yield made
    made.close()


@pytest.fixture
async def engine_feed(
    table: ListenerTable, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ListenerFeed]:
    """A feed for which this process is the engine; it waits for a handover as long as the test takes."""
    monkeypatch.setattr(listener_feed, "_HANDOVER_S", DEADLINE_S)
    monkeypatch.setattr(listener_feed, "_HANDOVER_POLL_S", 0)
    monkeypatch.setattr(listener_feed, "_OWNER_WAIT_S", DEADLINE_S)
    recorded.feed = opened = ListenerFeed(table, {}, None, recorded, lambda: [os.getpid()])
    yield opened
    opened.stop()


async def test_a_socket_that_an_engine_passes_on_is_shown_with_the_process_that_keeps_it(
    engine_feed: ListenerFeed, recorded: Recorded, handover: Handover
) -> None:
    engine_feed.poll()
    await eventually(lambda: engine_feed._handover)
    proxy = handover.pass_on()
    await eventually(lambda: recorded.shown[-1])
    assert {one.pid for shown in recorded.shown for one in shown} == {proxy}


async def test_a_socket_that_was_shown_before_the_engine_was_found_stays(
    engine_feed: ListenerFeed, recorded: Recorded, handover: Handover, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener_feed, "_OWNER_WAIT_S", 0)
    engine_feed.poll()
    assert [one.pid for one in recorded.shown[-1]] == [None], "the search has not ended yet"
    await eventually(lambda: engine_feed._handover)
    proxy = handover.pass_on()
    await engine_feed.settle()
    owners = [[one.pid for one in shown] for shown in recorded.shown]
    assert owners[-1] == [proxy]
    assert set(map(tuple, owners)) == {(None,), (proxy,)}


async def test_a_feed_settles_once_the_engine_has_passed_a_socket_on(
    engine_feed: ListenerFeed, recorded: Recorded, handover: Handover
) -> None:
    settling = asyncio.create_task(engine_feed.settle())
    await eventually(lambda: engine_feed._handover)
    assert not settling.done()
    proxy = handover.pass_on()
    await settling
    assert [one.pid for one in recorded.shown[-1]] == [proxy]


async def test_a_feed_without_sockets_is_settled(engine_feed: ListenerFeed) -> None:
    await engine_feed.settle()
    engine_feed.stop()
    await engine_feed.settle()


async def test_a_socket_that_an_engine_keeps_is_its_own_in_the_end(
    engine_feed: ListenerFeed, recorded: Recorded, handover: Handover, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine with ``--userland-proxy=false`` keeps it."""
    monkeypatch.setattr(listener_feed, "_HANDOVER_S", 0)
    await engine_feed.settle()
    assert [one.pid for one in recorded.shown[-1]] == [os.getpid()]


async def test_where_docker_proxy_runs_an_engine_has_longer_to_pass_a_socket_on(
    engine_feed: ListenerFeed, recorded: Recorded, handover: Handover, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener_feed, "_HANDOVER_S", 0)
    monkeypatch.setattr(listener_feed, "_MORE_HANDOVER_S", DEADLINE_S)
    engine_feed.poll()
    engine_feed._owners[0] = Owner(1, "docker-proxy", None, 1)
    await eventually(lambda: engine_feed._handover)
    proxy = handover.pass_on()
    await engine_feed.settle()
    assert {one.pid for shown in recorded.shown for one in shown} == {proxy}


async def test_a_socket_that_an_engine_held_before_is_shown_at_once_and_searched_again(
    table: ListenerTable, recorded: Recorded, engine_feed: ListenerFeed, handover: Handover
) -> None:
    table.poll()
    owners: dict[int, Owner | None] = {**find_owners([handover.inode], [os.getpid()])}
    recorded.feed = feed = ListenerFeed(table, owners, None, recorded, lambda: [os.getpid()])
    assert [one.pid for one in feed.listeners(0, str)] == [os.getpid()]
    proxy = handover.pass_on()
    await feed.settle()
    assert [one.pid for one in feed.listeners(0, str)] == [proxy]
    feed.stop()


async def test_the_sockets_of_the_engines_resolver_stay_its_own(
    netns: Netns, namespace: Namespace, engine_feed: ListenerFeed, recorded: Recorded
) -> None:
    resolver = Handover(namespace, "127.0.0.11")
    await engine_feed.settle()
    assert [one.pid for one in recorded.shown[-1]] == [os.getpid()]
    resolver.close()


async def test_an_owner_that_closes_the_socket_is_replaced_by_the_process_that_holds_it(
    feed: ListenerFeed, recorded: Recorded, handover: Handover
) -> None:
    await feed.settle()
    assert [one.pid for one in recorded.shown[-1]] == [os.getpid()]
    proxy = handover.pass_on()
    await feed.check_owners()
    assert [one.pid for one in recorded.shown[-1]] == [proxy]


async def test_a_new_socket_is_shown_with_its_owner(
    netns: Netns, feed: ListenerFeed, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener_feed, "_OWNER_WAIT_S", DEADLINE_S)  # the search may be slow
    process = netns.hold([wanted("tcp", "inet", "0.0.0.0", 80)], name=b"web")
    feed.poll()
    await eventually(lambda: recorded.shown and recorded.shown[-1])
    assert [(one.pid, one.process) for one in recorded.shown[-1]] == [(process.pid, "web")]
    assert not any(one.pid is None for shown in recorded.shown for one in shown)


async def test_a_slow_search_does_not_hold_a_socket_back_for_long(
    netns: Netns, feed: ListenerFeed, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()

    def search(inodes: Iterable[int], _candidates: object) -> dict[int, Owner | None]:
        go_on.wait(DEADLINE_S)
        return {inode: Owner(7, "late", None, 1) for inode in inodes}

    monkeypatch.setattr(listener_feed, "search_owners", search)
    netns.hold([wanted("tcp", "inet", "0.0.0.0", 80)])
    feed.poll()
    assert recorded.shown == [()]
    await eventually(lambda: recorded.shown[-1])
    assert [one.pid for one in recorded.shown[-1]] == [None]
    go_on.set()
    await eventually(lambda: [one.pid for one in recorded.shown[-1]] == [7])


async def test_a_search_that_fails_shows_the_socket_without_an_owner(
    netns: Netns, feed: ListenerFeed, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def search(_inodes: Iterable[int], _candidates: object) -> dict[int, Owner | None]:
        raise OSError("made up")

    monkeypatch.setattr(listener_feed, "search_owners", search)
    process = netns.hold([wanted("tcp", "inet", "0.0.0.0", 80)])
    feed.poll()
    await eventually(lambda: recorded.shown[-1])
    assert recorded.shown[-1][0].pid is None
    monkeypatch.undo()
    await feed.check_owners()
    assert recorded.shown[-1][0].pid == process.pid


async def test_an_ended_owner_is_replaced_by_the_process_that_holds_the_socket(
    netns: Netns, feed: ListenerFeed, recorded: Recorded
) -> None:
    """Servers that fork and let their parent end behave like this."""
    parent = netns.hold([wanted("tcp", "inet", "0.0.0.0", 80)], name=b"daemon", children=1)
    feed.poll()
    await eventually(lambda: recorded.shown[-1] and recorded.shown[-1][0].pid == parent.pid)
    await feed.check_owners()
    assert recorded.shown[-1][0].pid == parent.pid
    parent.kill()
    parent.wait()
    await feed.check_owners()
    assert recorded.shown[-1][0].pid not in {None, parent.pid}
    assert recorded.shown[-1][0].process == "daemon"


async def test_a_bound_device_is_named(netns: Netns, feed: ListenerFeed, recorded: Recorded) -> None:
    netns.hold([wanted("udp", "inet", "0.0.0.0", 68, device="lo")])
    feed.poll()
    await eventually(lambda: recorded.shown[-1])
    assert recorded.shown[-1][0].interface == "if1"
    assert feed.listeners(1, lambda _index: "renamed")[0].interface == "renamed"


async def test_a_socket_that_closes_before_its_owner_is_found_is_dropped(
    netns: Netns, feed: ListenerFeed, recorded: Recorded
) -> None:
    process = netns.hold([wanted("tcp", "inet", "0.0.0.0", 80)])
    feed.poll()
    netns.release(process)
    feed.poll()
    await eventually(lambda: feed._search is None)
    assert recorded.shown[-1] == ()
    assert feed._owners == {}


async def test_an_owner_that_is_never_found_is_not_searched_forever(
    netns: Netns, feed: ListenerFeed, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    searches: list[int] = []

    def search(inodes: Iterable[int], _candidates: object) -> dict[int, Owner | None]:
        searches.append(1)
        return dict.fromkeys(inodes)

    monkeypatch.setattr(listener_feed, "search_owners", search)
    netns.hold([wanted("tcp", "inet", "0.0.0.0", 80)])
    feed.poll()
    await eventually(lambda: recorded.shown[-1])
    for _ in range(5):
        await feed.check_owners()
    assert len(searches) == 3
    await feed.check_owners(everything=True)
    assert len(searches) == 4
