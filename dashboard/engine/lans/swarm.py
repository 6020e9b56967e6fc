"""A swarm of the hosts of a LAN, for overlay networks.

Every host is a manager, because only a manager creates overlay networks. A swarm of managers stops accepting changes
once half of them are gone: hosts leave it by force."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from dashboard.engine.docker_connection import Client, DockerConnection
from dashboard.engine.hosts.registry import PrivateHost
from dashboard.engine.protocol import EngineError

#: The port of the cluster's management (Docker's documentation, “Swarm mode”, open ports).
PORT = 2377
#: How long a member waits for the others. The Engine itself gives a node 20 s to join (moby, daemon/cluster).
TIMEOUT_S = 30.0


async def _ask(endpoint: str, name: str, *args: Any, **options: Any) -> Any:
    """The result of a method of the SDK's client. Raises EngineError."""

    def ask(client: Client) -> Any:
        return getattr(client, name)(*args, **options)

    connection = DockerConnection(endpoint, TIMEOUT_S, None)
    try:
        return await connection.call(ask)
    finally:
        await connection.close()


async def is_member(host: PrivateHost) -> bool:
    """Whether the host is in a swarm. Raises EngineError."""
    info = await _ask(host.endpoint, "info")
    return bool((info.get("Swarm") or {}).get("LocalNodeState") == "active")


async def init(endpoint: str, address: str = "") -> str:
    """Form a swarm of this engine alone, at ``address`` or at an address that the Engine chooses; returns the id of the
    node. Raises EngineError, for example if it is in a swarm."""
    addresses = {"advertise_addr": address, "listen_addr": f"{address}:{PORT}"} if address else {}
    return str(await _ask(endpoint, "init_swarm", **addresses))


async def leave(endpoint: str) -> None:
    """Leave the swarm, which ends with its last manager. Raises EngineError."""
    await _ask(endpoint, "leave_swarm", force=True)


async def form_swarm(hosts: Sequence[PrivateHost]) -> None:
    """Form a swarm of all hosts, at their IPv4 addresses on the LAN. Hosts that are already in one leave it first, so
    that a swarm that lost hosts can be formed again. Raises EngineError; then the hosts that answer are in no swarm."""
    await leave_swarm(hosts)
    first, *others = hosts
    address = first.lan.addresses[0]
    try:
        await init(first.endpoint, address)
        token = (await _ask(first.endpoint, "inspect_swarm"))["JoinTokens"]["Manager"]
        for host in others:  # one after the other: each changes the number of votes
            own = host.lan.addresses[0]
            await _ask(host.endpoint, "join_swarm", [f"{address}:{PORT}"], token, f"{own}:{PORT}", own)
    except BaseException:
        await asyncio.shield(leave_swarm(hosts))
        raise


async def leave_swarm(hosts: Sequence[PrivateHost]) -> None:
    """End the swarm: every host that is in one leaves it. Overlay networks disappear; their containers are the
    caller's. Hosts that do not answer are left as they are."""

    async def leave_one(host: PrivateHost) -> None:
        with suppress(EngineError):  # 503: not in a swarm
            await leave(host.endpoint)

    await asyncio.gather(*map(leave_one, hosts))
