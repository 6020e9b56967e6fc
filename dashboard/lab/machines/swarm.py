"""The engine of this machine in the swarm of the machines. Labs do not talk to each other: a web process calls each.

A file in the data folder names the node that the engine became here. An engine that is another node is in a swarm that
Netmodes did not form, and stays there.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

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


@dataclass(frozen=True, slots=True)
class _Member:
    """The node that this lab made of its engine, and the swarm of that node."""

    node: str
    cluster: str


def _read(data_dir: Path) -> _Member | None:
    with suppress(OSError, msgspec.MsgspecError):
        return msgspec.json.decode((data_dir / FILE).read_bytes(), type=_Member)
    return None


def _membership(node: SwarmNode, member: _Member | None) -> Membership:
    if node.is_inactive:
        return Membership.NONE
    return Membership.OWN if member is not None and member.node == node.id else Membership.FOREIGN


async def view_swarm(lab: Lab) -> SwarmState:
    """The engine's part now. Raises EngineError."""
    context = lab.context
    node, member = await swarm_node.read_node(context.info.endpoint), _read(context.data_dir)
    membership = _membership(node, member)
    if membership is Membership.OWN and member is not None:
        return SwarmState(membership, member.cluster, node.address)
    modes = await modes_of(context.engine, replace(context.info, swarm_active=True))
    problem = next((one.reason for one in modes if one.mode is Mode.OVERLAY and not one.available), "")
    if not problem and node.is_inactive and await _keeps_port(context):
        problem = KEPT
    return SwarmState(membership, problem=problem)


async def _keeps_port(context: Context) -> bool:
    """Whether the engine, which is in no swarm, still listens for the one that it left. Unknown, and False, if the
    engine is not a process of this machine."""
    pid = await asyncio.to_thread(find_daemon, context.info.endpoint, context.info.kind)
    return pid is not None and await asyncio.to_thread(swarm_node.keeps_port, pid)


async def _require_own(context: Context) -> bool:
    """Whether the engine is in the swarm of the machines. Raises EngineError if it is in another one."""
    node = await swarm_node.read_node(context.info.endpoint)
    membership = _membership(node, _read(context.data_dir))
    if membership is Membership.FOREIGN:
        raise EngineError(FOREIGN.format(THIS), 409)
    return membership is Membership.OWN


async def _may_enter(context: Context) -> bool:
    """Whether the engine is in no swarm and can enter one; False if it is in that of the machines. Raises
    EngineError."""
    if await _require_own(context):
        return False
    if await _keeps_port(context):
        raise EngineError(KEPT, 409)
    return True


async def _note(context: Context, cluster: str) -> None:
    node = await swarm_node.read_node(context.info.endpoint)
    (context.data_dir / FILE).write_bytes(msgspec.json.encode(asdict(_Member(node.id, cluster))))
    context.info = await context.engine.info()


async def open_swarm(lab: Lab, address: str) -> SwarmTicket:
    """Forms a swarm of this engine alone at an address, unless it is in that of the machines. Raises EngineError."""
    context = lab.context
    if await _may_enter(context):
        await swarm_node.init(context.info.endpoint, address)
        await _note(context, (await swarm_node.read_swarm(context.info.endpoint))[0])
    return SwarmTicket(*await swarm_node.read_swarm(context.info.endpoint))


async def join_swarm(lab: Lab, address: str, member: str, ticket: SwarmTicket) -> bool:
    """Joins the swarm of the engine at the address ``member``; others reach this one at ``address``. Raises
    EngineError."""
    context = lab.context
    if await _may_enter(context):
        try:
            await swarm_node.join(context.info.endpoint, address, member, ticket.token)
        except BaseException:
            await asyncio.shield(_end_attempt(context.info.endpoint))
            raise
        await _note(context, ticket.cluster)
    return True


async def _end_attempt(endpoint: str) -> None:
    """Ends a failed attempt to join, which the Engine otherwise continues after its timeout of 20 s (moby,
    daemon/cluster). The engine was in no swarm before it."""
    with suppress(EngineError):
        if (await swarm_node.read_node(endpoint)).state in {"pending", "error"}:
            await swarm_node.leave(endpoint)


async def wait_until_stored(lab: Lab) -> bool:
    """Waits until the engine has stored which members the swarm of the machines has, at most ``STORED_S``. Raises
    EngineError."""
    if await _require_own(lab.context):
        await swarm_node.wait_until_stored([lab.context.info.endpoint])
    return True


async def leave_swarm(lab: Lab, is_member: bool = False) -> bool:
    """Leaves the swarm of the machines, also if it has no leader. ``is_member``: a call has just found that the engine
    is in it; without a leader the Engine takes 20 s to name its node. Raises EngineError."""
    context = lab.context
    if is_member or await _require_own(context):
        await swarm_node.leave(context.info.endpoint)
        context.info = await context.engine.info()
    (context.data_dir / FILE).unlink(missing_ok=True)
    return True


async def leave_without_lab(data_dir: Path, endpoint: str) -> bool:
    """Leaves the swarm of the machines where no lab runs; whether the engine was in it. Raises EngineError."""
    if (member := _read(data_dir)) is None:
        return False
    is_own = _membership(await swarm_node.read_node(endpoint), member) is Membership.OWN
    if is_own:
        await swarm_node.leave(endpoint)
    (data_dir / FILE).unlink(missing_ok=True)
    return is_own
