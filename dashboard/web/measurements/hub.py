"""Sends live updates of measurement runs: a client receives all data of the run, then new blocks."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

from dashboard.core.experiments.messages import encode
from dashboard.core.experiments.stream import PROTOCOL_VERSION
from dashboard.store.measurements import blocks as block_store
from dashboard.store.measurements import runs as measurement_store
from dashboard.web.feed_hub import RETRY_S, Feed, FeedHub
from dashboard.web.http.database import to_db_thread
from dashboard.web.measurements.serializers import Shown, show_run

log = logging.getLogger(__name__)
#: Seconds for which blocks are collected before they are sent, so that sending does not disturb the measurement.
GATHER_S = 0.25


@dataclass(slots=True)
class RunFeed(Feed):
    """The feed of one measurement run. ``newest`` is the row id of the newest block that was read."""

    shown: Shown | None = None
    blocks: tuple[dict[str, object], ...] = ()
    newest: int = 0


class MeasurementHub(FeedHub[RunFeed]):
    """The feeds of measurement runs, by the id of the run."""

    def _new_feed(self, key: str) -> RunFeed:
        return RunFeed(key)

    def look(self) -> None:
        """Marks the feeds of all unfinished runs as dirty, in case a wake-up was lost."""
        for feed in self._feeds.values():
            if feed.shown is None or feed.shown.run["state"] in measurement_store.LIVE:
                feed.dirty.set()

    async def _run_feed(self, feed: RunFeed) -> None:
        """Sends new blocks, or all data of the run when its state changes. Repeats until cancelled."""
        while True:
            await feed.dirty.wait()
            feed.dirty.clear()
            try:
                await self._read(feed)
            except Exception:
                log.exception("the feed of measurement %s could not be read", feed.key)
                asyncio.get_running_loop().call_later(RETRY_S, feed.dirty.set)
            await asyncio.sleep(GATHER_S)

    async def _read(self, feed: RunFeed) -> None:
        before = feed.shown.run["state"] if feed.shown else None
        new, feed.newest = await to_db_thread(block_store.light_blocks, feed.key, feed.newest)
        feed.blocks += new
        shown = await to_db_thread(show_run, feed.key, feed.shown)
        if shown is None:
            self._close_feed(feed)
            return
        feed.shown, feed.snapshot = shown, ""
        if not feed.loaded or shown.run["state"] != before:
            feed.loaded = True
            text = self._snapshot(feed)
        elif new:
            self.encoded += 1
            text = encode({"v": PROTOCOL_VERSION, "type": "blocks", "run": shown.run, "blocks": new}).decode()
        else:
            return
        self._broadcast(feed, text)

    def _encode_snapshot(self, feed: RunFeed) -> str:
        message: dict[str, Any] = {
            "v": PROTOCOL_VERSION,
            "type": "measurement",
            "run": feed.shown.run if feed.shown else {},
            "measurement": feed.shown.measurement if feed.shown else None,
            "blocks": feed.blocks,
        }
        return encode(message).decode()


hub = MeasurementHub()
