"""The membership of this machine's engine in the swarm of the installation's machines.

Labs do not communicate with each other: a web process calls the lab of each machine.

When Netmodes makes the engine join, it stores the id of the engine's node in a file in the data folder. If the engine
later is a different node, it is in a swarm that Netmodes did not form (a foreign swarm), and stays in it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from weakref import WeakKeyDictionary

import msgspec

from dashboard.core.modes import Mode
from dashboard.core.operations.swarm import FOREIGN, KEPT, Membership, SwarmState, SwarmTicket
from dashboard.engine.daemon_process import find_daemon
from dashboard.engine.lans import swarm_node
from dashboard.engine.lans.swarm_node import SwarmNode
from dashboard.engine.protocol import EngineError
from dashboard.lab.context import Context
from dashboard.lab.doctor import modes_of
from dashboard.lab.reconciler import Lab

FILE = "swarm.json"
THIS = "this machine"
#: Allows one change at a time per lab, because each change first reads which swarm the engine is in.
_locks: WeakKeyDictionary[Lab, asyncio.Lock] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class _Member:
    """The engine's membership as stored in the file. ``node`` is the id of the engine's node, empty while it is
    joining. ``cluster`` is the id of the swarm. ``since`` is the time of joining, in seconds since the epoch."""

    node: str
    cluster: str
    since: float = 0.0


#: The membership that a call has last read, and when (monotonic). Without a leader the Engine takes 20 s to report it.
_found: WeakKeyDictionary[Lab, tuple[_Member, float]] = WeakKeyDictionary()
#: Seconds for which ``_found`` is used. The memberships of all machines are read before the machines leave in turn.
FOUND_S = 300.0


def _read(data_dir: Path) -> _Member | None:
    with suppress(OSError, msgspec.MsgspecError):
        return msgspec.json.decode((data_dir / FILE).read_bytes(), type=_Member)
    return None


def _write(data_dir: Path, member: _Member) -> None:
    (data_dir / FILE).write_bytes(msgspec.json.encode(asdict(member)))


async def _membership(endpoint: str, node: SwarmNode, member: _Member | None) -> Membership:
    """Returns whether a node is in no swarm, in the swarm of the machines, or in a foreign swarm.

    ``endpoint`` is the address of the node's engine. ``member`` is the stored membership, None if nothing is stored. If
    the lab ended while the engine was joining, ``member`` has no node id. In this case, the id of the node's swarm is
    compared with that of the machines' swarm (``member.cluster``). Raises EngineError.
    """
    if node.is_inactive:
        return Membership.NONE
    if member is None:
        return Membership.FOREIGN
    if member.node or node.state != "active":
        is_own = member.node in {"", node.id}
    else:
        is_own = (await swarm_node.read_swarm(endpoint))[0] == member.cluster
    return Membership.OWN if is_own else Membership.FOREIGN


async def view_swarm(lab: Lab) -> SwarmState:
    """Returns whether the engine is in the swarm of the machines, in a foreign one, or in none.

    If it is in the swarm of the machines, the result also contains the engine's address in the swarm. Otherwise, if the
    engine cannot enter a swarm, the result contains the reason. Raises EngineError.
    """
    context = lab.context
    node, member = await swarm_node.read_node(context.info.endpoint), _read(context.data_dir)
    membership = await _membership(context.info.endpoint, node, member)
    if membership is Membership.OWN and member is not None:
        _found[lab] = member, time.monotonic()
        return SwarmState(membership, member.cluster, node.address, since=member.since)
    _found.pop(lab, None)
    modes = await modes_of(context.engine, replace(context.info, swarm_active=True))
    problem = next((mode.reason for mode in modes if mode.mode is Mode.OVERLAY and not mode.available), "")
    if not problem and node.is_inactive and await _keeps_port(context):
        problem = KEPT
    return SwarmState(membership, problem=problem)


async def _keeps_port(context: Context) -> bool:
    """Returns whether an engine in no swarm still listens on the port of a swarm that it has left. If the engine is not
    a process of this machine, this is unknown, and the result is False."""
    pid = await asyncio.to_thread(find_daemon, context.info.endpoint, context.info.kind)
    return pid is not None and await asyncio.to_thread(swarm_node.keeps_port, pid)


async def _require_own(context: Context) -> bool:
    """Returns whether the engine is in the swarm of the machines; False if it is in no swarm. Raises EngineError if it
    is in a foreign swarm."""
    node = await swarm_node.read_node(context.info.endpoint)
    membership = await _membership(context.info.endpoint, node, _read(context.data_dir))
    if membership is Membership.FOREIGN:
        raise EngineError(FOREIGN.format(THIS), 409)
    return membership is Membership.OWN


async def _may_enter(context: Context) -> bool:
    """Returns True if the engine is in no swarm and can enter one. Returns False if it already is in the swarm of the
    machines. Raises EngineError if it is in a foreign swarm or cannot enter one."""
    if await _require_own(context):
        return False
    if await _keeps_port(context):
        raise EngineError(KEPT, 409)
    return True


async def _note(context: Context, cluster: str) -> None:
    node = await swarm_node.read_node(context.info.endpoint)
    _write(context.data_dir, _Member(node.id, cluster, context.clock()))
    context.info = await context.engine.info()


@asynccontextmanager
async def _changing(lab: Lab) -> AsyncIterator[Context]:
    async with _locks.setdefault(lab, asyncio.Lock()):
        yield lab.context


@asynccontextmanager
async def _entering(context: Context) -> AsyncIterator[None]:
    """Context manager. The body of the ``with`` statement makes the engine enter a swarm. If the body fails, the engine
    is made to leave again, because the Engine continues to join even after its own timeout of 20 s (moby,
    daemon/cluster)."""
    try:
        yield
    except BaseException:
        await asyncio.shield(_end_attempt(context))
        raise


async def _end_attempt(context: Context) -> None:
    with suppress(EngineError):  # then the file remains: the engine may still join
        if not (await swarm_node.read_node(context.info.endpoint)).is_inactive:
            await swarm_node.leave(context.info.endpoint)
        (context.data_dir / FILE).unlink(missing_ok=True)


async def open_swarm(lab: Lab, address: str) -> SwarmTicket:
    """Forms a new swarm with this engine as its only member, and returns what other engines need to join.

    If the engine is in the swarm of the machines already, forms none, and returns what other engines need to join that
    one. ``address`` is this engine's address for other members. Raises EngineError.
    """
    async with _changing(lab) as context:
        if await _may_enter(context):
            async with _entering(context):
                await swarm_node.init(context.info.endpoint, address)
                await _note(context, (await swarm_node.read_swarm(context.info.endpoint))[0])
        return SwarmTicket(*await swarm_node.read_swarm(context.info.endpoint))


async def join_swarm(lab: Lab, address: str, member: str, ticket: SwarmTicket) -> bool:
    """Makes the engine join the swarm that ``ticket`` describes, through the member at the address ``member``. Other
    engines reach this engine at ``address``. Returns True; a failure is raised as EngineError."""
    async with _changing(lab) as context:
        if await _may_enter(context):
            async with _entering(context):
                _write(context.data_dir, _Member("", ticket.cluster, context.clock()))
                await swarm_node.join(context.info.endpoint, address, member, ticket.token)
                await _note(context, ticket.cluster)
    return True


async def wait_until_stored(lab: Lab) -> bool:
    """Waits until the engine has stored the members of the swarm of the machines.

    An engine that ends earlier does not find the other members when it is restarted. After ``swarm_node.STORED_S``
    seconds, stops waiting and logs a warning. Does not wait if the engine is in no swarm. Always returns True. Raises
    EngineError.
    """
    if await _require_own(lab.context):
        await swarm_node.wait_until_stored([lab.context.info.endpoint])
    return True


async def leave_swarm(lab: Lab) -> bool:
    """Makes the engine leave the swarm of the machines, even if the swarm has no leader. Returns True; a failure is
    raised as EngineError."""
    async with _changing(lab) as context:
        found, at = _found.pop(lab, (None, 0.0))
        is_found = found is not None and found == _read(context.data_dir) and time.monotonic() < at + FOUND_S
        if is_found or await _require_own(context):
            await swarm_node.leave(context.info.endpoint)
            context.info = await context.engine.info()
        (context.data_dir / FILE).unlink(missing_ok=True)
    return True


async def leave_without_lab(data_dir: Path, endpoint: str) -> bool:
    """Makes the engine leave the swarm of the machines, on a machine where no lab runs. Returns whether it was in the
    swarm. Raises EngineError."""
    if (member := _read(data_dir)) is None:
        return False
    is_own = await _membership(endpoint, await swarm_node.read_node(endpoint), member) is Membership.OWN
    if is_own:
        await swarm_node.leave(endpoint)
    (data_dir / FILE).unlink(missing_ok=True)
    return is_own
