"""Repeats the commands of a group's workshop steps on a new host."""

import asyncio
import logging
from dataclasses import replace

from dashboard.core.training.capacity import MAX_CONTAINERS
from dashboard.core.workshops.model import Command
from dashboard.core.workshops.repetition import commands_to_repeat
from dashboard.engine.protocol import EngineError
from dashboard.lab.context import Context
from dashboard.lab.workshops.commands import run_command, workshop_host
from dashboard.lab.workshops.files import Library
from dashboard.store.training import group_histories

log = logging.getLogger(__name__)
#: The time limit for all commands together, in seconds. After that the group gets the host without the remaining ones.
LIMIT_S = 120.0
MISSING = (
    "Your steps were not repeated: the workshop “{0}” of this session is not in the folder {1} of the new machine, or "
    "is another version there. Do the steps again, and tell the instructor."
)
NOTHING = "None of the steps had to be repeated."


async def repeat_steps(context: Context, group: str) -> str:
    """Repeats the commands of the workshop steps that a group has already done, on the host of ``context``. Returns a
    sentence about the result, for the group."""
    slug, digest, histories = await context.database.run(group_histories.load, group)
    folder = context.data_dir / "workshops"
    workshop = await asyncio.to_thread(Library(folder).get, slug)
    if workshop is None or (digest and workshop.digest != digest):
        log.warning("group %s: %s has no workshop %s with the digest %s", group, folder, slug, digest)
        return MISSING.format(slug, folder) if histories else NOTHING
    commands = commands_to_repeat(workshop, histories)
    if not commands:
        return NOTHING
    failed: list[Command] = []
    done = 0
    try:
        async with asyncio.timeout(LIMIT_S):
            for command in commands:
                result = await run_command(
                    replace(workshop_host(context), max_containers=MAX_CONTAINERS), command.line, command.action
                )
                done += 1
                if result.failed:
                    log.info("group %s: repeating %r failed: %s", group, command.line, result.failed)
                    failed.append(command)
    except (EngineError, TimeoutError) as error:
        log.warning("group %s: repeating its steps ended after %d commands: %s", group, done, error)
        return f"{done} of {len(commands)} commands of your steps were repeated. Do the rest again."
    if failed:
        return (
            f"{done - len(failed)} of {len(commands)} commands of your steps were repeated. The first that failed: "
            f"{failed[0].line[:200]}"
        )
    return f"{_count(len(commands))} of your steps {'was' if len(commands) == 1 else 'were'} repeated."


def _count(number: int) -> str:
    return "One command" if number == 1 else f"{number} commands"
