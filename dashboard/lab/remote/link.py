"""The connection between a lab and the web process that it has started: a socket pair that only these two processes
hold.

It carries the same messages as NATS (``lab.remote.nats_connection``), and loses none while it is open. A message
consists of its length in four bytes, followed by its subject, the subject for replies and the data. The lab trusts
nothing that it receives: a message that is too long, has an unknown subject or that its handler cannot decode ends the
connection.
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
    """The part of a subject that states what a message is about, such as ``netmodes.lab.call``."""
    return ".".join(subject.split(".", 3)[:3])


class Link:
    """One end of the socket. Everything runs in one loop. With ``is_guarded``, the other end may be under the control
    of an attacker: it must read the replies to its messages before it can send more."""

    loses_messages = False

    def __init__(self, *, is_guarded: bool) -> None:
        self._is_guarded = is_guarded
        self._handlers: dict[str, Handler] = {}
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter | None = None

    def is_set_up(self) -> bool:
        """Whether there is another process: always."""
        return True

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return self._writer is not None and not self._writer.is_closing()

    async def open(self, own: socket.socket) -> None:
        """Connects to the other end of a socket. ``serve`` must follow."""
        self._reader, self._writer = await asyncio.open_connection(sock=own)

    async def listen(self, subject: str, handle: Handler) -> None:
        """Calls ``handle`` with the messages of a subject and of those below it."""
        self._handlers[_kind(subject)] = handle

    async def publish(self, subject: str, data: bytes, reply: str = "") -> bool:
        """Sends a message, in order, and waits until the other end has read most of those before it. Returns False if
        the connection is closed. Raises ValueError if the message is too long."""
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
        """Handles messages until the other end is closed or sends an invalid one, then closes the socket."""
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
    """Sends what waits if the other end reads it within ``CLOSE_S``, and closes the socket."""
    writer.close()
    try:
        with suppress(OSError):
            async with asyncio.timeout(CLOSE_S):
                await writer.wait_closed()
    finally:
        writer.transport.abort()


type Connection = NatsConnection | Link
