"""Sends remote calls (``Caller``) and encodes their replies: pieces of output, then the result or an error."""

import asyncio
import itertools
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Iterator
from enum import Enum
from typing import Any, Self

import msgspec

from dashboard.core.operations import deployment
from dashboard.lab.remote.link import Connection
from dashboard.lab.remote.nats_connection import LAB_CALLS, LAB_CANCELS, WEB_REPLIES, Message
from dashboard.lab.remote.rpc import CallMessage, RemoteCall, decode_error
from dashboard.lab.supervisor import LabUnavailableError

#: The maximum number of characters in one message. Each takes at most four bytes.
MAX_CHARACTERS = 100_000


class Kind(bytes, Enum):
    """The kind of a reply, sent as its first byte. ``PART`` means that the next message continues the same text."""

    OUTPUT = b"o"
    PART = b"p"
    RESULT = b"r"
    REFUSED = b"e"


def encode_reply(kind: Kind, text: str) -> Iterator[bytes]:
    """Yields the messages of a reply. A text that is too long for one message is split."""
    last = max(0, len(text) - 1) // MAX_CHARACTERS * MAX_CHARACTERS
    for start in range(0, last, MAX_CHARACTERS):
        yield Kind.PART + text[start : start + MAX_CHARACTERS].encode()
    yield kind + text[last:].encode()


def decode_reply(data: bytes) -> tuple[Kind, str]:
    """Returns the kind and the text of a message. Raises ValueError if the message is invalid."""
    return Kind(data[:1]), data[1:].decode()


class CallOutput:
    """Iterates over the output of a call. ``aclose`` ends the call even if no output was read. An async generator could
    not do that: if it is closed before its first item, none of its code runs."""

    def __init__(self, replies: AsyncGenerator[tuple[Kind, str]]) -> None:
        self._replies = replies

    def __aiter__(self) -> Self:
        """Returns itself."""
        return self

    async def __anext__(self) -> str:
        """Returns the next piece of output. If the call fails, returns the error as a piece of output."""
        try:
            kind, text = await anext(self._replies)
        except LabUnavailableError:
            return "\n[the lab is unavailable]\n"
        return f"\n[{decode_error(text)}]\n" if kind is Kind.REFUSED else text

    async def aclose(self) -> None:
        """Ends the call if it is still in progress."""
        await self._replies.aclose()


class Caller(ABC):
    """Calls a lab in another process. Use it only in the connection's loop, except for methods that state otherwise.
    ``machine`` names the lab's machine. ``inbox`` is unique to this process and becomes a part of reply subjects."""

    def __init__(self, connection: Connection, machine: str, inbox: str) -> None:
        self._connection = connection
        self._machine = machine
        #: The loop in which calls are sent and their replies received; None means the caller's loop.
        self._loop: asyncio.AbstractEventLoop | None = None
        self._inbox = f"{WEB_REPLIES}.{machine}.{inbox}"
        self._numbers = itertools.count(1)
        #: The calls in progress, by the subject of their replies. A ``LabUnavailableError`` in the queue ends the call.
        self._replies: dict[str, asyncio.Queue[tuple[Kind, str] | LabUnavailableError]] = {}

    @abstractmethod
    def _require_lab(self) -> str:
        """Returns the name of the lab to which calls are sent now. Raises LabUnavailableError if no lab runs."""

    def _unavailable(self, problem: str) -> LabUnavailableError:
        return LabUnavailableError(deployment.about(problem, self._machine))

    def end_calls(self, problem: str) -> None:
        """Ends all calls in progress with a LabUnavailableError, with ``problem`` as the message."""
        for replies in self._replies.values():
            replies.put_nowait(self._unavailable(problem))

    def on_reply(self, message: Message) -> None:
        """Handles a reply to a call, or NATS's report that no process has received the call."""
        replies = self._replies.get(message.subject)
        if replies is not None:
            problem = deployment.LAB_UNAVAILABLE
            replies.put_nowait(self._unavailable(problem) if message.is_unheard else decode_reply(message.data))

    async def call(self, function: RemoteCall, host: str, *args: Any, **kwargs: Any) -> Any:
        """Calls a function of the lab and returns its result. ``host`` is the id of the private host whose lab is
        called, empty for the server's own. May be called from any event loop.

        If the function streams output, returns a ``CallOutput`` as soon as the lab has accepted the call. Raises the
        lab's error, or LabUnavailableError.
        """
        work = self._request(function, host, function.encode_arguments(*args, **kwargs))
        if self._loop is None or self._loop is asyncio.get_running_loop():
            return await work
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def _request(self, function: RemoteCall, host: str, arguments: str) -> Any:
        replies = self._send_call(function, host, arguments)
        try:
            kind, text = await anext(replies)
        except BaseException:
            await replies.aclose()
            raise
        if kind is Kind.OUTPUT:
            return CallOutput(replies)
        await replies.aclose()
        if kind is Kind.REFUSED:
            raise decode_error(text)
        return function.decode_result(text)

    async def _send_call(self, function: RemoteCall, host: str, arguments: str) -> AsyncGenerator[tuple[Kind, str]]:
        """Sends a call and yields the replies, the last of which is the result or the error. If the generator is closed
        earlier, cancels the call. Raises LabUnavailableError."""
        lab, call = self._require_lab(), msgspec.json.encode(CallMessage(function.name, host, arguments))
        subject = f"{self._inbox}.{next(self._numbers)}"
        queue = self._replies[subject] = asyncio.Queue()
        is_done, parts, timeout = False, "", None
        if self._connection.loses_messages:
            late = self._unavailable(deployment.CALL_TIMED_OUT)
            timeout = asyncio.get_running_loop().call_later(function.timeout_s, queue.put_nowait, late)
        try:
            if not await self._connection.publish(f"{LAB_CALLS}.{lab}", call, subject):
                raise self._unavailable(deployment.CALL_LOST)
            while not is_done:
                reply = await queue.get()
                if isinstance(reply, LabUnavailableError):
                    raise reply
                kind, text = reply
                parts += text
                if kind is not Kind.PART:
                    is_done = kind is not Kind.OUTPUT
                    yield kind, parts
                    parts = ""
        finally:
            del self._replies[subject]
            if timeout is not None:
                timeout.cancel()
            if not is_done:
                await asyncio.shield(self._connection.publish(f"{LAB_CANCELS}.{lab}", subject.encode()))
