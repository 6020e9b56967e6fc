"""The replies to a remote call: pieces of output, then the result or an error. ``Caller`` sends calls and reads the
replies."""

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
    """The kind of a reply, sent as its first byte. After ``PART``, the next message continues the same text."""

    OUTPUT = b"o"
    PART = b"p"
    RESULT = b"r"
    REFUSED = b"e"


def encode_reply(kind: Kind, text: str) -> Iterator[bytes]:
    """Encodes a reply as one or more messages of limited size."""
    last = max(0, len(text) - 1) // MAX_CHARACTERS * MAX_CHARACTERS
    for start in range(0, last, MAX_CHARACTERS):
        yield Kind.PART + text[start : start + MAX_CHARACTERS].encode()
    yield kind + text[last:].encode()


def decode_reply(data: bytes) -> tuple[Kind, str]:
    """The kind and the text of a message. Raises ValueError if it is invalid."""
    return Kind(data[:1]), data[1:].decode()


class CallOutput:
    """Iterates over the output of a call. ``aclose`` ends the call even if nothing was read; an async generator around
    ``replies`` could not do that, because closing it before the first item runs none of its code."""

    def __init__(self, replies: AsyncGenerator[tuple[Kind, str]]) -> None:
        self._replies = replies

    def __aiter__(self) -> Self:
        """Itself."""
        return self

    async def __anext__(self) -> str:
        """The next piece of output. An error of the call is returned as a piece as well."""
        try:
            kind, text = await anext(self._replies)
        except LabUnavailableError:
            return "\n[the lab is unavailable]\n"
        return f"\n[{decode_error(text)}]\n" if kind is Kind.REFUSED else text

    async def aclose(self) -> None:
        """Ends the call if it is still in progress."""
        await self._replies.aclose()


class Caller(ABC):
    """Calls a lab in another process. Use it only in the loop of the connection, unless a method states otherwise."""

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
        """The name of the lab to which calls are sent now. Raises LabUnavailableError."""

    def _unavailable(self, problem: str) -> LabUnavailableError:
        return LabUnavailableError(deployment.about(problem, self._machine))

    def end_calls(self, problem: str) -> None:
        """Ends all calls in progress with LabUnavailableError."""
        for replies in self._replies.values():
            replies.put_nowait(self._unavailable(problem))

    def on_reply(self, message: Message) -> None:
        """Handles a reply, or NATS's report that no process is subscribed to the call."""
        replies = self._replies.get(message.subject)
        if replies is not None:
            problem = deployment.LAB_UNAVAILABLE
            replies.put_nowait(self._unavailable(problem) if message.is_unheard else decode_reply(message.data))

    async def call(self, function: RemoteCall, host: str, *args: Any, **kwargs: Any) -> Any:
        """Makes a call and returns its result or, if it streams output, a ``CallOutput`` as soon as the lab has
        accepted it. Raises the lab's error, or LabUnavailableError. May be called from any event loop."""
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
        """Sends a call, and yields its replies up to the result or the error. If the caller closes the generator before
        that, cancels the call. Raises LabUnavailableError."""
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
