"""Reading the rules again: once for several changes, and never too early."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import cast

import pytest

from dashboard.core.namespaces.state import Family, FirewallRules, UnreadRules
from dashboard.netns.namespace import Namespace
from dashboard.netns.watch import firewall_feed as module
from dashboard.netns.watch.firewall_feed import FirewallFeed
from tests.support.polling import eventually


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
