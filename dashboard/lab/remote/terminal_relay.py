"""The line between a terminal's window and its shell where pages and lab are different processes: two Redis streams.

Calls of ``lab.terminal.terminals.Terminals`` go one way, what they return the other; both streams are short, and what nobody
takes is cut off. Without Redis there are no terminals: the database is no way for keystrokes.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from django.conf import settings

from dashboard.core.operations.deployment import AWAY
from dashboard.core.terminal.limits import OutputChunk, TerminalOwner
from dashboard.lab.remote.rpc import RemoteCall, decode_error, encode_error
from dashboard.lab.supervisor import LabUnavailableError, Supervisor
from dashboard.lab.terminal.terminals import Terminals

log = logging.getLogger(__name__)

CALLS = "netmodes:terminal-calls"
ANSWERS = "netmodes:terminal-answers:"
#: Entries that a stream keeps; an entry holds at most what a terminal tells at once.
CALLS_MOST, ANSWERS_MOST = 2000, 500
BLOCK_MS = 2000
RETRY_S = 1.0
#: How long an answer may take beyond the time for which it was asked to wait.
SLOW_S = 6.0
FORGET_S = 60
NO_LINE = "Terminals need Redis between the pages and the lab: set REDIS_URL for both."

_METHODS: dict[str, RemoteCall] = {
    method.__name__: RemoteCall(method)
    for method in (
        Terminals.attach,
        Terminals.start,
        Terminals.read_from,
        Terminals.write,
        Terminals.interrupt,
        Terminals.resize,
        Terminals.detach,
    )
}


def _client() -> Any:
    from redis.asyncio import from_url

    return from_url(settings.REDIS_URL, socket_connect_timeout=2.0, socket_timeout=12.0)


async def _entries(client: Any, stream: str, heard: Callable[[dict[bytes, bytes]], None]) -> None:
    """Hears every new entry of a stream, for ever; what comes while Redis is away is lost."""
    last: Any = "$"
    while True:
        try:
            found = await client.xread({stream: last}, count=100, block=BLOCK_MS)
            for _, entries in found or ():
                for last, fields in entries:  # noqa: B007 - the number of the last one is kept
                    heard(fields)
        except Exception as error:  # noqa: BLE001 - whatever the client raises: it is tried again
            log.info("a stream of terminals cannot be read: %s", error)
            last = "$"
            await asyncio.sleep(RETRY_S)


class TerminalServer:
    """The lab's end."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._client: Any = None
        self._reading: asyncio.Task[None] | None = None
        self._calls: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begins to listen, if there is a Redis."""
        if settings.REDIS_URL:
            self._client = _client()
            self._reading = asyncio.get_running_loop().create_task(self._listen(), name="terminal-calls")

    async def close(self) -> None:
        """Ends."""
        tasks = [*self._calls, *([self._reading] if self._reading is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._client is not None:
            with suppress(Exception):
                await self._client.aclose()
            self._client = None

    async def _listen(self) -> None:
        await _entries(self._client, CALLS, self._called)

    def _called(self, fields: dict[bytes, bytes]) -> None:
        task = asyncio.get_running_loop().create_task(self._answer(fields), name="terminal-call")
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _answer(self, fields: dict[bytes, bytes]) -> None:
        by, call = fields[b"by"].decode(), fields[b"call"]
        said: dict[str, str | bytes] = {"call": call}
        try:
            method = _METHODS[fields[b"method"].decode()]
            arguments = method.decode_arguments(fields[b"arguments"].decode())
            found = await method.function(self._supervisor.terminals, *arguments)
            said["answer"] = method.encode_answer(found)
        except Exception as error:
            said["error"] = encode_error(error)
            if "LabFailedError" in str(said["error"]):
                log.exception("a call of a terminal failed")
        with suppress(Exception):  # who asked gives up in time
            await self._client.xadd(ANSWERS + by, said, maxlen=ANSWERS_MOST, approximate=True)


class RemoteTerminals:
    """The pages' end: what ``Terminals`` can do, done by the lab elsewhere. LabUnavailableError if nobody answers."""

    def __init__(self) -> None:
        self._me = secrets.token_hex(8)
        self._client: Any = None
        self._reading: asyncio.Task[None] | None = None
        self._numbers = itertools.count(1)
        self._waiting: dict[bytes, asyncio.Future[dict[bytes, bytes]]] = {}

    def open(self) -> None:
        """Begins to listen, if there is a Redis."""
        if settings.REDIS_URL:
            self._client = _client()
            self._reading = asyncio.get_running_loop().create_task(
                _entries(self._client, ANSWERS + self._me, self._answered), name="terminal-answers"
            )

    async def close(self) -> None:
        """Ends."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        if self._client is not None:
            with suppress(Exception):
                await self._client.delete(ANSWERS + self._me)
                await self._client.aclose()
            self._client = None

    def _answered(self, fields: dict[bytes, bytes]) -> None:
        waiting = self._waiting.get(fields[b"call"])
        if waiting is not None and not waiting.done():
            waiting.set_result(fields)

    async def _call(self, name: str, *arguments: Any, wait_s: float = 0.0) -> Any:
        if self._client is None:
            raise LabUnavailableError(NO_LINE)
        method, call = _METHODS[name], str(next(self._numbers)).encode()
        said = {"by": self._me, "call": call, "method": name, "arguments": method.encode_arguments(*arguments)}
        waiting: asyncio.Future[dict[bytes, bytes]] = asyncio.get_running_loop().create_future()
        self._waiting[call] = waiting
        try:
            async with asyncio.timeout(wait_s + SLOW_S):
                await self._client.xadd(CALLS, said, maxlen=CALLS_MOST, approximate=True)
                await self._client.expire(CALLS, FORGET_S)
                fields = await waiting
        except Exception as error:  # whatever the client raises, or that it took too long
            raise LabUnavailableError(AWAY) from error
        finally:
            del self._waiting[call]
        if b"error" in fields:
            raise decode_error(fields[b"error"].decode())
        return method.decode_answer(fields[b"answer"].decode())

    async def attach(self, owner: TerminalOwner, window: str, cols: int, rows: int) -> OutputChunk:
        """Opens a window on a participant's terminal. TerminalError."""
        found: OutputChunk = await self._call("attach", owner, window, cols, rows)
        return found

    async def start(self, participant: str) -> None:
        """Starts a new shell, if the last one has ended."""
        with suppress(LabUnavailableError):  # the window is told by its next question
            await self._call("start", participant)

    async def read_from(
        self, participant: str, window: str, run: str, offset: int, change: int, wait_s: float
    ) -> OutputChunk:
        """The output after ``offset``; waits for it."""
        found: OutputChunk = await self._call(
            "read_from", participant, window, run, offset, change, wait_s, wait_s=wait_s
        )
        return found

    async def write(self, participant: str, window: str, data: bytes) -> None:
        """Sends input; returns when the shell has taken it."""
        await self._call("write", participant, window, data, wait_s=60.0)

    async def interrupt(self, participant: str, window: str) -> None:
        """Sends Ctrl-C."""
        with suppress(LabUnavailableError):
            await self._call("interrupt", participant, window)

    async def resize(self, participant: str, window: str, cols: int, rows: int) -> None:
        """Changes the size of a window."""
        with suppress(LabUnavailableError):
            await self._call("resize", participant, window, cols, rows)

    async def detach(self, participant: str, window: str) -> None:
        """Closes a window."""
        await self._call("detach", participant, window)
