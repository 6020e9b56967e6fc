"""Listeners and their owners."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterable, Iterator

import pytest

from dashboard.core.namespaces.state import Listener
from dashboard.netns.namespace import Namespace
from dashboard.netns.netlink.listeners import ListenerTable, open_diag_socket
from dashboard.netns.processes import Owner
from dashboard.netns.watch import listener_feed
from dashboard.netns.watch.listener_feed import ListenerFeed
from tests.netns.namespaces import Zoo, wanted
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
def table(zoo: Zoo, namespace: Namespace) -> Iterator[ListenerTable]:
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


async def test_a_new_socket_is_shown_with_its_owner(
    zoo: Zoo, feed: ListenerFeed, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener_feed, "_OWNER_WAIT_S", DEADLINE_S)  # the search may be slow
    process = zoo.hold([wanted("tcp", "inet", "0.0.0.0", 80)], name=b"web")
    feed.poll()
    await eventually(lambda: recorded.shown and recorded.shown[-1])
    assert [(one.pid, one.process) for one in recorded.shown[-1]] == [(process.pid, "web")]
    assert not any(one.pid is None for shown in recorded.shown for one in shown)


async def test_a_slow_search_does_not_hold_a_socket_back_for_long(
    zoo: Zoo, feed: ListenerFeed, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()

    def search(inodes: Iterable[int], _candidates: object) -> dict[int, Owner | None]:
        go_on.wait(5)
        return {inode: Owner(7, "late", None, 1) for inode in inodes}

    monkeypatch.setattr(listener_feed, "search_owners", search)
    zoo.hold([wanted("tcp", "inet", "0.0.0.0", 80)])
    feed.poll()
    assert recorded.shown == [()]
    await eventually(lambda: recorded.shown[-1])
    assert [one.pid for one in recorded.shown[-1]] == [None]
    go_on.set()
    await eventually(lambda: [one.pid for one in recorded.shown[-1]] == [7])


async def test_a_search_that_fails_shows_the_socket_without_an_owner(
    zoo: Zoo, feed: ListenerFeed, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def search(_inodes: Iterable[int], _candidates: object) -> dict[int, Owner | None]:
        raise OSError("made up")

    monkeypatch.setattr(listener_feed, "search_owners", search)
    process = zoo.hold([wanted("tcp", "inet", "0.0.0.0", 80)])
    feed.poll()
    await eventually(lambda: recorded.shown[-1])
    assert recorded.shown[-1][0].pid is None
    monkeypatch.undo()
    await feed.check_owners()
    assert recorded.shown[-1][0].pid == process.pid


async def test_an_ended_owner_is_replaced_by_the_process_that_holds_the_socket(
    zoo: Zoo, feed: ListenerFeed, recorded: Recorded
) -> None:
    """Servers that fork and let their parent end behave like this."""
    parent = zoo.hold([wanted("tcp", "inet", "0.0.0.0", 80)], name=b"daemon", children=1)
    feed.poll()
    await eventually(lambda: recorded.shown[-1] and recorded.shown[-1][0].pid == parent.pid)
    await feed.check_owners()
    assert recorded.shown[-1][0].pid == parent.pid
    parent.kill()
    parent.wait()
    await feed.check_owners()
    assert recorded.shown[-1][0].pid not in {None, parent.pid}
    assert recorded.shown[-1][0].process == "daemon"


async def test_a_bound_device_is_named(zoo: Zoo, feed: ListenerFeed, recorded: Recorded) -> None:
    zoo.hold([wanted("udp", "inet", "0.0.0.0", 68, device="lo")])
    feed.poll()
    await eventually(lambda: recorded.shown[-1])
    assert recorded.shown[-1][0].interface == "if1"
    assert feed.listeners(1, lambda _index: "renamed")[0].interface == "renamed"


async def test_a_socket_that_closes_before_its_owner_is_found_is_dropped(
    zoo: Zoo, feed: ListenerFeed, recorded: Recorded
) -> None:
    process = zoo.hold([wanted("tcp", "inet", "0.0.0.0", 80)])
    feed.poll()
    zoo.release(process)
    feed.poll()
    await eventually(lambda: feed._search is None)
    assert recorded.shown[-1] == ()
    assert feed._owners == {}


async def test_an_owner_that_is_never_found_is_not_searched_forever(
    zoo: Zoo, feed: ListenerFeed, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    searches: list[int] = []

    def search(inodes: Iterable[int], _candidates: object) -> dict[int, Owner | None]:
        searches.append(1)
        return dict.fromkeys(inodes)

    monkeypatch.setattr(listener_feed, "search_owners", search)
    zoo.hold([wanted("tcp", "inet", "0.0.0.0", 80)])
    feed.poll()
    await eventually(lambda: recorded.shown[-1])
    for _ in range(5):
        await feed.check_owners()
    assert len(searches) == 3
    await feed.check_owners(everything=True)
    assert len(searches) == 4
