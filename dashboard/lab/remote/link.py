"""Messages between a lab and the web process that it has started, over a unix socket that only these two hold.

A message consists of its length in four bytes and of JSON. The lab trusts nothing that it receives: types are checked
here, names and arguments of calls in ``lab.remote.link_server``.
"""

import asyncio
import socket
import struct
from contextlib import suppress

import msgspec

from dashboard.core.operations.deployment import LabFacts
from dashboard.lab.remote.wakeups import Wakeup

#: The largest message that the lab accepts. The input of a terminal has at most 64 KB.
MAX_REQUEST_BYTES = 1 << 20
#: The largest message from the lab: one result, such as the pictures of an engine.
MAX_REPLY_BYTES = 64 << 20
#: How long ``close`` waits for the other end to read what was sent.
CLOSE_S = 1.0
_LENGTH = struct.Struct("!I")


class Call(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """A call of the lab by name, with the JSON of its arguments."""

    number: int
    name: str
    host: str
    arguments: str


class Cancel(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The caller no longer waits."""

    number: int


class Look(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Announces that the wanted state has changed."""


class Ready(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Announces that the web process serves pages."""


class Facts(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The facts about the lab, sent when they change and once a second."""

    facts: LabFacts


class Output(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """A piece of the output of a call."""

    number: int
    text: str


class Result(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The end of a call: its result or its error, as JSON."""

    number: int
    text: str
    refused: bool = False


class Wakeups(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """What has changed (``lab.remote.wakeups``)."""

    wakeups: tuple[Wakeup, ...]


type Request = Call | Cancel | Look | Ready
type Reply = Facts | Output | Result | Wakeups

REQUESTS: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Call | Cancel | Look | Ready)
REPLIES: msgspec.json.Decoder[Reply] = msgspec.json.Decoder(Facts | Output | Result | Wakeups)


class LinkBrokenError(Exception):
    """The other process sent an invalid message."""


class TooLongError(ValueError):
    """A message that is too long: the other process would refuse it and close the connection."""


class Link[Sent, Received]:
    """One end of the socket. ``max_sent`` and ``max_received`` are the largest messages in bytes."""

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
        """Sends a message, in order and without waiting. Does nothing once the other end is closed. Raises
        TooLongError."""
        encoded = msgspec.json.encode(message)
        if len(encoded) > self._max_sent:
            raise TooLongError(f"A message between the lab and its web process has at most {self._max_sent:,} bytes.")
        if not self._writer.is_closing():
            self._writer.write(_LENGTH.pack(len(encoded)) + encoded)

    async def drain(self) -> None:
        """Waits until the other end has read most of what was sent. Raises ConnectionError if it is closed."""
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
        """Sends what waits if the other end reads it within ``CLOSE_S``, and closes the socket."""
        self._writer.close()
        try:
            with suppress(OSError):
                async with asyncio.timeout(CLOSE_S):
                    await self._writer.wait_closed()
        finally:
            self._writer.transport.abort()


async def open_lab_end(own: socket.socket) -> Link[Reply, Request]:
    """The lab's end."""
    return Link(*await asyncio.open_connection(sock=own), REQUESTS, MAX_REPLY_BYTES, MAX_REQUEST_BYTES)


async def open_web_end(own: socket.socket) -> Link[Request, Reply]:
    """The web process's end."""
    return Link(*await asyncio.open_connection(sock=own), REPLIES, MAX_REQUEST_BYTES, MAX_REPLY_BYTES)
