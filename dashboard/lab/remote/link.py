"""Messages between a lab and the web process that it has started, over a socket pair that only these two processes
hold.

A message consists of its length in four bytes, followed by JSON. The lab trusts nothing that it receives: types are
checked here; names and arguments of calls are checked in ``lab.remote.link_server``.
"""

import asyncio
import socket
import struct
from contextlib import suppress

import msgspec

from dashboard.core.operations.deployment import LabFacts
from dashboard.lab.remote.wakeups import Wakeup

#: The maximum size of a message to the lab. The longest input of a terminal has 64 KB.
MAX_REQUEST_BYTES = 1 << 20
#: The maximum size of a message from the lab. The largest are results, such as the pictures of an engine.
MAX_REPLY_BYTES = 64 << 20
#: How many seconds ``close`` waits for the other end to read what was sent.
CLOSE_S = 1.0
_LENGTH = struct.Struct("!I")


class Call(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Calls a function of the lab by its name. ``arguments`` is JSON; ``number`` identifies the call in its replies."""

    number: int
    name: str
    host: str
    arguments: str


class Cancel(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Cancels the call with this number, because the caller no longer waits."""

    number: int


class Look(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Announces that the wanted state has changed."""


class Ready(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Announces that the web process serves pages."""


class Facts(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The facts about the lab. Sent when they change, and once a second."""

    facts: LabFacts


class Output(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """A piece of the output of the call with this number."""

    number: int
    text: str


class Result(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Ends the call with this number: ``text`` is the JSON of its result or, if ``refused``, of its error."""

    number: int
    text: str
    refused: bool = False


class Wakeups(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Announces what has changed (``lab.remote.wakeups``)."""

    wakeups: tuple[Wakeup, ...]


type Request = Call | Cancel | Look | Ready
type Reply = Facts | Output | Result | Wakeups

REQUESTS: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Call | Cancel | Look | Ready)
REPLIES: msgspec.json.Decoder[Reply] = msgspec.json.Decoder(Facts | Output | Result | Wakeups)


class LinkBrokenError(Exception):
    """The other process sent an invalid message."""


class TooLongError(ValueError):
    """The message is too long: the other process would refuse it and close the connection."""


class Link[Sent, Received]:
    """One end of the socket. ``max_sent`` and ``max_received`` are the maximum sizes of messages in bytes."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        decoder: msgspec.json.Decoder[Received],
        max_sent: int,
        max_received: int,
    ) -> None:
        self._reader, self._writer = reader, writer
        self._decoder = decoder
        self._max_sent, self._max_received = max_sent, max_received

    def send(self, message: Sent) -> None:
        """Queues a message without waiting; messages are sent in order. Does nothing once the other end is closed.
        Raises TooLongError."""
        encoded = msgspec.json.encode(message)
        if len(encoded) > self._max_sent:
            raise TooLongError(f"A message between the lab and its web process has at most {self._max_sent:,} bytes.")
        if not self._writer.is_closing():
            self._writer.write(_LENGTH.pack(len(encoded)) + encoded)

    async def drain(self) -> None:
        """Waits until the other end has read most of what was sent. Raises ConnectionError if the connection is
        closed."""
        await self._writer.drain()

    async def receive(self) -> Received | None:
        """The next message; None once the other end is closed. Raises LinkBrokenError."""
        try:
            (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
            if length > self._max_received:
                raise LinkBrokenError(f"a message of {length} bytes")
            return self._decoder.decode(await self._reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
            raise LinkBrokenError(str(error)) from error

    async def close(self) -> None:
        """Sends queued messages, if the other end reads them within ``CLOSE_S``, and closes the socket."""
        self._writer.close()
        try:
            with suppress(OSError):
                async with asyncio.timeout(CLOSE_S):
                    await self._writer.wait_closed()
        finally:
            self._writer.transport.abort()


async def open_lab_end(own: socket.socket) -> Link[Reply, Request]:
    """Opens the lab's end of the link."""
    return Link(*await asyncio.open_connection(sock=own), REQUESTS, MAX_REPLY_BYTES, MAX_REQUEST_BYTES)


async def open_web_end(own: socket.socket) -> Link[Request, Reply]:
    """Opens the web process's end of the link."""
    return Link(*await asyncio.open_connection(sock=own), REPLIES, MAX_REQUEST_BYTES, MAX_REPLY_BYTES)
