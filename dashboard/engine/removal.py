"""Waits until the Engine has removed a container that was started with ``--rm``."""

import asyncio
from contextlib import suppress

from dashboard.engine.protocol import Engine, EngineError, EngineUnreachable

#: How many seconds a removal may take. The Engine begins it when the container has stopped; a busy Engine is slow.
REMOVAL_S = 15.0
POLL_S = 0.02


async def wait_removed(engine: Engine, container: str) -> None:
    """Waits until a container, given by its id, no longer exists and its name is free, at most ``REMOVAL_S`` seconds.
    Raises EngineUnreachable if the Engine does not answer."""
    with suppress(TimeoutError):
        async with asyncio.timeout(REMOVAL_S):
            while await _exists(engine, container):
                await asyncio.sleep(POLL_S)


async def _exists(engine: Engine, container: str) -> bool:
    try:
        await engine.inspect_container(container)
    except EngineUnreachable:
        raise
    except EngineError as error:
        return error.status != 404
    return True
