"""Commands of a workshop on the other private host of a LAN."""

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
#: How long another host may take to remove what buttons created: less than the end of a server waits for all hosts.
OTHER_S = 4.0
NO_OTHER_HOST = (
    "This command requires a second host on the LAN. Create a LAN of two hosts (./netmodes lan create office), form a "
    "swarm (./netmodes lan swarm office), and start Netmodes on one of them."
)


async def run_anywhere(host: WorkshopHost, line: str, action: Action) -> CommandResult:
    """Runs a line on the host, or on the other one if the line names it. Raises EngineUnreachable."""
    if not isinstance(action, OnOtherHost):
        return await run_command(host, line, action)
    others = await asyncio.to_thread(_find, host)
    if not others:
        return CommandResult(line, failed=NO_OTHER_HOST)
    async with _on(host, others[0]) as other:
        return await run_command(other, line, action.action)


async def clean_up_everywhere(host: WorkshopHost) -> int:
    """Removes everything that buttons created here and on the other hosts of the LAN. Returns the number of
    containers."""
    removed = 0
    for each in await asyncio.to_thread(_find, host):
        try:
            async with asyncio.timeout(OTHER_S), _on(host, each) as other:
                removed += await clean_up(other)
        except (EngineError, TimeoutError) as error:
            log.warning("what buttons created on the host %s may remain: %s", each.id, error or "it did not answer")
    # Last, because a network that spans hosts is removed here.
    return removed + await clean_up(host)


def _find(host: WorkshopHost) -> tuple[PrivateHost, ...]:
    return other_hosts(host.data_dir, host.endpoint) if host.private else ()


@asynccontextmanager
async def _on(host: WorkshopHost, other: PrivateHost) -> AsyncIterator[WorkshopHost]:
    async with DockerEngine(other.endpoint) as engine:
        yield replace(host, engine=engine, pid=other.pid, endpoint=other.endpoint)
