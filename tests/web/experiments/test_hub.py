"""The feed of an experiment: all browsers get the same bytes, and a slow browser does not delay others."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from channels.db import database_sync_to_async

from dashboard.core.comparison.rows import compare
from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.messages import ArmStatus, Phase, encode
from dashboard.core.experiments.stream import Patch, Snapshot
from dashboard.store import experiments as experiment_store
from dashboard.store import journal as journal_store
from dashboard.store import recent_entries
from dashboard.web import feed_hub
from dashboard.web.experiments.hub import SHOWN_ITEMS, ExperimentHub
from dashboard.web.feed_hub import GONE, TRY_LATER
from tests.core.sample import make_columns, make_head, make_states
from tests.support.polling import eventually
from tests.support.specs import make_spec
from tests.web.experiments.hub_browser import Browser, entry, first, joined, listening, publish, settled, write

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_browser_gets_a_snapshot_and_then_patches_without_a_gap(hub: ExperimentHub, identity: str) -> None:
    await write(identity, first())
    browser = Browser()
    await hub.join(identity, browser.send)
    assert (await settled(browser, 1)).seq == 1
    for seq in range(2, 8):
        await publish(hub, identity, listening(seq, 9000 + seq))
        await settled(browser, seq)
    kinds = [type(message) for message in browser.messages]
    assert kinds == [Snapshot, *[Patch] * 6]
    for before, after in zip(browser.messages[:-1], browser.messages[1:], strict=True):
        assert isinstance(after, Patch)
        assert after.base == before.seq < after.seq


async def test_patches_lead_to_the_same_state_as_a_snapshot(hub: ExperimentHub, identity: str) -> None:
    early, late = Browser(), Browser()
    await write(identity, first())
    await hub.join(identity, early.send)
    await settled(early, 1)
    for seq in range(2, 6):
        await publish(hub, identity, listening(seq, 9000 + seq))
    await publish(hub, identity, entry(6, states=make_states(), head=make_head(Phase.STOPPING)))
    shown = await settled(early, 6)
    await hub.join(identity, late.send)
    fresh = await settled(late, 6)
    assert shown == fresh
    view = await database_sync_to_async(journal_store.view)(identity)
    assert fresh.rows == compare(view.columns, view.states)
    assert view.head is not None
    assert fresh.experiment == replace(view.head, title="nginx on port 80")


async def test_all_browsers_get_the_same_bytes_encoded_once(
    hub: ExperimentHub, identity: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[object] = []

    def counted(value: object) -> bytes:
        encoded.append(value)
        return encode(value)

    monkeypatch.setattr("dashboard.web.experiments.hub.encode", counted)
    await write(identity, first())
    browsers = [await joined(hub, identity) for _ in range(20)]
    await publish(hub, identity, listening(2, 9001))
    for browser in browsers:
        await settled(browser, 2)
    assert {tuple(browser.texts) for browser in browsers} == {tuple(browsers[0].texts)}
    assert len(encoded) == 2
    assert all(browser.texts[-1] is browsers[0].texts[-1] for browser in browsers)
    assert hub.browsers == 20


async def test_many_entries_are_one_patch(hub: ExperimentHub, identity: str) -> None:
    await write(identity, first())
    browser = await joined(hub, identity)
    await publish(hub, identity, *(listening(seq, 9000 + seq) for seq in range(2, 30)))
    await settled(browser, 29)
    assert len(browser.texts) == 2


async def test_before_the_first_entry_the_page_keeps_its_title_and_columns(hub: ExperimentHub, identity: str) -> None:
    browser = await joined(hub, identity, 0)
    shown = browser.model()
    assert shown.experiment.title == "nginx on port 80"
    assert shown.experiment.phase is Phase.WAITING
    assert [column.key for column in shown.columns] == ["machine", "host", "bridge", "user-bridge"]
    hub.wake(identity)
    await publish(hub, identity, first())
    await settled(browser, 1)
    assert len(browser.texts) == 2


async def test_a_blocked_browser_delays_no_other_and_has_one_pending_message(
    hub: ExperimentHub, identity: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_hub, "BLOCKED_S", 3600.0)  # the loop below may take longer than a browser may be blocked
    await write(identity, first())
    slow, quick = await joined(hub, identity), await joined(hub, identity)
    slow.open.clear()
    for seq in range(2, 40):
        await publish(hub, identity, listening(seq, 9000 + seq))
        await settled(quick, seq)
        assert slow.waiting == 1
    assert len(slow.texts) == 1
    slow.open.set()
    shown = await settled(slow, 39)
    assert [type(message) for message in slow.messages] == [Snapshot, Patch, Snapshot]
    assert shown.rows == quick.model().rows
    await publish(hub, identity, listening(40, 9100))
    await settled(slow, 40)
    assert isinstance(slow.messages[-1], Patch)


async def test_a_browser_blocked_for_too_long_is_closed_and_may_reconnect(
    hub: ExperimentHub, identity: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_hub, "BLOCKED_S", 0.1)
    monkeypatch.setattr(feed_hub, "CHECK_S", 0.05)
    await write(identity, first())
    slow, quick = Browser(), Browser()
    client = await hub.join(identity, slow.send)
    await hub.join(identity, quick.send)
    await settled(slow, 1)
    slow.open.clear()
    await publish(hub, identity, listening(2, 9001))
    await eventually(lambda: client.closing)
    for seq in range(3, 8):
        await publish(hub, identity, listening(seq, 9000 + seq))
        await settled(quick, seq)
    assert slow.waiting == 1, "only the close waits"
    slow.open.set()
    await eventually(lambda: slow.code == TRY_LATER)
    assert len(slow.texts) == 1
    hub.leave(identity, client)
    again = Browser()
    await hub.join(identity, again.send)
    assert (await settled(again, 7)).seq == 7
    assert quick.code is None


@pytest.mark.parametrize("code", [TRY_LATER, GONE])
async def test_a_connection_whose_browser_does_not_read_the_close_is_aborted(
    hub: ExperimentHub, identity: str, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setattr(feed_hub, "BLOCKED_S", 0.1)
    monkeypatch.setattr(feed_hub, "CHECK_S", 0.05)
    await write(identity, first())
    slow, aborted = Browser(), asyncio.Event()
    slow.open.clear()
    client = await hub.join(identity, slow.send, abort=aborted.set)
    if code == GONE:
        hub.disconnect(client, GONE)
    await eventually(aborted.is_set)
    assert slow.waiting == 1, "only the close waits"


async def test_a_browser_that_fails_does_not_disturb_others(hub: ExperimentHub, identity: str) -> None:
    async def broken(_message: Any) -> None:
        raise RuntimeError("the connection is gone")

    await write(identity, first())
    good = Browser()
    await hub.join(identity, broken)
    await hub.join(identity, good.send)
    await settled(good, 1)
    await publish(hub, identity, listening(2, 9001))
    assert (await settled(good, 2)).seq == 2


async def test_the_server_s_fast_path_is_used(hub: ExperimentHub, identity: str) -> None:
    written: list[str] = []
    busy = False

    def write_now(text: str) -> bool:
        if busy:
            return False
        written.append(text)
        return True

    browser = Browser()
    await write(identity, first())
    await hub.join(identity, browser.send, write_now)
    await eventually(lambda: len(written) == 1)
    busy = True
    await publish(hub, identity, listening(2, 9001))
    await eventually(lambda: len(browser.texts) == 1)


async def test_the_last_browser_ends_the_feed(hub: ExperimentHub, identity: str) -> None:
    await write(identity, first())
    one, two = Browser(), Browser()
    clients = [await hub.join(identity, browser.send) for browser in (one, two)]
    await settled(two, 1)
    names = {task.get_name() for task in asyncio.all_tasks()}
    assert f"feed-{identity}" in names
    hub.leave(identity, clients[0])
    assert hub.browsers == 1
    hub.leave(identity, clients[1])
    hub.leave(identity, clients[1])
    assert hub.browsers == 0
    await eventually(lambda: f"feed-{identity}" not in {task.get_name() for task in asyncio.all_tasks()})
    await publish(hub, identity, listening(2, 9001))
    assert one.messages[-1].seq == 1


async def test_leaving_cancels_a_pending_message(hub: ExperimentHub, identity: str) -> None:
    await write(identity, first())
    slow = Browser()
    slow.open.clear()
    client = await hub.join(identity, slow.send)
    await eventually(lambda: slow.waiting == 1)
    hub.leave(identity, client)
    await eventually(lambda: slow.waiting == 0)
    assert slow.texts == []


async def test_clients_of_a_removed_experiment_are_closed_with_gone(hub: ExperimentHub, identity: str) -> None:
    await write(identity, first())
    browser = await joined(hub, identity)
    await database_sync_to_async(experiment_store.set_wanted)(identity, Wanted.REMOVED)
    await database_sync_to_async(experiment_store.delete)(identity)
    hub.wake(identity)
    await eventually(lambda: browser.code == GONE)


async def test_experiments_have_separate_feeds(hub: ExperimentHub, identity: str) -> None:
    other: str = await database_sync_to_async(experiment_store.create_experiment)(make_spec("host", "bridge"))
    await write(identity, first())
    one, two = Browser(), Browser()
    await hub.join(identity, one.send)
    await hub.join(other, two.send)
    await settled(one, 1)
    await settled(two, 0)
    await publish(hub, identity, listening(2, 9001))
    await settled(one, 2)
    assert len(two.texts) == 1


async def test_a_snapshot_has_only_the_newest_items(hub: ExperimentHub, identity: str) -> None:
    await write(identity, first(), *(entry(seq) for seq in range(2, SHOWN_ITEMS + 50)))
    browser = await joined(hub, identity, SHOWN_ITEMS + 49)
    shown = browser.model()
    assert len(shown.timeline) == SHOWN_ITEMS
    assert shown.timeline[-1].seq == SHOWN_ITEMS + 49
    assert shown.timeline[-1].offset_s == pytest.approx(SHOWN_ITEMS + 48)


@pytest.mark.parametrize("is_cached", [False, True])
async def test_a_snapshot_counts_the_items_that_it_omits(hub: ExperimentHub, identity: str, *, is_cached: bool) -> None:
    await write(identity, first(), *(entry(seq) for seq in range(2, SHOWN_ITEMS + 50)))
    if not is_cached:
        recent_entries.forget(identity)
    browser = await joined(hub, identity, SHOWN_ITEMS + 49)
    assert browser.model().omitted == 49
    await publish(hub, identity, entry(SHOWN_ITEMS + 50), entry(SHOWN_ITEMS + 51))
    await settled(browser, SHOWN_ITEMS + 51)
    later = await joined(hub, identity, SHOWN_ITEMS + 51)
    assert (later.model().omitted, len(later.model().timeline)) == (51, SHOWN_ITEMS)
    assert len({item.seq for item in browser.model().timeline}) + browser.model().omitted == SHOWN_ITEMS + 51


@pytest.mark.parametrize("early", [False, True])
async def test_an_experiment_that_is_launched_again_waits_until_the_lab_begins(
    hub: ExperimentHub, identity: str, *, early: bool
) -> None:
    gone = tuple(replace(column, status=ArmStatus.GONE) for column in make_columns())
    await write(identity, entry(1, head=make_head(Phase.STOPPED, round=1), columns=gone))
    browser = await joined(hub, identity) if early else Browser()
    await database_sync_to_async(experiment_store.set_wanted)(identity, Wanted.RUNNING, again=True)
    if early:
        assert browser.model().experiment.phase is Phase.STOPPED
        hub.wake(identity)
    else:
        await hub.join(identity, browser.send)
    await eventually(lambda: browser.texts and browser.model().experiment.phase is Phase.WAITING)
    assert browser.model().experiment.stopped_at is None
    assert {arm.text for arm in browser.model().launching} == {"waits for the lab"}
    await publish(hub, identity, entry(2, head=make_head(Phase.PREPARING, round=2), columns=make_columns()))
    assert (await settled(browser, 2)).experiment.phase is Phase.PREPARING
