"""Executes a call that another process has sent by name."""

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

import msgspec

from dashboard.lab.remote import rpc
from dashboard.lab.supervisor import LabUnavailableError, Supervisor

#: The maximum length of a call's output in characters; the rest is cut off.
MAX_OUTPUT = 1_000_000


def _decode(call: rpc.RemoteCall, text: str) -> tuple[Any, ...]:
    """Decodes the arguments of a call. Raises ValueError if they do not match the function."""
    try:
        return call.decode_arguments(text)
    except msgspec.MsgspecError as error:
        raise ValueError(f"The arguments of {call.name} are invalid: {error}") from error


async def run_call(
    supervisor: Supervisor, name: str, host: str, arguments: str, write: Callable[[str], Awaitable[None]]
) -> str:
    """Executes a call and returns its result as JSON. If the call streams output, passes each piece to ``write``, the
    first one empty as a sign that the call was accepted, and returns an empty text. Raises the function's errors, and
    ValueError for invalid arguments."""
    call = rpc.REMOTE_CALLS.get(name)
    if call is None:
        raise LabUnavailableError("The lab has no such call. Update lab and pages to the same version.")
    values = _decode(call, arguments)
    result = await call.function(await rpc.call_target(supervisor, call, host), *values)
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
