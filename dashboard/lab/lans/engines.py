"""Restarts the engines of a LAN with the containers that ran on them, and forms their swarm."""

import asyncio
import logging
from pathlib import Path

from dashboard.engine.hosts.cleanup import kill, kill_everything
from dashboard.engine.hosts.private_host import PrivateHostError
from dashboard.engine.hosts.registry import PrivateHost
from dashboard.engine.lans.lan import Lan, list_lans, start_lan_again
from dashboard.engine.lans.swarm import form_swarm, leave_swarm
from dashboard.engine.lans.swarm_node import keeps_port
from dashboard.lab.engine.restart import finish_starts, start_with_containers

log = logging.getLogger(__name__)
#: The timeout for the start of a host, in seconds. A manager of a swarm answers only when a leader exists, within 20 s.
READY_S = 60.0


async def start_again(data_dir: Path, lan: Lan) -> None:
    """Starts the ended hosts of a LAN, with the containers that ran there. On hosts that run, starts the containers
    that an interrupted restart has left out (``finish_starts``). If a host does not start, still starts all others,
    then raises PrivateHostError."""

    async def start(host: PrivateHost, joined: PrivateHost | None) -> PrivateHost:
        return await start_with_containers(host, ready_s=READY_S, joined=joined)

    try:
        await start_lan_again(data_dir, lan.name, start)
    except PrivateHostError:  # a single host failed: the rest run
        await finish_starts(lan.hosts)
        raise
    await finish_starts(lan.hosts)


async def form_new_swarm(data_dir: Path, lan: Lan) -> None:
    """Forms a new swarm of the running hosts of a LAN. An engine that still listens on the port of its former swarm is
    first restarted, with its containers. Raises EngineError, PrivateHostError or OSError."""
    await leave_swarm(lan.hosts)
    kept = [host for host in lan.hosts if await asyncio.to_thread(keeps_port, host.pid)]
    for host in kept:
        log.warning("the engine of the host %s has kept the port of its former swarm: it is started again", host.id)
        await asyncio.to_thread(_end, host)
    hosts = lan.hosts
    if kept:
        await start_again(data_dir, lan)
        now = next((one for one in await asyncio.to_thread(list_lans, data_dir) if one.name == lan.name), lan)
        # Hosts that have only now started are still in the former swarm.
        await leave_swarm([host for host in now.hosts if host not in hosts])
        hosts = now.hosts
    await form_swarm(hosts)


def _end(host: PrivateHost) -> None:
    """Kills the engine of a host, then its containers. In this order the engine does not record that the containers
    have ended, so that they are started again with it."""
    kill([host.pid])
    kill_everything(host.name)
