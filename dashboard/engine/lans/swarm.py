"""Forms and ends a swarm of the hosts of a LAN, for overlay networks."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress

from dashboard.engine.hosts.registry import PrivateHost
from dashboard.engine.lans import swarm_node
from dashboard.engine.protocol import EngineError


async def is_member(host: PrivateHost) -> bool:
    """Returns whether the host is an active node of a swarm. Raises EngineError."""
    return (await swarm_node.read_node(host.endpoint)).state == "active"


async def form_swarm(hosts: Sequence[PrivateHost]) -> None:
    """Forms a swarm of these hosts, at their IPv4 addresses on the LAN. The hosts must not be in a swarm
    (``leave_swarm``). If that fails, raises EngineError; the hosts that answer are then in no swarm."""
    first, *others = hosts
    address = first.lan.addresses[0]
    try:
        await swarm_node.init(first.endpoint, address)
        _cluster, token = await swarm_node.read_swarm(first.endpoint)
        for host in others:  # one after the other: each changes the number of votes
            await swarm_node.join(host.endpoint, host.lan.addresses[0], address, token)
        await swarm_node.wait_until_stored([host.endpoint for host in hosts])
    except BaseException:
        await asyncio.shield(leave_swarm(hosts))
        raise


async def leave_swarm(hosts: Iterable[PrivateHost]) -> None:
    """Ends the swarm of these hosts: each host that is in one leaves it. The swarm's overlay networks disappear; the
    caller removes the containers on them. Hosts that do not answer stay in the swarm.

    The hosts leave one after the other, because an engine that leaves informs the other engines. An engine before
    version 28.3 that cannot inform enough of them within a second never closes its port for overlay networks (moby,
    commit 16ed51d8; ``swarm_node.keeps_port``).
    """
    for host in hosts:
        with suppress(EngineError):  # 503: not in a swarm
            await swarm_node.leave(host.endpoint)
