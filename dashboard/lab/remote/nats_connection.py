"""The connection of a process to NATS, over which the processes of a team deployment exchange messages.

NATS delivers a message at most once, to the processes that are subscribed at that moment. Data that must not be lost is
stored in the database.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
from django.conf import settings

from dashboard.core.operations.deployment import NATS_NOT_INSTALLED

if TYPE_CHECKING:  # installed only with the extra ``team``
    from nats.aio.client import Client
    from nats.aio.msg import Msg

log = logging.getLogger(__name__)

#: The subjects of labs, then those of web processes. Each has one sender (``nats.conf``). A machine's name is appended
#: to all of them, except those of wake-ups for labs and of messages between web processes.
LAB_CALLS = "netmodes.lab.call"
LAB_CANCELS = "netmodes.lab.cancel"
LAB_WAKEUPS = "netmodes.lab.wakeup"
WEB_HEARTBEATS = "netmodes.web.heartbeat"
WEB_JOURNALS = "netmodes.web.journal"
WEB_PEERS = "netmodes.web.peers"
WEB_REPLIES = "netmodes.web.reply"


def subjects_of(machine: str) -> tuple[list[str], list[str]]:
    """Returns the subjects to which the lab of a machine may publish, and those to which it may subscribe. All machines
    share the subject of wake-ups, which contain only that something has changed. The remaining subjects belong to this
    machine alone."""
    publish = [f"{WEB_HEARTBEATS}.{machine}", f"{WEB_JOURNALS}.{machine}", f"{WEB_REPLIES}.{machine}.>"]
    return publish, [f"{LAB_CALLS}.{machine}.>", f"{LAB_CANCELS}.{machine}.>", LAB_WAKEUPS]


CONNECT_S = 2.0
RETRY_S = 0.5
CHECK_S = 1.0
#: Seconds between two pings. The connection counts as lost when the third is due and none was answered; the reports of
#: web processes must not expire before that (``web.operations.peer_processes``).
PING_S = 2
#: The maximum size of a message. The server's default limit is 1 MiB.
MAX_MESSAGE_BYTES = 1_000_000


class Message(msgspec.Struct, frozen=True):
    """A received message. ``reply`` is the subject for the answer. ``is_unheard`` is true if the message comes from
    NATS itself: no process is subscribed to the subject of an earlier message of this process."""

    subject: str
    data: bytes
    reply: str = ""
    is_unheard: bool = False


async def _end(client: Client) -> None:
    """Closes a connection and its socket. The client's own ``close`` leaves the socket open if it is cancelled or its
    last write fails."""
    try:
        with suppress(Exception):  # for example an assertion, if the client has never connected
            await client.close()
    finally:
        if client._transport is not None:
            client._transport.close()  # type: ignore[no-untyped-call]  # the library has no annotation there


async def _cancellable[T](work: Awaitable[T]) -> T:
    """Awaits a method of the client and returns its result. Raises CancelledError if the task was cancelled meanwhile.
    This is necessary because the client ignores a cancellation while it waits until its data has been sent."""
    task = asyncio.current_task()
    before = task.cancelling() if task is not None else 0
    result = await work
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError
    return result


type Handler = Callable[[Message], None]


class NatsConnection:
    """A connection to NATS that is opened again whenever it ends. Use it only in one event loop.

    ``problem`` is the reason why no connection is open, empty while one is open. The functions in ``on_connect`` are
    called whenever a connection has been opened, because earlier messages may have been lost. The functions in
    ``on_loss`` are called whenever the connection has ended.
    """

    loses_messages = True

    def __init__(self, url: str = "") -> None:
        self._url = url or settings.NATS_URL
        self.problem = ""
        self.on_connect: list[Callable[[], None]] = []
        self.on_loss: list[Callable[[], None]] = []
        self._client: Client | None = None
        self._listeners: list[tuple[str, Handler, str]] = []
        self._running: asyncio.Task[None] | None = None

    def is_set_up(self) -> bool:
        """Returns whether the URL of a NATS server is configured."""
        return bool(self._url)

    async def open(self) -> None:
        """Starts connecting in the background, and waits until the first attempt has succeeded or failed."""
        if not self.is_set_up():
            return
        attempted = asyncio.Event()
        self._running = asyncio.get_running_loop().create_task(self._run(attempted), name="nats")
        with suppress(TimeoutError):
            await asyncio.wait_for(attempted.wait(), CONNECT_S)

    async def close(self) -> None:
        """Sends pending messages, disconnects, and does not connect again."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
            self._running = None

    async def listen(self, subject: str, handle: Handler, queue: str = "") -> None:
        """Subscribes to a subject, on this connection and on all later ones. If several processes subscribe with the
        same ``queue``, each message goes to only one of them."""
        self._listeners.append((subject, handle, queue))
        if self._client is not None:
            from nats.errors import Error

            with suppress(Error, OSError):  # the connection has ended; the next one gets all subscriptions
                await self._subscribe(self._client, subject, handle, queue)

    async def publish(self, subject: str, data: bytes, reply: str = "") -> bool:
        """Sends a message. ``reply`` is the subject for an answer. Returns False if no connection is open. Raises
        ValueError if the message is too long."""
        if len(data) > MAX_MESSAGE_BYTES:
            raise ValueError(f"A message between processes has at most {MAX_MESSAGE_BYTES:,} bytes.")
        if self._client is None:
            return False
        from nats.errors import Error

        try:
            await _cancellable(self._client.publish(subject, data, reply=reply))
        except (Error, OSError):
            return False
        return True

    async def _run(self, attempted: asyncio.Event) -> None:
        try:
            from nats.aio.client import Client
            from nats.errors import Error
        except ImportError:
            self._note_problem(NATS_NOT_INSTALLED)
            attempted.set()
            return
        while True:
            client, ended = Client(), asyncio.Event()

            async def on_error(error: Exception) -> None:
                if self._client is None:
                    self._note_problem(error)
                    attempted.set()
                else:
                    log.warning("NATS: %s", error)

            async def on_end(ended: asyncio.Event = ended) -> None:
                ended.set()

            try:
                await client.connect(
                    self._url,
                    error_cb=on_error,
                    closed_cb=on_end,
                    allow_reconnect=False,  # this loop reconnects and subscribes, and publishing never waits
                    connect_timeout=int(CONNECT_S),
                    reconnect_time_wait=RETRY_S,  # type: ignore[arg-type]  # any number of seconds
                    ping_interval=PING_S,
                    no_echo=True,
                    name="netmodes",
                )
                subscribed = 0
                while subscribed < len(self._listeners):  # ``listen`` may add to it meanwhile
                    for subject, handle, queue in self._listeners[subscribed:]:
                        await self._subscribe(client, subject, handle, queue)
                        subscribed += 1
                    await client.flush(int(CONNECT_S))
                self._client = client
                self._note_connection()
                attempted.set()
                while client.is_connected and not ended.is_set():  # after a failed write, ``on_end`` is not called
                    with suppress(TimeoutError):
                        await asyncio.wait_for(ended.wait(), CHECK_S)
                self._note_problem(client.last_error or "the connection ended")
            except Exception as error:
                if not self.problem and not isinstance(error, Error | OSError | ValueError):
                    log.exception("the connection to NATS failed")
                self._note_problem(error)
                attempted.set()
            finally:
                was_connected, self._client = self._client is not None, None
                if was_connected:
                    for call in self.on_loss:
                        call()
                await _end(client)
            await asyncio.sleep(RETRY_S)

    async def _subscribe(self, client: Client, subject: str, handle: Handler, queue: str) -> None:
        async def receive(message: Msg) -> None:
            status = (message.headers or {}).get("Status", "")
            try:
                handle(Message(message.subject, message.data, message.reply, status == "503"))
            except Exception:
                log.exception("cannot handle a message on %s", subject)

        await _cancellable(client.subscribe(subject, queue, cb=receive))

    def _note_connection(self) -> None:
        if self.problem:
            log.warning("NATS answers again")
        self.problem = ""
        for call in self.on_connect:
            call()

    def _note_problem(self, reason: Any) -> None:
        text = str(reason) or type(reason).__name__
        if not self.problem:
            log.warning("NATS does not answer (%s): pages show no lab until it does", text)
        self.problem = f"NATS does not answer: {text}"
