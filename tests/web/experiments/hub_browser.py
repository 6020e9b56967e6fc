"""A browser that follows an experiment's feed, and entries to follow."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import msgspec
from channels.db import database_sync_to_async

from dashboard.core.experiments.journal import Cause, Entry, Facts, Source
from dashboard.core.experiments.stream import Patch, Snapshot
from dashboard.store import journal as journal_store
from dashboard.web.experiments.hub import ExperimentHub
from tests.core.sample import make_columns, make_head, make_listener, make_states
from tests.core.strategies import apply_rows
from tests.support.polling import eventually

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


def entry(seq: int, **facts: Any) -> Entry:
    return Entry(seq, 1000.0 + seq, CAUSE, Facts(**facts), f"entry {seq}")


def first() -> Entry:
    return entry(1, head=make_head(), columns=make_columns(), states=make_states())


def listening(seq: int, port: int) -> Entry:
    return entry(seq, states=make_states(*(make_listener(one, "server", 40000) for one in range(9000, port + 1))))


@database_sync_to_async
def write(identity: str, *entries: Entry) -> None:
    journal_store.append(identity, entries)


async def publish(hub: ExperimentHub, identity: str, *entries: Entry) -> None:
    """Writes entries and then wakes the hub, as the lab does."""
    await write(identity, *entries)
    hub.wake(identity)


async def settled(browser: Browser, seq: int) -> Snapshot:
    await eventually(lambda: browser.texts and browser.messages[-1].seq >= seq)
    return browser.model()


async def joined(hub: ExperimentHub, identity: str, seq: int = 1) -> Browser:
    """A browser that has joined the feed, and shows the entry ``seq``."""
    browser = Browser()
    await hub.join(identity, browser.send)
    await settled(browser, seq)
    return browser
