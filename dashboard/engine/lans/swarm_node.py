"""Makes an engine form a swarm, join one and leave it.

Every member is a manager, because only a manager creates overlay networks. A swarm of managers accepts no changes once
half of them are gone, so a member leaves it by force.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dashboard.engine.decoding import mapping, text
from dashboard.engine.docker_connection import Client, DockerConnection
from dashboard.engine.protocol import EngineError

log = logging.getLogger(__name__)
#: The port of the cluster's management (Docker's documentation, “Swarm mode”, open ports).
PORT = 2377
#: The port at which engines tell each other what is on their overlay networks.
GOSSIP_PORT = 7946
#: How long a member waits for the others. The Engine itself gives a node 20 s to join (moby, daemon/cluster).
TIMEOUT_S = 30.0
POLL_S = 0.1
#: How long the managers may take to store what one of them changes.
STORED_S = 15


@dataclass(frozen=True, slots=True)
class SwarmNode:
    """An engine as a node of a swarm. ``state`` is as reported by ``/info`` (inactive, pending, active, error, locked).
    ``id`` and ``address`` are empty if the engine is in no swarm."""

    state: str
    id: str = ""
    address: str = ""

    @property
    def is_inactive(self) -> bool:
        """Whether the engine is in no swarm."""
        return self.state in {"", "inactive"}


async def _ask(endpoint: str, name: str, *args: Any, **options: Any) -> Any:
    """Calls the method ``name`` of the SDK's client for the engine at ``endpoint``, and returns the result. Raises
    EngineError."""
    return await _call(endpoint, lambda client: getattr(client, name)(*args, **options))


async def _call[T](endpoint: str, ask: Callable[[Client], T]) -> T:
    connection = DockerConnection(endpoint, TIMEOUT_S, None)
    try:
        return await connection.call(ask)
    finally:
        await connection.close()


async def read_node(endpoint: str) -> SwarmNode:
    """Returns the engine's current state as a node of a swarm. Raises EngineError."""
    swarm = mapping(mapping(await _ask(endpoint, "info")).get("Swarm"))
    return SwarmNode(*(text(swarm.get(name), 64) for name in ("LocalNodeState", "NodeID", "NodeAddr")))


async def init(endpoint: str, address: str = "") -> str:
    """Forms a swarm of this engine alone and returns the id of its node. ``address`` is where other members will reach
    the engine; if it is empty, the Engine chooses one. Raises EngineError, for example if the engine is in a swarm
    already."""
    addresses = {"advertise_addr": address, "listen_addr": f"{address}:{PORT}"} if address else {}
    return str(await _ask(endpoint, "init_swarm", **addresses))


async def read_swarm(endpoint: str) -> tuple[str, str]:
    """Returns the id of the engine's swarm, and the token with which another engine joins the swarm as a manager.
    Raises EngineError."""
    swarm = mapping(await _ask(endpoint, "inspect_swarm"))
    return text(swarm.get("ID"), 64), text(mapping(swarm.get("JoinTokens")).get("Manager"), 256)


async def join(endpoint: str, address: str, member: str, token: str) -> None:
    """Makes the engine join a swarm as a manager. ``address`` is where the other members will reach this engine.
    ``member`` is the IPv4 address of a member of the swarm. ``token`` is from ``read_swarm``. Raises EngineError."""
    await _ask(endpoint, "join_swarm", [f"{member}:{PORT}"], token, f"{address}:{PORT}", address)


async def leave(endpoint: str) -> None:
    """Makes the engine leave its swarm by force. The swarm ends with its last manager. Raises EngineError."""
    await _ask(endpoint, "leave_swarm", force=True)


async def wait_for_leader(endpoint: str, limit_s: float = TIMEOUT_S) -> SwarmNode:
    """Waits at most ``limit_s`` until the engine's swarm has a leader, and returns the engine's node. Its ``state`` is
    still ``pending`` if no leader was elected in time. Returns at once if the engine is in no swarm. Raises
    EngineError.

    Without a leader, the engine attaches no container to an overlay network. Managers that all start at once elect one
    after 10 to 20 s.
    """
    end = time.monotonic() + limit_s
    while (node := await read_node(endpoint)).state == "pending" and time.monotonic() < end:
        await asyncio.sleep(POLL_S)
    return node


async def wait_until_stored(endpoints: Sequence[str]) -> None:
    """Waits until every manager has stored the members of the swarm. A manager that ends earlier does not find the
    others when it is started again. If a manager has not stored them after STORED_S, only logs a warning, because the
    swarm works nevertheless. Raises EngineError."""
    # A manager stores changes in order: once it sends the event of one more change, it has stored the members.
    now = int(time.time())
    name = f"netmodes-members-{secrets.token_hex(4)}"  # an earlier one may remain
    config = (await _ask(endpoints[0], "create_config", name, b"stored"))["ID"]

    def wait(client: Client) -> bool:
        with closing(client.events(now - 1, now + STORED_S, {"config": config})) as events:
            return next(events, None) is not None

    try:
        stored = await asyncio.gather(*(_call(endpoint, wait) for endpoint in endpoints))
        if missing := [endpoint for endpoint, is_stored in zip(endpoints, stored, strict=True) if not is_stored]:
            log.warning(
                "after %d s, %s had not stored the members of the swarm and may not find them after a restart",
                STORED_S,
                ", ".join(missing),
            )
    finally:
        with suppress(EngineError):  # the swarm is complete without it
            await asyncio.shield(_ask(endpoints[0], "remove_config", config))


def keeps_port(pid: int) -> bool:
    """Returns whether the dockerd with this pid listens on the port for overlay networks. Blocks.

    A dockerd that listens although its engine is in no swarm has kept the port of its former swarm. It cannot use the
    overlay networks of another swarm until it is restarted.
    """
    process = Path(f"/proc/{pid}")
    try:
        listening = {f"socket:[{inode}]" for table in ("tcp", "tcp6") for inode in _listening(process / "net" / table)}
        return bool(listening) and any(_target(file) in listening for file in (process / "fd").iterdir())
    except OSError:  # it has ended
        return False


def _listening(table: Path) -> list[str]:
    """Returns the inodes of the sockets that listen on GOSSIP_PORT. ``table`` is a file such as /proc/PID/net/tcp6; a
    machine without IPv6 lacks it, which gives an empty list."""
    with suppress(OSError):
        rows = [line.split() for line in table.read_text().splitlines()[1:]]
        return [row[9] for row in rows if row[3] == "0A" and row[1].endswith(f":{GOSSIP_PORT:04X}")]
    return []


def _target(file: Path) -> str:
    try:
        return str(file.readlink())
    except OSError:  # it has been closed
        return ""
