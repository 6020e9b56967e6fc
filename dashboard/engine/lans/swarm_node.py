"""The part of an engine in a swarm: it forms one, joins one, and leaves it.

Every member is a manager, because only a manager creates overlay networks. A swarm of managers accepts no changes once
half of them are gone: a member leaves it by force.
"""

from dataclasses import dataclass
from typing import Any

from dashboard.engine.decoding import mapping, text
from dashboard.engine.docker_connection import Client, DockerConnection

#: The port of the cluster's management (Docker's documentation, “Swarm mode”, open ports).
PORT = 2377
#: How long a member waits for the others. The Engine itself gives a node 20 s to join (moby, daemon/cluster).
TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class SwarmNode:
    """The node that an engine is. ``state`` as in /info (inactive, pending, active, error, locked); ``id`` and
    ``address`` are empty if it is inactive."""

    state: str
    id: str = ""
    address: str = ""

    @property
    def is_inactive(self) -> bool:
        """Whether the engine is in no swarm."""
        return self.state in {"", "inactive"}


async def _ask(endpoint: str, name: str, *args: Any, **options: Any) -> Any:
    """The result of a method of the SDK's client. Raises EngineError."""

    def ask(client: Client) -> Any:
        return getattr(client, name)(*args, **options)

    connection = DockerConnection(endpoint, TIMEOUT_S, None)
    try:
        return await connection.call(ask)
    finally:
        await connection.close()


async def read_node(endpoint: str) -> SwarmNode:
    """The engine's node now. Raises EngineError."""
    swarm = mapping(mapping(await _ask(endpoint, "info")).get("Swarm"))
    return SwarmNode(*(text(swarm.get(name), 64) for name in ("LocalNodeState", "NodeID", "NodeAddr")))


async def init(endpoint: str, address: str = "") -> str:
    """Form a swarm of this engine alone, at ``address`` or at an address that the Engine chooses; returns the id of the
    node. Raises EngineError, for example if it is in a swarm."""
    addresses = {"advertise_addr": address, "listen_addr": f"{address}:{PORT}"} if address else {}
    return str(await _ask(endpoint, "init_swarm", **addresses))


async def read_swarm(endpoint: str) -> tuple[str, str]:
    """The id of the engine's swarm, and the token with which another engine joins it as a manager. Raises
    EngineError."""
    swarm = mapping(await _ask(endpoint, "inspect_swarm"))
    return text(swarm.get("ID"), 64), text(mapping(swarm.get("JoinTokens")).get("Manager"), 256)


async def join(endpoint: str, address: str, member: str, token: str) -> None:
    """Join the swarm of the ``member`` at this IPv4 address; others reach this engine at ``address``. Raises
    EngineError."""
    await _ask(endpoint, "join_swarm", [f"{member}:{PORT}"], token, f"{address}:{PORT}", address)


async def leave(endpoint: str) -> None:
    """Leave the swarm, which ends with its last manager. Raises EngineError."""
    await _ask(endpoint, "leave_swarm", force=True)
