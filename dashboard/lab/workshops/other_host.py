"""Runs commands of a workshop on another private host of the same LAN."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from dashboard.core.workshops.actions import Action, OnOtherHost
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.hosts.registry import PrivateHost
from dashboard.engine.lans.lan import other_hosts
from dashboard.engine.protocol import EngineError
from dashboard.lab.workshops.commands import CommandResult, clean_up, run_command
from dashboard.lab.workshops.snapshot import WorkshopHost

log = logging.getLogger(__name__)
#: Seconds that the cleanup on another host may take. It must be less than the time that a stopping server waits for
#: all.
OTHER_S = 4.0
NO_OTHER_HOST = (
    "This command requires a second host on the LAN. Create a LAN of two hosts (./netmodes lan create office), form a "
    "swarm (./netmodes lan swarm office), and start Netmodes on one of them."
)


async def run_anywhere(host: WorkshopHost, line: str, action: Action) -> CommandResult:
    """Performs ``action``, which was parsed from the command ``line``: an ``OnOtherHost`` action on another host of the
    same LAN, all other actions on ``host``. Raises EngineUnreachable."""
    if not isinstance(action, OnOtherHost):
        return await run_command(host, line, action)
    others = await asyncio.to_thread(_find, host)
    if not others:
        return CommandResult(line, failed=NO_OTHER_HOST)
    async with _on(host, others[0]) as other:
        return await run_command(other, line, action.action)


async def clean_up_everywhere(host: WorkshopHost) -> int:
    """Removes everything that the buttons of workshop steps have created on this host and on the other hosts of its
    LAN. Failures of the other hosts are only logged. Returns the number of containers that it has tried to remove."""
    removed = 0
    for each in await asyncio.to_thread(_find, host):
        try:
            async with asyncio.timeout(OTHER_S), _on(host, each) as other:
                removed += await clean_up(other)
        except (EngineError, TimeoutError) as error:
            log.warning("what buttons created on the host %s may remain: %s", each.id, error or "it did not answer")
    # This host last, because a network that spans several hosts is removed from here.
    return removed + await clean_up(host)


def _find(host: WorkshopHost) -> tuple[PrivateHost, ...]:
    return other_hosts(host.data_dir, host.endpoint) if host.private else ()


@asynccontextmanager
async def _on(host: WorkshopHost, other: PrivateHost) -> AsyncIterator[WorkshopHost]:
    async with DockerEngine(other.endpoint, host=other) as engine:
        yield replace(host, engine=engine, pid=other.pid, endpoint=other.endpoint)
