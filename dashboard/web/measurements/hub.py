"""Follows measurements as the hub follows experiments: everything first, then the new blocks, encoded once."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

from channels.db import database_sync_to_async

from dashboard.core.experiments.messages import encode
from dashboard.core.experiments.stream import PROTOCOL_VERSION
from dashboard.store import measurements as measurement_store
from dashboard.web.experiments.hub import RETRY_S, Feed, Hub
from dashboard.web.measurements.serializers import Shown, show_run

log = logging.getLogger(__name__)
#: Blocks come many a second: they are gathered, so that telling of them does not disturb what is measured.
GATHER_S = 0.25


@dataclass(slots=True)
class RunFeed(Feed):
    """What is being shown of one run."""

    shown: Shown | None = None
    blocks: tuple[dict[str, object], ...] = ()
    newest: int = 0


class MeasurementHub(Hub):
    """Feeds by run."""

    def _new_feed(self, experiment: str) -> Feed:
        return RunFeed(experiment)

    def look(self) -> None:
        """A wake-up may have been lost: what goes on is read again."""
        for feed in self._feeds.values():
            if isinstance(feed, RunFeed) and (feed.shown is None or feed.shown.run["state"] in measurement_store.LIVE):
                feed.dirty.set()

    async def _follow(self, feed: Feed) -> None:
        """Sends new blocks, and everything when the run begins or ends."""
        if not isinstance(feed, RunFeed):
            raise TypeError("a measurement has a feed of its own")
        while True:
            await feed.dirty.wait()
            feed.dirty.clear()
            try:
                await self._read(feed)
            except Exception:
                log.exception("feed of measurement %s could not be read", feed.experiment)
                asyncio.get_running_loop().call_later(RETRY_S, feed.dirty.set)
            await asyncio.sleep(GATHER_S)

    async def _read(self, feed: RunFeed) -> None:
        before = feed.shown.run["state"] if feed.shown else None
        light = database_sync_to_async(measurement_store.light_blocks, thread_sensitive=False)
        new, feed.newest = await light(feed.experiment, feed.newest)
        feed.blocks += new
        shown = await database_sync_to_async(show_run, thread_sensitive=False)(feed.experiment, feed.shown)
        if shown is None:
            self._end(feed)
            return
        feed.shown, feed.snapshot = shown, None
        if not feed.loaded or shown.run["state"] != before:
            feed.loaded = True
            text = self._snapshot(feed)
        elif new:
            self.encoded += 1
            text = encode({"v": PROTOCOL_VERSION, "type": "blocks", "run": shown.run, "blocks": new}).decode()
        else:
            return
        for client in list(feed.clients):
            if client.behind and client.pending is None:
                self._deliver(client, self._snapshot(feed))
            else:
                self._update(client, text)

    def _snapshot(self, feed: Feed) -> str:
        if feed.snapshot is None and isinstance(feed, RunFeed) and feed.shown is not None:
            message: dict[str, Any] = {
                "v": PROTOCOL_VERSION,
                "type": "measurement",
                "run": feed.shown.run,
                "measurement": feed.shown.measurement,
                "blocks": feed.blocks,
            }
            feed.snapshot = encode(message).decode()
        return feed.snapshot or ""


hub = MeasurementHub()
