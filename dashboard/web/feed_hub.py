"""Distributes live updates to websocket clients.

A feed is the stream of messages about one object, such as an experiment. Each message is encoded once and sent to every
client of the feed. A wake-up only marks a feed as dirty; the data is read from the store. A client has at most one
pending send. Messages that arrive during this send are not sent to the client; it gets a snapshot afterwards.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from dashboard.core.experiments.messages import encode
from dashboard.core.experiments.stream import PROTOCOL_VERSION
from dashboard.store.telemetry import Histogram

log = logging.getLogger(__name__)
BLOCKED_S = 5.0
CHECK_S = 1.0
PING_S = 20.0
PING = encode({"v": PROTOCOL_VERSION, "type": "ping"}).decode()
RETRY_S = 1.0
TRY_LATER = 1013
GONE = 4404

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
WriteNow = Callable[[str], bool]
Abort = Callable[[], None]


@dataclass(eq=False, slots=True)
class Client:
    """One websocket client.

    ``write_now`` writes a text without waiting, and ``abort`` ends the connection (``shared_frames``); None if the
    server cannot do that. ``pending`` is the send that has not completed. It began at ``pending_since`` (loop time). If
    ``needs_snapshot`` is true, the client gets a snapshot instead of the next message.
    """

    send: Send
    write_now: WriteNow | None = None
    abort: Abort | None = None
    pending: asyncio.Task[None] | None = None
    pending_since: float = 0.0
    needs_snapshot: bool = False
    closing: bool = False


@dataclass(slots=True)
class Feed:
    """A feed, identified by ``key``, and the clients that follow it.

    ``dirty`` is set while the store may contain unread changes. ``task`` reads and sends them. ``snapshot`` is the
    encoded message for a new client, empty if it must be encoded again. ``loaded`` is true after the first read.
    """

    key: str
    clients: set[Client] = field(default_factory=set)
    dirty: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    snapshot: str = ""
    loaded: bool = False

    @property
    def all_clients(self) -> set[Client]:
        """The connected clients, including those that do not get the feed's messages yet."""
        return self.clients


class FeedHub[F: Feed](ABC):
    """All feeds of one kind in this process, by key. All methods run in the event loop.

    Counters for /metrics: ``encoded`` (changes), ``delivered`` (messages to clients), ``sent_bytes`` (of these
    messages), ``slow`` (clients that were disconnected because they were slow), ``woken`` (wake-ups that arrived) and
    ``missed`` (wake-ups that were lost). ``lag`` is a histogram of the seconds from the time when the lab read a change
    until it was sent to all clients.
    """

    def __init__(self) -> None:
        self._feeds: dict[str, F] = {}
        self._check: asyncio.Task[None] | None = None
        self._closings: set[asyncio.Task[None]] = set()
        self.delivered = self.sent_bytes = self.encoded = self.slow = self.woken = self.missed = 0
        self.lag = Histogram()

    @abstractmethod
    def _new_feed(self, key: str) -> F:
        """Returns an empty feed for a key."""

    @abstractmethod
    async def _run_feed(self, feed: F) -> None:
        """Waits until the feed is dirty, reads the changes from the store and sends them to the clients. Repeats until
        cancelled."""

    @abstractmethod
    def _encode_snapshot(self, feed: F) -> str:
        """Returns the message with the complete current state, for a new client."""

    @property
    def browsers(self) -> int:
        """The number of connected clients."""
        return sum(len(feed.clients) for feed in self._feeds.values())

    def wake(self, key: str) -> None:
        """Marks a feed as dirty, so that its task reads the changes. Does nothing if no client follows the feed."""
        feed = self._feeds.get(key)
        if feed is not None:
            feed.dirty.set()
            self.woken += 1

    async def join(self, key: str, send: Send, write_now: WriteNow | None = None, abort: Abort | None = None) -> Client:
        """Adds a client to a feed and returns it. The client gets a snapshot, then all changes."""
        feed = self._open_feed(key)
        client = Client(send, write_now, abort)
        feed.clients.add(client)
        if feed.loaded:
            self._send(client, self._snapshot(feed))
        else:
            client.needs_snapshot = True
        return client

    def leave(self, key: str, client: Client) -> None:
        """Removes a client from a feed. Ends the feed if it has no other client."""
        if client.pending is not None:
            client.pending.cancel()
        feed = self._feeds.get(key)
        if feed is None:
            return
        feed.clients.discard(client)
        if not feed.all_clients:
            del self._feeds[key]
            if feed.task is not None:
                feed.task.cancel()

    def disconnect(self, client: Client, code: int) -> None:
        """Closes a client's connection with a websocket close code. The page learns the reason from ``code``.

        Aborts the connection after ``BLOCKED_S``: a client that does not read never receives the close.
        """
        loop = asyncio.get_running_loop()
        client.closing = True
        if client.pending is not None:
            client.pending.cancel()
        task = loop.create_task(_close(client.send, code))
        self._closings.add(task)
        task.add_done_callback(self._closings.discard)
        if client.abort is not None:
            loop.call_later(BLOCKED_S, client.abort)

    async def close(self) -> None:
        """Ends all feeds and background tasks."""
        for feed in self._feeds.values():
            if feed.task is not None:
                feed.task.cancel()
        self._feeds.clear()
        if self._check is not None:
            self._check.cancel()
        for task in self._closings:
            task.cancel()

    def _open_feed(self, key: str) -> F:
        """Returns the feed with a key. Creates and starts it if it does not exist."""
        loop = asyncio.get_running_loop()
        feed = self._feeds.get(key)
        if feed is None:
            feed = self._feeds[key] = self._new_feed(key)
            feed.dirty.set()
            feed.task = loop.create_task(self._run_feed(feed), name=f"feed-{key}")
        if self._check is None or self._check.done():
            self._check = loop.create_task(self._check_clients())
        return feed

    def _close_feed(self, feed: F) -> None:
        """Disconnects all clients of a feed whose object no longer exists."""
        for client in list(feed.all_clients):
            self.disconnect(client, GONE)

    def _snapshot(self, feed: F) -> str:
        if not feed.snapshot:
            feed.snapshot = self._encode_snapshot(feed)
        return feed.snapshot

    def _broadcast(self, feed: F, text: str) -> None:
        """Sends ``text`` to every client of a feed. Clients that need a snapshot get the snapshot instead."""
        for client in list(feed.clients):
            if client.needs_snapshot and client.pending is None and not client.closing:
                self._send(client, self._snapshot(feed))
            else:
                self._send_if_ready(client, text)

    def _send_if_ready(self, client: Client, text: str) -> None:
        """Sends ``text`` to a client. If an earlier send is pending, does not send it: the client gets a snapshot
        later."""
        if client.closing:
            return
        if client.pending is None and not client.needs_snapshot:
            self._send(client, text)
        else:
            client.needs_snapshot = True

    def _send(self, client: Client, text: str) -> None:
        """Sends ``text`` to a client without waiting. If the socket does not accept it at once, the send becomes
        ``client.pending``."""
        client.needs_snapshot = False
        self.delivered += 1
        self.sent_bytes += len(text.encode())
        if client.write_now is not None and client.write_now(text):
            return
        loop = asyncio.get_running_loop()
        # Started eagerly: usually the write is done before this line ends, so that nothing is scheduled.
        task: asyncio.Task[None] = asyncio.Task(_send_text(client.send, text), loop=loop, eager_start=True)
        if not task.done():
            client.pending, client.pending_since = task, loop.time()
            task.add_done_callback(lambda _: self._on_sent(client))
        elif not task.cancelled():
            task.exception()

    def _on_sent(self, client: Client) -> None:
        """Clears the completed ``client.pending``, and sends a snapshot if the client has missed messages in the
        meantime."""
        task, client.pending = client.pending, None
        if task is not None and not task.cancelled():
            task.exception()
        if client.needs_snapshot and not client.closing:
            feed = next((feed for feed in self._feeds.values() if client in feed.clients), None)
            if feed is not None and feed.loaded:
                self._send(client, self._snapshot(feed))

    async def _check_clients(self) -> None:
        """Disconnects slow clients and pings the others, while feeds exist.

        A client is slow if a send has been pending for ``BLOCKED_S``; it reconnects and gets a snapshot. The others get
        a ping every ``PING_S`` seconds, so that a page notices when the server is gone.
        """
        loop = asyncio.get_running_loop()
        pinged = loop.time()
        while self._feeds:
            await asyncio.sleep(CHECK_S)
            now = loop.time()
            ping = now - pinged >= PING_S
            if ping:
                pinged = now
            for client in [one for feed in self._feeds.values() for one in feed.all_clients if not one.closing]:
                if client.pending is not None:
                    if now - client.pending_since > BLOCKED_S:
                        self.slow += 1
                        self.disconnect(client, TRY_LATER)
                elif ping and not client.needs_snapshot:
                    self._send(client, PING)


async def _send_text(send: Send, text: str) -> None:
    await send({"type": "websocket.send", "text": text})


async def _close(send: Send, code: int) -> None:
    try:
        await send({"type": "websocket.close", "code": code})
    except (RuntimeError, OSError):
        log.debug("a client disconnected before its connection could be closed")
