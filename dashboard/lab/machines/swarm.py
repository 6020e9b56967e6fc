"""The engine of this machine in the swarm of the machines. Labs do not talk to each other: a web process calls each.

A file in the data folder names the node that the engine became here. An engine that is another node is in a swarm that
Netmodes did not form, and stays there.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import msgspec

from dashboard.core.modes import Mode
from dashboard.core.operations.swarm import FOREIGN, Membership, SwarmState, SwarmTicket
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


def _file(context: Context) -> Path:
    return context.data_dir / FILE


def _read(context: Context) -> _Member | None:
    with suppress(OSError, msgspec.MsgspecError):
        return msgspec.json.decode(_file(context).read_bytes(), type=_Member)
    return None


def _membership(node: SwarmNode, member: _Member | None) -> Membership:
    if node.is_inactive:
        return Membership.NONE
    return Membership.OWN if member is not None and member.node == node.id else Membership.FOREIGN


async def view_swarm(lab: Lab) -> SwarmState:
    """The engine's part now. Raises EngineError."""
    context = lab.context
    node, member = await swarm_node.read_node(context.info.endpoint), _read(context)
    membership = _membership(node, member)
    if membership is Membership.OWN and member is not None:
        return SwarmState(membership, member.cluster, node.address)
    modes = await modes_of(context.engine, replace(context.info, swarm_active=True))
    problem = next((one.reason for one in modes if one.mode is Mode.OVERLAY and not one.available), "")
    return SwarmState(membership, problem=problem)


async def _require_own(context: Context) -> bool:
    """Whether the engine is in the swarm of the machines. Raises EngineError if it is in another one."""
    membership = _membership(await swarm_node.read_node(context.info.endpoint), _read(context))
    if membership is Membership.FOREIGN:
        raise EngineError(FOREIGN.format(THIS), 409)
    return membership is Membership.OWN


async def _note(context: Context, cluster: str) -> None:
    node = await swarm_node.read_node(context.info.endpoint)
    _file(context).write_bytes(msgspec.json.encode(asdict(_Member(node.id, cluster))))
    context.info = await context.engine.info()


async def open_swarm(lab: Lab, address: str) -> SwarmTicket:
    """Forms a swarm of this engine alone at an address, unless it is in that of the machines. Raises EngineError."""
    context = lab.context
    if not await _require_own(context):
        await swarm_node.init(context.info.endpoint, address)
        await _note(context, (await swarm_node.read_swarm(context.info.endpoint))[0])
    return SwarmTicket(*await swarm_node.read_swarm(context.info.endpoint))


async def join_swarm(lab: Lab, address: str, member: str, ticket: SwarmTicket) -> bool:
    """Joins the swarm of the engine at the address ``member``; others reach this one at ``address``. Raises
    EngineError."""
    context = lab.context
    if not await _require_own(context):
        await swarm_node.join(context.info.endpoint, address, member, ticket.token)
        await _note(context, ticket.cluster)
    return True


async def leave_swarm(lab: Lab) -> bool:
    """Leaves the swarm of the machines, also if it has no leader. Raises EngineError."""
    context = lab.context
    if await _require_own(context):
        await swarm_node.leave(context.info.endpoint)
        context.info = await context.engine.info()
    _file(context).unlink(missing_ok=True)
    return True
