"""Executes the calls that web processes send by name, over NATS or over the link."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing, nullcontext
from typing import Any

import msgspec

from dashboard.core.operations.deployment import CALL_TIMEOUT_S
from dashboard.lab.remote import rpc
from dashboard.lab.remote.link import Connection
from dashboard.lab.remote.nats_connection import LAB_CALLS, LAB_CANCELS, Message
from dashboard.lab.remote.replies import Kind, encode_reply
from dashboard.lab.supervisor import LabUnavailableError, Supervisor

log = logging.getLogger(__name__)
#: The maximum number of calls in progress. Each terminal window makes two, and each request of a page a few.
MAX_CALLS = 4096
#: The timeout of calls in seconds. The longest call sends terminal input to a program that does not read it.
LIMIT_S = CALL_TIMEOUT_S + 10.0
#: The maximum length of a call's output in characters; the rest is cut off.
MAX_OUTPUT = 1_000_000
ONE_MACHINE = "This lab accepts no calls about a swarm of machines: its installation has one machine."
BUSY = "The lab handles too many requests. Try again in a moment."
_DECODER = msgspec.json.Decoder(rpc.CallMessage)


class CallServer:
    """Executes the calls that arrive over a connection, and sends the replies. Accepts calls about the swarm of the
    machines only if ``between_machines`` is true."""

    def __init__(self, supervisor: Supervisor, connection: Connection, *, between_machines: bool) -> None:
        self._supervisor = supervisor
        self._connection = connection
        self._between_machines = between_machines
        #: The calls in progress, by the subject of their replies.
        self._calls: dict[str, asyncio.Task[None]] = {}
        self._refusals: set[asyncio.Task[None]] = set()

    async def listen(self, lab: str) -> None:
        """Subscribes to the calls to the lab with the name ``lab``, and to their cancellations."""
        await self._connection.listen(f"{LAB_CANCELS}.{lab}.*", self._on_cancel)
        await self._connection.listen(f"{LAB_CALLS}.{lab}.*", self._on_call)

    def cancel(self) -> list[asyncio.Task[None]]:
        """Cancels all calls in progress and returns their tasks, for which the caller should wait."""
        tasks = [*self._calls.values(), *self._refusals]
        for task in tasks:
            task.cancel()
        return tasks

    def _on_call(self, message: Message) -> None:
        call, reply = _DECODER.decode(message.data), message.reply
        loop = asyncio.get_running_loop()
        if len(self._calls) >= MAX_CALLS or reply in self._calls:
            refusal = loop.create_task(self._send(reply, Kind.REFUSED, rpc.encode_error(LabUnavailableError(BUSY))))
            self._refusals.add(refusal)
            refusal.add_done_callback(self._refusals.discard)
            return
        task = self._calls[reply] = loop.create_task(self._handle(call, reply), name=f"call-{call.name[:60]}")
        task.add_done_callback(lambda _: self._calls.pop(reply, None))

    def _on_cancel(self, message: Message) -> None:
        if (task := self._calls.get(message.data.decode())) is not None:
            task.cancel()

    async def _handle(self, call: rpc.CallMessage, reply: str) -> None:
        async def write(text: str) -> None:
            await self._send(reply, Kind.OUTPUT, text)

        try:
            self._supervisor.require_database()
            if call.name in rpc.BETWEEN_MACHINES and not self._between_machines:
                raise LabUnavailableError(ONE_MACHINE)  # noqa: TRY301
            async with asyncio.timeout(LIMIT_S) if self._connection.loses_messages else nullcontext():
                await self._send(reply, Kind.RESULT, await run_call(self._supervisor, call, write))
        except Exception as error:
            text = rpc.encode_error(error)
            if rpc.LabFailedError.__name__ in text:
                log.exception("the lab failed while it handled %s", call.name[:60])
            await self._send(reply, Kind.REFUSED, text)

    async def _send(self, reply: str, kind: Kind, text: str) -> None:
        for message in encode_reply(kind, text):
            await self._connection.publish(reply, message)


def _decode(call: rpc.RemoteCall, text: str) -> tuple[Any, ...]:
    """Decodes the arguments of a call. Raises ValueError if they do not match the function's signature."""
    try:
        return call.decode_arguments(text)
    except msgspec.MsgspecError as error:
        raise ValueError(f"The arguments of {call.name} are invalid: {error}") from error


async def run_call(supervisor: Supervisor, message: rpc.CallMessage, write: Callable[[str], Awaitable[None]]) -> str:
    """Executes a call and returns its result as JSON. Raises the function's errors, LabUnavailableError for an unknown
    function, and ValueError for invalid arguments.

    If the call streams output, passes each piece to ``write`` and returns an empty text. The first piece is empty, as a
    sign that the call was accepted. After ``MAX_OUTPUT`` characters the output is cut.
    """
    call = rpc.REMOTE_CALLS.get(message.name)
    if call is None:
        raise LabUnavailableError("The lab has no such call. Update the lab and the web process to the same version.")
    values = _decode(call, message.arguments)
    result = await call.function(await rpc.call_target(supervisor, call, message.host), *values)
    if not call.streams:
        return call.encode_result(result)
    await write("")
    printed = 0
    async with aclosing(result):
        async for text in result:
            printed += len(text)
            await write(text)
            if printed > MAX_OUTPUT:
                await write("\n[cut here]\n")
                break
    return ""
