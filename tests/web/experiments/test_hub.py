"""The feed of an experiment: all browsers get the same bytes, and a slow browser does not delay others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from channels.db import database_sync_to_async
from django.db import OperationalError

from dashboard.core.comparison.rows import compare
from dashboard.core.experiments.journal import Cause, Entry, Facts, Source
from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.messages import ArmStatus, Phase, encode
from dashboard.core.experiments.stream import Patch, Snapshot
from dashboard.core.namespaces.state import Listener
from dashboard.store import experiments as experiment_store
from dashboard.store import recent_entries
from dashboard.web import feed_hub
from dashboard.web.experiments.hub import SHOWN_ITEMS, ExperimentHub
from dashboard.web.feed_hub import GONE, TRY_LATER
from tests.core.builders import apply_rows
from tests.support.polling import eventually
from tests.support.specs import make_spec
from tests.web.sample import make_columns, make_head, make_listener, make_states

pytestmark = pytest.mark.django_db(transaction=True)
CAUSE = Cause(Source.LAB, "test")
Message = Snapshot | Patch


def _decode(text: str) -> Message:
    if '"type":"snapshot"' in text:
        return msgspec.json.decode(text, type=Snapshot)
    return msgspec.json.decode(text, type=Patch)


class Browser:
    """Receives messages while ``open`` is set; keeps their bytes and their decoded content."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.code: int | None = None
        self.open = asyncio.Event()
        self.open.set()
        self.waiting = 0

    async def send(self, message: Any) -> None:
        self.waiting += 1
        try:
            await self.open.wait()
        finally:
            self.waiting -= 1
        if message["type"] == "websocket.close":
            self.code = message["code"]
        else:
            self.texts.append(message["text"])

    @property
    def messages(self) -> list[Message]:
        return [_decode(text) for text in self.texts]

    def model(self) -> Snapshot:
        """What the page shows: the newest snapshot with all later patches, applied as the page applies them."""
        shown: Snapshot | None = None
        for message in self.messages:
            if isinstance(message, Snapshot):
                shown = message
                continue
            assert shown is not None, "a patch before the first snapshot"
            if message.seq <= shown.seq:
                continue
            assert message.base == shown.seq, "a gap"
            shown = replace(
                shown,
                seq=message.seq,
                experiment=message.experiment or shown.experiment,
                columns=message.columns or shown.columns,
                rows=apply_rows(shown.rows, message.rows),
                wide=message.wide or shown.wide,
                narrow=message.narrow or shown.narrow,
                timeline=(*shown.timeline, *message.timeline),
            )
        assert shown is not None, "no snapshot"
        return shown


@pytest.fixture
async def hub() -> AsyncIterator[ExperimentHub]:
    made = ExperimentHub()
    yield made
    await made.close()


@pytest.fixture
async def identity() -> str:
    made: str = await database_sync_to_async(experiment_store.create_experiment)(
        make_spec("host", "bridge", "user-bridge")
    )
    return made


def entry(seq: int, **facts: Any) -> Entry:
    return Entry(seq, 1000.0 + seq, CAUSE, Facts(**facts), f"entry {seq}")


def first() -> Entry:
    return entry(1, head=make_head(), columns=make_columns(), states=make_states())


def listening(seq: int, port: int) -> Entry:
    return entry(seq, states=make_states(*(make_listener(one, "server", 40000) for one in range(9000, port + 1))))


@database_sync_to_async
def write(identity: str, *entries: Entry) -> None:
    experiment_store.append(identity, entries)


async def told(hub: ExperimentHub, identity: str, *entries: Entry) -> None:
    """Writes entries and then wakes the hub, as the lab does."""
    await write(identity, *entries)
    hub.wake(identity)


async def settled(browser: Browser, seq: int) -> Snapshot:
    await eventually(lambda: browser.texts and browser.messages[-1].seq >= seq)
    return browser.model()


async def test_a_browser_gets_a_snapshot_and_then_patches_without_a_gap(hub: ExperimentHub, identity: str) -> None:
    await write(identity, first())
    browser = Browser()
    await hub.join(identity, browser.send)
    assert (await settled(browser, 1)).seq == 1
    for seq in range(2, 8):
        await told(hub, identity, listening(seq, 9000 + seq))
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
        await told(hub, identity, listening(seq, 9000 + seq))
    await told(hub, identity, entry(6, states=make_states(), head=make_head(Phase.STOPPING)))
    shown = await settled(early, 6)
    await hub.join(identity, late.send)
    fresh = await settled(late, 6)
    assert shown == fresh
    view = await database_sync_to_async(experiment_store.view)(identity)
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
    browsers = [Browser() for _ in range(20)]
    for browser in browsers:
        await hub.join(identity, browser.send)
    for browser in browsers:
        await settled(browser, 1)
    await told(hub, identity, listening(2, 9001))
    for browser in browsers:
        await settled(browser, 2)
    assert {tuple(browser.texts) for browser in browsers} == {tuple(browsers[0].texts)}
    assert len(encoded) == 2
    assert all(browser.texts[-1] is browsers[0].texts[-1] for browser in browsers)
    assert hub.browsers == 20


async def test_many_entries_are_one_patch(hub: ExperimentHub, identity: str) -> None:
    await write(identity, first())
    browser = Browser()
    await hub.join(identity, browser.send)
    await settled(browser, 1)
    await told(hub, identity, *(listening(seq, 9000 + seq) for seq in range(2, 30)))
    await settled(browser, 29)
    assert len(browser.texts) == 2


async def test_before_the_first_entry_the_page_keeps_its_title_and_columns(hub: ExperimentHub, identity: str) -> None:
    browser = Browser()
    await hub.join(identity, browser.send)
    shown = await settled(browser, 0)
    assert shown.experiment.title == "nginx on port 80"
    assert shown.experiment.phase is Phase.WAITING
    assert [column.key for column in shown.columns] == ["machine", "host", "bridge", "user-bridge"]
    hub.wake(identity)
    await told(hub, identity, first())
    await settled(browser, 1)
    assert len(browser.texts) == 2


async def test_a_blocked_browser_delays_no_other_and_has_one_pending_message(hub: ExperimentHub, identity: str) -> None:
    await write(identity, first())
    slow, quick = Browser(), Browser()
    await hub.join(identity, slow.send)
    await hub.join(identity, quick.send)
    await settled(slow, 1)
    await settled(quick, 1)
    slow.open.clear()
    for seq in range(2, 40):
        await told(hub, identity, listening(seq, 9000 + seq))
        await settled(quick, seq)
        assert slow.waiting == 1
    assert len(slow.texts) == 1
    slow.open.set()
    shown = await settled(slow, 39)
    assert [type(message) for message in slow.messages] == [Snapshot, Patch, Snapshot]
    assert shown.rows == quick.model().rows
    await told(hub, identity, listening(40, 9100))
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
    await told(hub, identity, listening(2, 9001))
    await eventually(lambda: client.closing)
    for seq in range(3, 8):
        await told(hub, identity, listening(seq, 9000 + seq))
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


async def test_a_browser_that_fails_does_not_disturb_others(hub: ExperimentHub, identity: str) -> None:
    async def broken(_message: Any) -> None:
        raise RuntimeError("the connection is gone")

    await write(identity, first())
    good = Browser()
    await hub.join(identity, broken)
    await hub.join(identity, good.send)
    await settled(good, 1)
    await told(hub, identity, listening(2, 9001))
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
    await told(hub, identity, listening(2, 9001))
    await eventually(lambda: len(browser.texts) == 1)


async def test_entries_that_are_not_in_memory_come_from_the_database(hub: ExperimentHub, identity: str) -> None:
    await write(identity, first())
    browser = Browser()
    await hub.join(identity, browser.send)
    await settled(browser, 1)
    await write(identity, listening(2, 9001), listening(3, 9002))
    recent_entries.forget(identity)
    await told(hub, identity, listening(4, 9003))
    await settled(browser, 4)
    assert isinstance(browser.messages[-1], Patch)
    assert browser.messages[-1].base == 1
    assert browser.model().rows == compare(make_columns(), make_states(*listeners(9003)))


def listeners(last: int) -> tuple[Listener, ...]:
    return tuple(make_listener(port, "server", 40000) for port in range(9000, last + 1))


async def test_more_entries_than_the_ring_holds_leave_no_gap(
    hub: ExperimentHub, identity: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent_entries, "MAX_ENTRIES", 4)
    await write(identity, first())
    browser = Browser()
    await hub.join(identity, browser.send)
    await settled(browser, 1)
    await told(hub, identity, *(listening(seq, 9000 + seq) for seq in range(2, 30)))
    await settled(browser, 29)
    assert len(browser.model().timeline) == 29


async def test_a_failed_query_is_repeated(
    hub: ExperimentHub, identity: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(feed_hub, "RETRY_S", 0.02)
    read = experiment_store.load
    failures = iter([True, True, False])

    def load(experiment: str) -> Any:
        if next(failures, False):
            raise OperationalError("database is locked")
        return read(experiment)

    monkeypatch.setattr(experiment_store, "load", load)
    await write(identity, first())
    browser = Browser()
    await hub.join(identity, browser.send)
    assert (await settled(browser, 1)).seq == 1
    assert "database is locked" in caplog.text


async def test_trouble_with_the_journal_is_shown_with_its_start_and_ends(hub: ExperimentHub, identity: str) -> None:
    await write(identity, first())
    browser = Browser()
    await hub.join(identity, browser.send)
    await settled(browser, 1)
    hub.trouble(identity, "The journal cannot be written: disk full. Trying again.")
    await eventually(lambda: "disk full" in browser.model().experiment.problem)
    since = browser.model().experiment.problem_since
    assert since is not None
    hub.trouble(identity, "The journal cannot be written: locked. Trying again.")
    await eventually(lambda: "locked" in browser.model().experiment.problem)
    assert browser.model().experiment.problem_since == since
    late = Browser()
    await hub.join(identity, late.send)
    assert "locked" in (await settled(late, 1)).experiment.problem
    hub.trouble(identity, "")
    await told(hub, identity, listening(2, 9001))
    await settled(browser, 2)
    assert browser.model().experiment.problem == ""
    assert browser.model() == late.model()


async def test_a_new_name_reaches_every_browser_and_stays(hub: ExperimentHub, identity: str) -> None:
    await write(identity, first())
    early, late = Browser(), Browser()
    await hub.join(identity, early.send)
    await settled(early, 1)
    hub.rename(identity, "Shop & blog")
    await eventually(lambda: len(early.texts) == 2)
    assert early.model().experiment.title == "Shop & blog"
    hub.rename(identity, "Shop & blog")
    await told(hub, identity, entry(2, head=make_head(Phase.STOPPING)))
    assert (await settled(early, 2)).experiment.title == "Shop & blog"
    assert len(early.texts) == 3, "the same name again is no news"
    await hub.join(identity, late.send)
    assert (await settled(late, 2)).experiment.title == "Shop & blog"
    hub.rename("nothing", "x")


async def test_trouble_of_an_experiment_without_browsers_is_ignored(hub: ExperimentHub, identity: str) -> None:
    hub.trouble(identity, "x")
    hub.wake(identity)
    assert hub.browsers == 0


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
    await told(hub, identity, listening(2, 9001))
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
    browser = Browser()
    await hub.join(identity, browser.send)
    await settled(browser, 1)
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
    await told(hub, identity, listening(2, 9001))
    await settled(one, 2)
    assert len(two.texts) == 1


async def test_a_snapshot_has_only_the_newest_items(hub: ExperimentHub, identity: str) -> None:
    await write(identity, first(), *(entry(seq) for seq in range(2, SHOWN_ITEMS + 50)))
    browser = Browser()
    await hub.join(identity, browser.send)
    shown = await settled(browser, SHOWN_ITEMS + 49)
    assert len(shown.timeline) == SHOWN_ITEMS
    assert shown.timeline[-1].seq == SHOWN_ITEMS + 49
    assert shown.timeline[-1].offset_s == pytest.approx(SHOWN_ITEMS + 48)


@pytest.mark.parametrize(
    ("reason", "queries"), [("Bind for 0.0.0.0:8080 failed: port is already allocated", 1), ("no swarm manager", 0)]
)
async def test_other_experiments_are_read_only_for_a_new_answer_about_a_port_in_use(
    hub: ExperimentHub, identity: str, monkeypatch: pytest.MonkeyPatch, reason: str, queries: int
) -> None:
    read: list[str] = []

    def other_port_users(experiment: str) -> tuple[()]:
        read.append(experiment)
        return ()

    monkeypatch.setattr("dashboard.web.experiments.hub.other_port_users", other_port_users)
    machine, refused, *others = make_columns()
    columns = (machine, replace(refused, status=ArmStatus.REFUSED, error=reason), *others)
    await write(identity, entry(1, head=make_head(), columns=columns, states=make_states()))
    browser = Browser()
    await hub.join(identity, browser.send)
    await settled(browser, 1)
    await told(hub, identity, entry(2))
    assert (await settled(browser, 2)).answer.trouble
    assert len(read) == queries


async def test_a_long_journal_is_read_in_pages(
    hub: ExperimentHub, identity: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write(identity, first(), *(listening(seq, 9000 + seq) for seq in range(2, 30)))
    recent_entries.forget(identity)
    read, limits = experiment_store.entries, []

    def entries(experiment: str, after: int = 0, until: int | None = None, limit: int | None = None) -> Any:
        limits.append(limit)
        return read(experiment, after, until, limit)

    monkeypatch.setattr(experiment_store, "entries", entries)
    monkeypatch.setattr(experiment_store, "PAGE", 4)
    browser = Browser()
    await hub.join(identity, browser.send)
    shown = await settled(browser, 29)
    assert set(limits) == {4}
    assert [item.seq for item in shown.timeline] == list(range(1, 30))
    assert shown.timeline[-1].offset_s == pytest.approx(28)
