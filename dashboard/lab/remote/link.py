"""The connection between a lab and the web process that it has started: a socket pair that only these two processes
hold.

It carries the same messages as NATS (``lab.remote.nats_connection``), and loses none while it is open. A message
consists of its length in four bytes, its subject, the subject for replies and the data. The lab does not trust what it
receives: it closes the connection if a message is too long, has an unknown subject or cannot be decoded by its handler.
"""

import asyncio
import logging
import socket
import struct
from contextlib import suppress

from dashboard.lab.remote.nats_connection import MAX_MESSAGE_BYTES, Handler, Message, NatsConnection

log = logging.getLogger(__name__)
#: How many seconds the end of a connection waits for the other end to read what was sent.
CLOSE_S = 1.0
_LENGTH = struct.Struct("!I")


def _kind(subject: str) -> str:
    """Returns the part of a subject that states what a message is about, such as ``netmodes.lab.call``."""
    return ".".join(subject.split(".", 3)[:3])


class Link:
    """One end of the socket pair. Use it only in one event loop. If ``is_guarded`` is true, the other end may be under
    the control of an attacker: it must read the replies to its messages before it can send more."""

    loses_messages = False

    def __init__(self, *, is_guarded: bool) -> None:
        self._is_guarded = is_guarded
        self._handlers: dict[str, Handler] = {}
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter | None = None

    def is_set_up(self) -> bool:
        """Returns whether there is another process to communicate with: a link always has one."""
        return True

    @property
    def is_open(self) -> bool:
        """Whether the connection is open, so that messages can be sent."""
        return self._writer is not None and not self._writer.is_closing()

    async def open(self, own: socket.socket) -> None:
        """Uses ``own`` as this end of the socket pair. Call ``serve`` afterwards to receive messages."""
        self._reader, self._writer = await asyncio.open_connection(sock=own)

    async def listen(self, subject: str, handle: Handler) -> None:
        """Registers ``handle`` for the messages of a subject and of the subjects below it."""
        self._handlers[_kind(subject)] = handle

    async def publish(self, subject: str, data: bytes, reply: str = "") -> bool:
        """Sends a message. ``reply`` is the subject for an answer. Waits while the other end has not read most of the
        earlier messages. Returns False if the connection is closed. Raises ValueError if the message is too long."""
        message = f"{subject}\n{reply}\n".encode() + data
        if len(message) > MAX_MESSAGE_BYTES:
            raise ValueError(f"A message between processes has at most {MAX_MESSAGE_BYTES:,} bytes.")
        if self._writer is None or self._writer.is_closing():
            return False
        self._writer.write(_LENGTH.pack(len(message)) + message)
        if self._writer.transport.get_write_buffer_size():
            try:
                await self._writer.drain()
            except ConnectionError:
                return False
        return True

    async def serve(self) -> None:
        """Handles messages until the other end closes the connection or sends an invalid message, then closes the
        socket."""
        writer = self._writer
        if writer is None:
            return
        try:
            while True:
                (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
                if length > MAX_MESSAGE_BYTES:
                    raise ValueError(f"a message of {length} bytes")  # noqa: TRY301
                self._handle(await self._reader.readexactly(length))
                if self._is_guarded:
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except Exception:
            log.exception("the other process sent an invalid message; the connection to it is closed")
        finally:
            self._writer = None
            await _close(writer)

    def _handle(self, message: bytes) -> None:
        head, reply, data = message.split(b"\n", 2)
        subject = head.decode()
        handle = self._handlers.get(_kind(subject))
        if handle is None:
            raise ValueError(f"a message with the subject {subject[:80]!r}")
        handle(Message(subject, data, reply.decode()))


async def _close(writer: asyncio.StreamWriter) -> None:
    """Closes the socket. First waits up to ``CLOSE_S`` seconds until the other end has read what was sent."""
    writer.close()
    try:
        with suppress(OSError):
            async with asyncio.timeout(CLOSE_S):
                await writer.wait_closed()
    finally:
        writer.transport.abort()


type Connection = NatsConnection | Link
