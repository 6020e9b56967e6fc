"""Relays terminals between web processes and the lab over two Redis streams.

Calls of ``lab.terminal.terminals.Terminals`` go over one stream, results come back over another. Both streams are
short; unread entries are dropped. Terminals need Redis: the database is too slow for keystrokes."""

import asyncio
import itertools
import logging
import secrets
from contextlib import suppress
from typing import Any

from django.conf import settings

from dashboard.core.operations.deployment import LAB_UNAVAILABLE
from dashboard.lab.remote.rpc import decode_error, encode_error
from dashboard.lab.remote.terminal_calls import TERMINAL_CALLS, TerminalCalls
from dashboard.lab.supervisor import LabUnavailableError, Supervisor

log = logging.getLogger(__name__)

CALLS = "netmodes:terminal-calls"
RESULTS = "netmodes:terminal-answers:"
#: Entries that a stream keeps; an entry holds at most one chunk of output.
MAX_CALLS, MAX_RESULTS = 2000, 500
BLOCK_MS = 2000
RETRY_S = 1.0
#: The timeout of a call, in addition to the time that the call itself waits.
CALL_TIMEOUT_S = 6.0
EXPIRE_S = 60
NO_REDIS = "Terminals need Redis between the pages and the lab. Set REDIS_URL for both."

type Fields = dict[bytes, bytes]


class _Connection:
    """A connection to Redis that receives the new entries of one stream."""

    def __init__(self) -> None:
        self._client: Any = None
        self._reading: asyncio.Task[None] | None = None

    def _open(self, stream: str) -> None:
        """Starts to receive, if there is a Redis."""
        if settings.REDIS_URL:
            from redis.asyncio import from_url

            self._client = from_url(settings.REDIS_URL, socket_connect_timeout=2.0, socket_timeout=12.0)
            self._reading = asyncio.get_running_loop().create_task(self._read(stream), name=f"redis-{stream}")

    async def _close(self, *tasks: asyncio.Task[None], delete: str = "") -> None:
        """Stops receiving, cancels these tasks, and deletes a stream."""
        running = [*tasks, *([self._reading] if self._reading is not None else [])]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        if self._client is not None:
            with suppress(Exception):
                if delete:
                    await self._client.delete(delete)
                await self._client.aclose()
            self._client = None

    async def _read(self, stream: str) -> None:
        """Receives entries until it is cancelled; entries sent while Redis is unavailable are lost."""
        last: Any = "$"
        while True:
            try:
                answer = await self._client.xread({stream: last}, count=100, block=BLOCK_MS)
                for _, entries in answer or ():
                    for last, fields in entries:  # noqa: B007 - the number of the last entry is kept
                        self._receive(fields)
            except Exception as error:  # noqa: BLE001 - any error of the client: try again
                log.info("cannot read the stream %s: %s", stream, error)
                last = "$"
                await asyncio.sleep(RETRY_S)

    def _receive(self, fields: Fields) -> None:
        raise NotImplementedError


class TerminalServer(_Connection):
    """The lab's end of the relay."""

    def __init__(self, supervisor: Supervisor) -> None:
        super().__init__()
        self._supervisor = supervisor
        self._calls: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Starts to receive calls."""
        self._open(CALLS)

    async def close(self) -> None:
        """Stops."""
        await self._close(*self._calls)

    def _receive(self, fields: Fields) -> None:
        task = asyncio.get_running_loop().create_task(self._handle(fields), name="terminal-call")
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _handle(self, fields: Fields) -> None:
        message: dict[str, str | bytes] = {"call": fields[b"call"]}
        try:
            method = TERMINAL_CALLS[fields[b"method"].decode()]
            arguments = method.decode_arguments(fields[b"arguments"].decode())
            message["answer"] = method.encode_result(await method.function(self._supervisor.terminals, *arguments))
        except Exception as error:
            message["error"] = encode_error(error)
            if "LabFailedError" in str(message["error"]):
                log.exception("a call of a terminal failed")
        with suppress(Exception):  # the caller times out
            stream = RESULTS + fields[b"by"].decode()
            await self._client.xadd(stream, message, maxlen=MAX_RESULTS, approximate=True)


class RemoteTerminals(TerminalCalls, _Connection):
    """The web process's end: the methods of ``Terminals``, run by the remote lab. Raises
    LabUnavailableError if no lab is running."""

    def __init__(self) -> None:
        super().__init__()
        self._id = secrets.token_hex(8)
        self._numbers = itertools.count(1)
        self._results: dict[bytes, asyncio.Future[Fields]] = {}

    def open(self) -> None:
        """Starts to receive results."""
        self._open(RESULTS + self._id)

    async def close(self) -> None:
        """Stops."""
        await self._close(delete=RESULTS + self._id)

    def _receive(self, fields: Fields) -> None:
        result = self._results.get(fields[b"call"])
        if result is not None and not result.done():
            result.set_result(fields)

    async def _call(self, name: str, *arguments: Any, wait_s: float = 0.0) -> Any:
        if self._client is None:
            raise LabUnavailableError(NO_REDIS)
        method, call = TERMINAL_CALLS[name], str(next(self._numbers)).encode()
        message = {"by": self._id, "call": call, "method": name, "arguments": method.encode_arguments(*arguments)}
        result: asyncio.Future[Fields] = asyncio.get_running_loop().create_future()
        self._results[call] = result
        try:
            async with asyncio.timeout(wait_s + CALL_TIMEOUT_S):
                await self._client.xadd(CALLS, message, maxlen=MAX_CALLS, approximate=True)
                await self._client.expire(CALLS, EXPIRE_S)
                fields = await result
        except Exception as error:  # any error of the client, or the timeout
            raise LabUnavailableError(LAB_UNAVAILABLE) from error
        finally:
            del self._results[call]
        if b"error" in fields:
            raise decode_error(fields[b"error"].decode())
        return method.decode_result(fields[b"answer"].decode())
