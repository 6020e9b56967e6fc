"""Reading the rules again: once for several changes, and never too early."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import cast

import pytest

from dashboard.core.namespaces.state import Family, FirewallRules, Listener, Protocol, UnreadRules
from dashboard.netns.namespace import Namespace
from dashboard.netns.watch import firewall_feed as module
from dashboard.netns.watch.firewall_feed import FirewallFeed, rule_triggers
from dashboard.netns.watch.namespace_watch import KernelView
from tests.support.polling import eventually, others_run


class Readings:
    """Readings that wait until they are released; each returns other rules."""

    def __init__(self) -> None:
        self.started = 0
        self.released = asyncio.Event()
        self.released.set()
        self.same = False

    async def __call__(self, _namespace: Namespace, _backend: str, _bridges: Iterable[str]) -> FirewallRules:
        self.started += 1
        number = 1 if self.same else self.started
        await self.released.wait()
        return FirewallRules(unread=(UnreadRules(Family.INET, str(number)),))


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> Readings:
    made = Readings()
    monkeypatch.setattr(module, "read_firewall", made)
    monkeypatch.setattr(module, "QUIET_S", 0)
    monkeypatch.setattr(module, "PAUSE_S", 0)
    monkeypatch.setattr(module, "_READ_SHARE", float("inf"))
    return made


@pytest.fixture
def changes() -> list[str]:
    return []


@pytest.fixture
def feed(readings: Readings, changes: list[str]) -> FirewallFeed:
    made = FirewallFeed(cast("Namespace", None), "iptables", lambda: (), lambda: changes.append("changed"))
    assert readings.started == 0
    return made


async def test_a_reading_that_differs_is_reported(feed: FirewallFeed, readings: Readings, changes: list[str]) -> None:
    readings.same = True
    await feed.refresh()
    await feed.refresh()
    assert (readings.started, changes) == (2, ["changed"])
    assert feed.rules.why_unread(Family.INET) == "1"


async def test_callers_that_wait_share_a_reading_that_began_after_their_call(
    feed: FirewallFeed, readings: Readings
) -> None:
    readings.released.clear()
    first = asyncio.create_task(feed.refresh())
    await eventually(lambda: readings.started == 1)
    others = [asyncio.create_task(feed.refresh()) for _ in range(5)]
    await asyncio.wait(others, timeout=0)
    readings.released.set()
    await asyncio.gather(first, *others)
    assert readings.started == 2
    assert feed.rules.why_unread(Family.INET) == "2"


async def test_callers_that_wait_for_a_reading_that_is_cancelled_read_themselves(
    feed: FirewallFeed, readings: Readings
) -> None:
    readings.released.clear()
    first = asyncio.create_task(feed.refresh())
    await eventually(lambda: readings.started == 1)
    second, third = (asyncio.create_task(feed.refresh()) for _ in range(2))
    await asyncio.wait([second, third], timeout=0)
    first.cancel()
    await eventually(lambda: readings.started == 2)
    second.cancel()
    readings.released.set()
    await third
    assert readings.started == 3
    assert feed.rules.why_unread(Family.INET) == "3"


async def test_several_changes_are_one_reading(feed: FirewallFeed, readings: Readings, changes: list[str]) -> None:
    for _ in range(5):
        feed.touch()
    await eventually(lambda: changes)
    assert readings.started == 1


async def test_a_change_during_a_reading_is_read_afterwards(
    feed: FirewallFeed, readings: Readings, changes: list[str]
) -> None:
    readings.released.clear()
    feed.touch()
    await eventually(lambda: readings.started == 1)
    feed.touch()
    readings.released.set()
    await eventually(lambda: readings.started == 2 and len(changes) == 2)


async def test_a_closed_feed_reads_no_more(feed: FirewallFeed, readings: Readings) -> None:
    readings.released.clear()
    feed.touch()
    await eventually(lambda: readings.started == 1)
    await feed.close()
    assert feed._task is None
    readings.released.set()
    assert feed.rules == FirewallRules()


@pytest.mark.parametrize(("name", "value"), [("_READ_SHARE", 1e-9), ("PAUSE_S", 3600.0)])
async def test_after_a_reading_changes_wait_and_callers_do_not(
    feed: FirewallFeed, readings: Readings, monkeypatch: pytest.MonkeyPatch, name: str, value: float
) -> None:
    monkeypatch.setattr(module, name, value)
    await feed.refresh()
    feed.touch()
    for _ in range(100):
        await others_run()
    assert readings.started == 1
    await feed.refresh()
    assert readings.started == 2
    await feed.close()


UDP = Listener(Protocol.UDP, Family.INET, "0.0.0.0", 40000, 7, "dig")
TCP = Listener(Protocol.TCP, Family.INET, "127.0.0.1", 8080)


@pytest.mark.parametrize(
    ("before", "after", "differ"),
    [
        ((), (TCP,), True),
        ((TCP,), (replace(TCP, port=8081),), True),
        ((TCP,), (replace(TCP, pid=9, process="docker-proxy"),), False),
        ((), (UDP,), False),
        ((), (replace(UDP, process="docker-proxy"),), True),
    ],
    ids=["TCP port", "another TCP port", "owner of a TCP port", "UDP socket of a program", "published UDP port"],
)
def test_changes_of_ports_that_may_be_published_trigger_a_reading_of_the_rules(
    before: tuple[Listener, ...], after: tuple[Listener, ...], differ: bool
) -> None:
    assert (rule_triggers(KernelView(listeners=before)) != rule_triggers(KernelView(listeners=after))) is differ
