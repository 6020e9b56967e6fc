"""Removes containers like ``docker rm``, and waits until the Engine has removed one that was started with ``--rm``."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from dashboard.engine.protocol import Engine, EngineError, EngineUnreachable

#: How many seconds a removal may take. The Engine begins it when the container has stopped; a busy Engine is slow.
REMOVAL_S = 15.0
POLL_S = 0.02


async def remove_containers(engine: Engine, names: Sequence[str], *, force: bool) -> str:
    """Removes containers like ``docker rm``: in this order, and the remaining ones also after an error. Returns the
    names of the removed ones. With ``force``, running containers are removed too, and for a container that does not
    exist the Engine's message is returned instead. Raises EngineError with all other errors."""
    output, errors = list[str](), list[str]()
    for name in names:
        try:
            facts = await engine.inspect_container(name)
            if facts.running and not force:
                errors.append(f"cannot remove container {name}: container is running: stop it first")
                continue
            await engine.remove_container(facts.id)
            output.append(name)
        except EngineUnreachable:
            raise
        except EngineError as error:
            (output if force and error.status == 404 else errors).append(str(error))
    if errors:
        raise EngineError("; ".join(errors), 409)
    return "\n".join(output)


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
