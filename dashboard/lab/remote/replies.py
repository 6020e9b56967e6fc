"""The replies to a call: pieces of output, then the result or an error; and the caller, who reads them."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Iterator
from enum import Enum
from typing import Any, Self

from dashboard.core.operations.deployment import CALL_TIMEOUT_S
from dashboard.lab.remote.rpc import RemoteCall, decode_error
from dashboard.lab.supervisor import LabUnavailableError

#: Characters in one message; each takes at most four bytes.
MAX_CHARACTERS = 100_000


class Kind(bytes, Enum):
    """The first byte of a reply. After ``PART`` the same text continues in the next message."""

    OUTPUT = b"o"
    PART = b"p"
    RESULT = b"r"
    REFUSED = b"e"


def encode_reply(kind: Kind, text: str) -> Iterator[bytes]:
    """The messages of a reply, which have a limited size."""
    last = max(0, len(text) - 1) // MAX_CHARACTERS * MAX_CHARACTERS
    for start in range(0, last, MAX_CHARACTERS):
        yield Kind.PART + text[start : start + MAX_CHARACTERS].encode()
    yield kind + text[last:].encode()


def decode_reply(data: bytes) -> tuple[Kind, str]:
    """The kind and the text of a message. Raises ValueError."""
    return Kind(data[:1]), data[1:].decode()


class CallOutput:
    """The output of a call. ``aclose`` ends the call, also if nothing was read: that of a generator function around
    ``replies`` would then run none of its code."""

    def __init__(self, replies: AsyncGenerator[tuple[Kind, str]]) -> None:
        self._replies = replies

    def __aiter__(self) -> Self:
        """Itself."""
        return self

    async def __anext__(self) -> str:
        """The next piece; an error is one, too."""
        try:
            kind, text = await anext(self._replies)
        except LabUnavailableError:
            return "\n[the lab is unavailable]\n"
        return f"\n[{decode_error(text)}]\n" if kind is Kind.REFUSED else text

    async def aclose(self) -> None:
        """Ends the call if it still runs."""
        await self._replies.aclose()


class Caller(ABC):
    """Calls a lab in another process; a subclass sends the calls."""

    #: The loop in which calls are sent, and their replies received.
    _loop: asyncio.AbstractEventLoop | None = None

    @abstractmethod
    def _send_call(self, name: str, host: str, arguments: str, wait_s: float) -> AsyncGenerator[tuple[Kind, str]]:
        """Sends a call and yields its replies up to the result or the error. Cancels the call if the replies are not
        read to the end. Raises LabUnavailableError."""

    async def call(self, function: RemoteCall, host: str, *args: Any, **kwargs: Any) -> Any:
        """The result of a call; if the call has output, returns that once the call was accepted. Raises the lab's
        error, or LabUnavailableError. From any loop."""
        return await self.call_within(CALL_TIMEOUT_S, function, host, function.encode_arguments(*args, **kwargs))

    async def call_within(self, wait_s: float, function: RemoteCall, host: str, arguments: str) -> Any:
        """As ``call``, with the JSON of the arguments and a timeout."""
        work = self._request(function, host, arguments, wait_s)
        if self._loop is None or self._loop is asyncio.get_running_loop():
            return await work
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def _request(self, function: RemoteCall, host: str, arguments: str, wait_s: float) -> Any:
        replies = self._send_call(function.name, host, arguments, wait_s)
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
