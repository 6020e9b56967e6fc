"""Wake-ups between processes, sent over NATS or over the link. A wake-up reports that something in the database has
changed. It is a tuple of strings: first its kind, then its arguments.

NATS may lose wake-ups, so receivers also poll the database. While a message is being sent, further wake-ups are
collected for the next message.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from itertools import batched

import msgspec

from dashboard.lab.remote.link import Connection
from dashboard.lab.remote.nats_connection import Message
from dashboard.store.telemetry import telemetry

#: The wake-up which announces that others were lost, so that receivers must check everything.
ALL = ("all",)
MAX_PENDING = 5000
#: The maximum number of wake-ups in one message. The longest ones contain the participants of a session.
BATCH = 50

Wakeup = tuple[str, ...]
_DECODER = msgspec.json.Decoder(tuple[Wakeup, ...])


class WakeupChannel:
    """Sends and receives wake-ups over a connection. If there is no other process, sends nothing."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pending: dict[str, dict[Wakeup, None]] = {}
        self._has_pending = asyncio.Event()
        self._sending: asyncio.Task[None] | None = None
        #: The number of wake-ups that could not be sent.
        self.dropped = 0

    async def open(self) -> None:
        """Starts the task that sends wake-ups."""
        self._loop = asyncio.get_running_loop()
        if self._connection.is_set_up():
            self._has_pending = asyncio.Event()
            self._sending = self._loop.create_task(self._send(), name="wakeups")

    async def close(self) -> None:
        """Stops sending. If wake-ups are pending, first waits 50 ms, so that they are sent."""
        if self._sending is not None:
            if self._has_pending.is_set():
                await asyncio.sleep(0.05)
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)
            self._sending = None
        self._loop = None

    async def listen(self, subject: str, receive: Callable[[Wakeup], None]) -> None:
        """Subscribes to a subject; ``receive`` is called with each wake-up on it."""
        await self.listen_by_subject(subject, lambda _subject, wakeup: receive(wakeup))

    async def listen_by_subject(self, subject: str, receive: Callable[[str, Wakeup], None]) -> None:
        """Subscribes to a subject, which may contain wildcards; ``receive`` is called with the subject and the
        wake-up."""

        def handle(message: Message) -> None:
            for wakeup in _DECODER.decode(message.data):
                receive(message.subject, wakeup)

        await self._connection.listen(subject, handle)

    def send(self, subject: str, *wakeup: str) -> None:
        """Queues ``wakeup`` for the other processes that subscribe to the subject. Returns at once. May be called from
        any thread."""
        if self._loop is not None and self._sending is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._put, subject, wakeup)

    def _put(self, subject: str, wakeup: Wakeup) -> None:
        pending = self._pending.setdefault(subject, {})
        pending.pop(wakeup, None)  # a repeated wake-up moves to the end of the queue
        if len(pending) >= MAX_PENDING:
            pending.clear()
            wakeup = ALL
        pending[wakeup] = None
        self._has_pending.set()

    async def _send(self) -> None:
        while True:
            await self._has_pending.wait()
            self._has_pending.clear()
            pending, self._pending = self._pending, {}
            for subject, wakeups in pending.items():
                for some in batched(wakeups, BATCH):
                    is_sent = False
                    with suppress(ValueError):  # too long: receivers find the changes by polling
                        is_sent = await self._connection.publish(subject, msgspec.json.encode(some))
                    if not is_sent:
                        self.dropped += len(some)
                        telemetry.wakeups["dropped"] += len(some)
