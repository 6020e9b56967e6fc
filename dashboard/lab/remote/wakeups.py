"""Wake-ups between processes over NATS.

They may be lost: the state is in the database, which receivers also poll. A wake-up is a kind and its arguments, all
strings. Wake-ups are batched while a send is in flight.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from itertools import batched

import msgspec

from dashboard.lab.remote.nats_connection import Message, NatsConnection
from dashboard.store.telemetry import telemetry

#: Wake-ups may have been lost: check everything.
ALL = ("all",)
MAX_PENDING = 5000
#: Wake-ups in one message. Those with the participants of a session are the longest.
BATCH = 50

Wakeup = tuple[str, ...]
_DECODER = msgspec.json.Decoder(tuple[Wakeup, ...])


class WakeupChannel:
    """Sends and receives wake-ups. Without NATS it does neither."""

    def __init__(self, nats: NatsConnection) -> None:
        self._nats = nats
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pending: dict[str, dict[Wakeup, None]] = {}
        self._has_pending = asyncio.Event()
        self._sending: asyncio.Task[None] | None = None
        #: The number of wake-ups that could not be sent.
        self.dropped = 0

    async def open(self) -> None:
        """Starts sending."""
        self._loop = asyncio.get_running_loop()
        if self._nats.is_set_up():
            self._has_pending = asyncio.Event()
            self._sending = self._loop.create_task(self._send(), name="wakeups")

    async def close(self) -> None:
        """Stops sending, after a short time for pending wake-ups."""
        if self._sending is not None:
            if self._has_pending.is_set():
                await asyncio.sleep(0.05)
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)
            self._sending = None
        self._loop = None

    async def listen(self, subject: str, receive: Callable[[Wakeup], None]) -> None:
        """Calls a function with each wake-up of a subject."""
        await self.listen_by_subject(subject, lambda _subject, wakeup: receive(wakeup))

    async def listen_by_subject(self, subject: str, receive: Callable[[str, Wakeup], None]) -> None:
        """Calls a function with the subject of each wake-up and the wake-up."""

        def handle(message: Message) -> None:
            for wakeup in _DECODER.decode(message.data):
                receive(message.subject, wakeup)

        await self._nats.listen(subject, handle)

    def send(self, subject: str, *wakeup: str) -> None:
        """Wakes the other processes that listen to a subject. From any thread, without waiting."""
        if self._loop is not None and self._sending is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._put, subject, wakeup)

    def _put(self, subject: str, wakeup: Wakeup) -> None:
        pending = self._pending.setdefault(subject, {})
        pending.pop(wakeup, None)  # it is sent after those that came before its repetition
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
                    with suppress(ValueError):  # too long: what it announces is found by polling
                        is_sent = await self._nats.publish(subject, msgspec.json.encode(some))
                    if not is_sent:
                        self.dropped += len(some)
                        telemetry.wakeups["dropped"] += len(some)
