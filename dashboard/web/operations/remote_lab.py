"""Access to a lab in another process, possibly on another machine: its heartbeats, and calls over NATS."""

import asyncio
import itertools
import secrets
import time
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

import msgspec

from dashboard.core.operations import deployment
from dashboard.core.operations.deployment import HeartbeatMessage, LabFacts, LastHeartbeat
from dashboard.core.operations.heartbeat import Heartbeat
from dashboard.lab.remote import rpc
from dashboard.lab.remote.nats_connection import (
    LAB_CALLS,
    LAB_CANCELS,
    WEB_HEARTBEATS,
    WEB_REPLIES,
    Message,
    NatsConnection,
)
from dashboard.lab.remote.replies import Kind, decode_reply
from dashboard.lab.remote.rpc import RemoteCall
from dashboard.lab.remote.rpc_server import CallMessage
from dashboard.lab.remote.terminal_calls import TERMINAL_CALLS, TerminalCalls
from dashboard.lab.supervisor import LabUnavailableError

#: Seconds between checks for a silent lab, and how long a start waits for the first heartbeat.
CHECK_S = 0.5
FIRST_HEARTBEAT_S = 1.0
#: The timeout of a call of a terminal, in addition to the time that the call itself waits.
TERMINAL_TIMEOUT_S = 6.0


class RemoteLab:
    """This web process's view of the lab. Everything runs in the server's loop, unless the method says otherwise."""

    def __init__(self, nats: NatsConnection) -> None:
        self._nats = nats
        self._last: LastHeartbeat | None = None
        self._first_heartbeat = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._inbox = f"{WEB_REPLIES}.{secrets.token_hex(8)}"
        self._numbers = itertools.count(1)
        #: The calls in progress, by the subject of their replies. A ``LabUnavailableError`` ends the call.
        self._replies: dict[str, asyncio.Queue[tuple[Kind, str] | LabUnavailableError]] = {}

    @property
    def facts(self) -> LabFacts:
        """The facts for pages. From any thread."""
        facts = deployment.current_facts(self._last, time.monotonic())
        return LabFacts(None, self._nats.problem) if facts.engine is None and self._nats.problem else facts

    def heartbeat(self) -> Heartbeat | None:
        """The last heartbeat. From any thread."""
        return deployment.local_heartbeat(self._last, time.monotonic(), time.time())

    async def start(self) -> None:
        """Starts to receive heartbeats and replies."""
        self._loop = asyncio.get_running_loop()
        self._first_heartbeat = asyncio.Event()
        await self._nats.listen(WEB_HEARTBEATS, self._on_heartbeat)
        await self._nats.listen(f"{self._inbox}.*", self._on_reply)
        self._nats.on_loss.append(lambda: self._end_calls(deployment.CALL_LOST))
        self._watching = self._loop.create_task(self._watch(), name="remote-lab")

    async def wait_for_heartbeat(self) -> None:
        """Waits a short time for the first heartbeat, so that the first page shows the engine."""
        if not self._nats.problem:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._first_heartbeat.wait(), FIRST_HEARTBEAT_S)

    async def close(self) -> None:
        """Stops."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
            self._watching = None

    def _on_heartbeat(self, message: Message) -> None:
        received = msgspec.json.decode(message.data, type=HeartbeatMessage)
        if deployment.is_late(self._last, received):
            return
        if deployment.ends_calls(self._last, received):
            self._end_calls(deployment.LAB_UNAVAILABLE if received.has_ended else deployment.CALL_LOST)
        self._last = LastHeartbeat(received, time.monotonic())
        self._first_heartbeat.set()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(CHECK_S)
            if deployment.is_unavailable(self._last, time.monotonic()):
                self._end_calls(self.facts.problem)

    # Calls.

    def _end_calls(self, problem: str) -> None:
        for replies in self._replies.values():
            replies.put_nowait(LabUnavailableError(problem))

    def _on_reply(self, message: Message) -> None:
        replies = self._replies.get(message.subject)
        if replies is not None:
            unheard = LabUnavailableError(deployment.LAB_UNAVAILABLE)
            replies.put_nowait(unheard if message.is_unheard else decode_reply(message.data))

    async def call(self, function: RemoteCall, host: str, *args: Any, **kwargs: Any) -> Any:
        """The result of a call; if the call has output, returns that once the call was accepted. Raises the lab's
        error, or LabUnavailableError. From any loop."""
        arguments = function.encode_arguments(*args, **kwargs)
        return await self.call_within(deployment.CALL_TIMEOUT_S, function, host, arguments)

    async def call_within(self, wait_s: float, function: RemoteCall, host: str, arguments: str) -> Any:
        """As ``call``, with the JSON of the arguments and a timeout."""
        work = self._request(function, host, arguments, wait_s)
        if self._loop is None or self._loop is asyncio.get_running_loop():
            return await work
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def _request(self, function: RemoteCall, host: str, arguments: str, wait_s: float) -> Any:
        if self._last is None or deployment.is_unavailable(self._last, time.monotonic()):
            raise LabUnavailableError(self.facts.problem)
        replies = self._read(self._last.message.lab, CallMessage(function.name, host, arguments), wait_s)
        try:
            kind, text = await anext(replies)
        except BaseException:
            await replies.aclose()
            raise
        if kind is Kind.OUTPUT:
            return self._output(replies)
        await replies.aclose()
        if kind is Kind.REFUSED:
            raise rpc.decode_error(text)
        return function.decode_result(text)

    async def _read(self, lab: str, call: CallMessage, wait_s: float) -> AsyncGenerator[tuple[Kind, str]]:
        """Sends a call to a lab and yields its replies up to the result or the error. Cancels the call if the replies
        are not read to the end. Raises LabUnavailableError."""
        subject = f"{self._inbox}.{next(self._numbers)}"
        queue = self._replies[subject] = asyncio.Queue()
        is_done, parts, end = False, "", asyncio.get_running_loop().time() + wait_s
        try:
            if not await self._nats.publish(f"{LAB_CALLS}.{lab}", msgspec.json.encode(call), subject):
                raise LabUnavailableError(deployment.CALL_LOST)
            while not is_done:
                async with asyncio.timeout_at(end):
                    reply = await queue.get()
                if isinstance(reply, LabUnavailableError):
                    raise reply
                kind, text = reply
                parts += text
                if kind is not Kind.PART:
                    is_done = kind is not Kind.OUTPUT
                    yield kind, parts
                    parts = ""
        except TimeoutError:
            raise LabUnavailableError(deployment.CALL_TIMED_OUT) from None
        finally:
            del self._replies[subject]
            if not is_done:
                await asyncio.shield(self._nats.publish(f"{LAB_CANCELS}.{lab}", subject.encode()))

    async def _output(self, replies: AsyncGenerator[tuple[Kind, str]]) -> AsyncGenerator[str]:
        try:
            async for kind, text in replies:
                yield f"\n[{rpc.decode_error(text)}]\n" if kind is Kind.REFUSED else text
        except LabUnavailableError:
            yield "\n[the lab is unavailable]\n"
        finally:
            await replies.aclose()


class RemoteTerminals(TerminalCalls):
    """The terminals of the lab."""

    def __init__(self, lab: RemoteLab) -> None:
        self._lab = lab

    async def _call(self, name: str, *arguments: Any, wait_s: float = 0.0) -> Any:
        call = TERMINAL_CALLS[name]
        return await self._lab.call_within(wait_s + TERMINAL_TIMEOUT_S, call, "", call.encode_arguments(*arguments))
