"""One per process: follows experiments, encodes each change once, gives the same text to everybody.

A wake-up says only that there is something new; the entries come from the store. A browser that
cannot keep up holds one pending send; what it missed is replaced by a fresh snapshot.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Any

from channels.db import database_sync_to_async

from dashboard.core.comparison.rows import Memory, compare
from dashboard.core.diagram.path_overlay import draw_paths
from dashboard.core.diagram.topology import draw
from dashboard.core.experiments.journal import Entry, Source, View, replay
from dashboard.core.experiments.messages import ExperimentHead, Phase, Row, TimelineItem, encode
from dashboard.core.experiments.picture import DrawnPath, Picture
from dashboard.core.experiments.stream import PROTOCOL_VERSION, Patch, Snapshot, diff_rows
from dashboard.core.experiments.timeline import timeline_item
from dashboard.store import experiments as experiment_store
from dashboard.store.telemetry import Buckets

log = logging.getLogger(__name__)
BLOCKED_S = 5.0
WATCH_S = 1.0
PING_S = 20.0
PING = encode({"v": PROTOCOL_VERSION, "type": "ping"}).decode()
SHOWN_ITEMS = 200
RETRY_S = 1.0
TRY_LATER = 1013
GONE = 4404

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
WriteNow = Callable[[str], bool]


@dataclass(eq=False, slots=True)
class Client:
    """One browser. ``pending`` is the send that has not come through yet; ``write`` the server's quick way, if any."""

    send: Send
    write: WriteNow | None = None
    pending: asyncio.Task[None] | None = None
    since: float = 0.0
    behind: bool = False
    closing: bool = False


@dataclass(slots=True)
class Feed:
    """What is being shown of one experiment, and to whom."""

    experiment: str
    view: View = field(default_factory=View)
    rows: tuple[Row, ...] = ()
    memory: Memory = field(default_factory=Memory)
    pictures: tuple[Picture, Picture] | None = None
    paths: tuple[DrawnPath, ...] = ()
    timeline: tuple[TimelineItem, ...] = ()
    first_at: float | None = None
    problem: str = ""
    problem_since: float | None = None
    clients: set[Client] = field(default_factory=set)
    dirty: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    snapshot: str | None = None
    loaded: bool = False


def head_of(feed: Feed) -> ExperimentHead:
    """The head, with what the journal itself could not say."""
    head = feed.view.head or ExperimentHead(feed.experiment, "", "", 0, Phase.WAITING, 0.0)
    return replace(head, problem=feed.problem, problem_since=feed.problem_since) if feed.problem else head


class Hub:
    """Feeds by experiment. All methods run in the event loop.

    It counts for /metrics: messages ``encoded`` once, ``delivered`` to browsers with the ``characters`` in them,
    ``slow`` browsers closed, wake-ups ``woken`` by and ``missed``, and the seconds from a change that the lab has read
    until all browsers were written to (``lag``).
    """

    def __init__(self) -> None:
        self._feeds: dict[str, Feed] = {}
        self._watchdog: asyncio.Task[None] | None = None
        self._closings: set[asyncio.Task[None]] = set()
        self.delivered = self.characters = self.encoded = self.slow = self.woken = self.missed = 0
        self.lag = Buckets()

    @property
    def browsers(self) -> int:
        """How many clients there are."""
        return sum(len(feed.clients) for feed in self._feeds.values())

    def wake(self, experiment: str) -> None:
        """There may be new entries."""
        feed = self._feeds.get(experiment)
        if feed is not None:
            feed.dirty.set()
            self.woken += 1

    def followed(self) -> dict[str, int]:
        """The newest entry that is shown of each experiment that browsers follow."""
        return {feed.experiment: feed.view.seq for feed in self._feeds.values() if feed.loaded}

    def missed_one(self, experiment: str) -> None:
        """There are new entries, and nobody has told."""
        feed = self._feeds.get(experiment)
        if feed is not None and not feed.dirty.is_set():
            self.missed += 1
            feed.dirty.set()

    def trouble(self, experiment: str, problem: str) -> None:
        """The journal cannot be written: said although no entry can say it."""
        feed = self._feeds.get(experiment)
        if feed is None or feed.problem == problem:
            return
        feed.problem_since = None if not problem else feed.problem_since or time.time()
        feed.problem = problem
        # No entry carries it, so no patch has a number for it: a snapshot does not need one.
        feed.snapshot = None
        for client in list(feed.clients) if feed.loaded else ():
            self._update(client, self._snapshot(feed))

    async def join(self, experiment: str, send: Send, write: WriteNow | None = None) -> Client:
        """A new browser: gets a snapshot, then patches. ``write`` is ``wire.SharingProtocol.write_now``."""
        feed = self._followed(experiment)
        client = Client(send, write)
        feed.clients.add(client)
        if feed.loaded:
            self._deliver(client, self._snapshot(feed))
        else:
            client.behind = True
        return client

    def _followed(self, experiment: str) -> Feed:
        """The feed, followed from now on."""
        feed = self._feeds.get(experiment)
        if feed is None:
            feed = self._feeds[experiment] = self._new_feed(experiment)
            feed.dirty.set()
            feed.task = asyncio.get_running_loop().create_task(self._follow(feed), name=f"feed-{experiment}")
        if self._watchdog is None or self._watchdog.done():
            self._watchdog = asyncio.get_running_loop().create_task(self._watch())
        return feed

    def leave(self, experiment: str, client: Client) -> None:
        """A browser has gone; the last one ends the feed."""
        if client.pending is not None:
            client.pending.cancel()
        feed = self._feeds.get(experiment)
        if feed is None:
            return
        feed.clients.discard(client)
        if not feed.clients:
            del self._feeds[experiment]
            if feed.task is not None:
                feed.task.cancel()

    async def close(self) -> None:
        """Ends all feeds."""
        for feed in self._feeds.values():
            if feed.task is not None:
                feed.task.cancel()
        self._feeds.clear()
        if self._watchdog is not None:
            self._watchdog.cancel()
        for task in self._closings:
            task.cancel()

    def _new_feed(self, experiment: str) -> Feed:
        """What is known of something that is followed; another hub follows something else."""
        return Feed(experiment)

    async def _follow(self, feed: Feed) -> None:
        """Turns new entries into one patch, however many they are."""
        while True:
            await feed.dirty.wait()
            feed.dirty.clear()
            try:
                entries = experiment_store.recent(feed.experiment, feed.view.seq)
                if entries is None:
                    entries = await _read(experiment_store.entries)(feed.experiment, feed.view.seq)
                if not entries or not feed.loaded:
                    record = await _read(experiment_store.load)(feed.experiment)
                    if record is None:
                        self._end(feed)
                        return
                    if not feed.loaded:
                        feed.view = experiment_store.waiting_view(record)
                        self._advance(feed, entries)
                        continue
                if entries:
                    self._advance(feed, entries)
            except Exception:
                log.exception("feed %s could not read its journal", feed.experiment)
                asyncio.get_running_loop().call_later(RETRY_S, feed.dirty.set)

    def _end(self, feed: Feed) -> None:
        """The experiment was removed: coming back would be useless."""
        for client in list(feed.clients):
            self.dismiss(client, GONE)

    def _advance(self, feed: Feed, entries: tuple[Entry, ...]) -> None:
        before, old_rows, old_pictures, old_head = feed.view, feed.rows, feed.pictures, head_of(feed)
        old_paths = feed.paths
        feed.view = replay(entries, feed.view)
        head = head_of(feed)
        if feed.view.states is not before.states or feed.view.columns is not before.columns or not feed.loaded:
            feed.rows = compare(feed.view.columns, feed.view.states, feed.memory)
            feed.pictures = draw(feed.view.columns, feed.view.states)
            feed.paths = draw_paths(feed.view.columns, feed.view.states, feed.pictures)
        if feed.first_at is None and entries:
            feed.first_at = entries[0].at
        new = tuple(timeline_item(entry, feed.first_at or entry.at) for entry in entries if entry.text)
        feed.timeline = (feed.timeline + new)[-SHOWN_ITEMS:]
        feed.snapshot = None
        if not feed.loaded:
            feed.loaded = True
            for client in feed.clients:
                self._deliver(client, self._snapshot(feed))
            return
        pictures = feed.pictures or draw((), {})
        patch = Patch(
            base=before.seq,
            seq=feed.view.seq,
            rows=diff_rows(old_rows, feed.rows),
            experiment=head if head != old_head else None,
            columns=feed.view.columns if feed.view.columns != before.columns else None,
            wide=pictures[0] if old_pictures is None or pictures[0] != old_pictures[0] else None,
            narrow=pictures[1] if old_pictures is None or pictures[1] != old_pictures[1] else None,
            timeline=new,
            paths=feed.paths if feed.paths != old_paths else None,
        )
        text = encode(patch).decode()
        self.encoded += 1
        for client in list(feed.clients):
            self._update(client, text)
        now = time.time()
        for entry in entries:
            if entry.cause.source is Source.KERNEL:
                self.lag.add(now - entry.at)

    def _update(self, client: Client, text: str) -> None:
        """Sends ``text``, or remembers that the browser needs a snapshot once its last message has come through."""
        if client.closing:
            return
        if client.pending is None and not client.behind:
            self._deliver(client, text)
        else:
            client.behind = True

    def _snapshot(self, feed: Feed) -> str:
        if feed.snapshot is None:
            wide, narrow = feed.pictures or draw((), {})
            message = Snapshot(
                feed.view.seq,
                head_of(feed),
                feed.view.columns,
                feed.rows,
                wide,
                narrow,
                feed.timeline,
                feed.paths,
            )
            feed.snapshot = encode(message).decode()
        return feed.snapshot

    def _deliver(self, client: Client, text: str) -> None:
        """Sends at once where the socket takes it; otherwise the send stays pending and the rest goes on."""
        client.behind = False
        self.delivered += 1
        self.characters += len(text)
        if client.write is not None and client.write(text):
            return
        loop = asyncio.get_running_loop()
        # Started eagerly: in the usual case the write is done before this line ends, and nothing is scheduled.
        task: asyncio.Task[None] = asyncio.Task(_send_text(client.send, text), loop=loop, eager_start=True)
        if not task.done():
            client.pending, client.since = task, loop.time()
            task.add_done_callback(lambda _: self._came_through(client))
        elif not task.cancelled():
            task.exception()

    def _came_through(self, client: Client) -> None:
        task, client.pending = client.pending, None
        if task is not None and not task.cancelled():
            task.exception()
        if client.behind and not client.closing:
            feed = next((one for one in self._feeds.values() if client in one.clients), None)
            if feed is not None and feed.loaded:
                self._deliver(client, self._snapshot(feed))

    async def _watch(self) -> None:
        """Closes browsers that have taken nothing for too long: they come back and get a snapshot.

        All others get a ping now and then, so that a page notices a server that has vanished.
        """
        pinged = asyncio.get_running_loop().time()
        while self._feeds:
            await asyncio.sleep(WATCH_S)
            now = asyncio.get_running_loop().time()
            if now - pinged >= PING_S:
                pinged = now
                for client in [
                    c
                    for f in self._feeds.values()
                    for c in f.clients
                    if c.pending is None and not c.behind and not c.closing
                ]:
                    self._deliver(client, PING)
            for feed in list(self._feeds.values()):
                for client in list(feed.clients):
                    if client.pending is not None and not client.closing and now - client.since > BLOCKED_S:
                        self.slow += 1
                        self.dismiss(client, TRY_LATER)

    def dismiss(self, client: Client, code: int) -> None:
        """Ends a browser's connection with a code that tells its page why."""
        client.closing = True
        if client.pending is not None:
            client.pending.cancel()
        task = asyncio.get_running_loop().create_task(_close(client.send, code))
        self._closings.add(task)
        task.add_done_callback(self._closings.discard)


def _read[**P, T](function: Callable[P, T]) -> Callable[P, Awaitable[T]]:
    """A function of the store, in a thread of its own, with a connection that is looked after."""
    return database_sync_to_async(function, thread_sensitive=False)


async def _send_text(send: Send, text: str) -> None:
    await send({"type": "websocket.send", "text": text})


async def _close(send: Send, code: int) -> None:
    try:
        await send({"type": "websocket.close", "code": code})
    except (RuntimeError, OSError):
        log.debug("a browser was gone before it could be closed")


hub = Hub()
