"""A swarm of the hosts of a LAN, for overlay networks."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from dashboard.engine.hosts.registry import PrivateHost
from dashboard.engine.lans import swarm_node
from dashboard.engine.protocol import EngineError


async def is_member(host: PrivateHost) -> bool:
    """Whether the host is in a swarm. Raises EngineError."""
    return (await swarm_node.read_node(host.endpoint)).state == "active"


async def form_swarm(hosts: Sequence[PrivateHost]) -> None:
    """Form a swarm of all hosts, at their IPv4 addresses on the LAN. Hosts that are already in one leave it first, so
    that a swarm that lost hosts can be formed again. Raises EngineError; then the hosts that answer are in no swarm."""
    await leave_swarm(hosts)
    first, *others = hosts
    address = first.lan.addresses[0]
    try:
        await swarm_node.init(first.endpoint, address)
        _cluster, token = await swarm_node.read_swarm(first.endpoint)
        for host in others:  # one after the other: each changes the number of votes
            await swarm_node.join(host.endpoint, host.lan.addresses[0], address, token)
    except BaseException:
        await asyncio.shield(leave_swarm(hosts))
        raise


async def leave_swarm(hosts: Sequence[PrivateHost]) -> None:
    """End the swarm: every host that is in one leaves it. Overlay networks disappear; their containers are the
    caller's. Hosts that do not answer are left as they are."""

    async def leave_one(host: PrivateHost) -> None:
        with suppress(EngineError):  # 503: not in a swarm
            await swarm_node.leave(host.endpoint)

    await asyncio.gather(*map(leave_one, hosts))
