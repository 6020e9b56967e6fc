"""The engine of a machine forms a swarm, joins one and leaves it; a swarm of somebody else is not touched."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from dashboard.core.experiments.engine_kind import EngineKind
from dashboard.core.operations.swarm import KEPT, Membership, SwarmState, SwarmTicket
from dashboard.engine.lans import swarm_node
from dashboard.engine.lans.swarm_node import SwarmNode
from dashboard.engine.protocol import EngineError
from dashboard.lab.machines import swarm
from dashboard.lab.machines.swarm import (
    FILE,
    join_swarm,
    leave_swarm,
    leave_without_lab,
    open_swarm,
    view_swarm,
    wait_until_stored,
)
from tests.support.fakes import FakeEngine
from tests.support.lab_harness import LabHarness
from tests.support.polling import others_run

HERE = "198.51.100.1"


class Node:
    """The swarm of one engine, in memory. ``calls`` are what changed it; ``failing`` is how joining fails, and the
    state after that."""

    def __init__(self, fake: FakeEngine) -> None:
        self.node = SwarmNode("inactive")
        self.calls: list[tuple[str, ...]] = []
        self.failing: tuple[EngineError, str] | None = None
        self._fake = fake

    def _become(self, node: SwarmNode, *call: str) -> None:
        self.node = node
        self.calls.append(call)
        self._fake.facts = replace(self._fake.facts, swarm_active=not node.is_inactive)

    async def read_node(self, _endpoint: str) -> SwarmNode:
        return self.node

    async def init(self, _endpoint: str, address: str = "") -> str:
        self._become(SwarmNode("active", "n1", address), "init", address)
        return "n1"

    async def read_swarm(self, _endpoint: str) -> tuple[str, str]:
        return "c1", "SWMTKN"

    async def join(self, _endpoint: str, address: str, member: str, token: str) -> None:
        if self.failing is not None:
            self._become(SwarmNode(self.failing[1]), "join")
            raise self.failing[0]
        self._become(SwarmNode("active", "n2", address), "join", address, member, token)

    async def leave(self, _endpoint: str) -> None:
        self._become(SwarmNode("inactive"), "leave")

    async def wait_until_stored(self, endpoints: Sequence[str]) -> None:
        self.calls.append(("stored", *endpoints))


@pytest.fixture
def node(fake: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> Node:
    made = Node(fake)
    monkeypatch.setattr(swarm, "find_daemon", lambda _endpoint, _kind: None)
    for name in ("read_node", "init", "read_swarm", "join", "leave", "wait_until_stored"):
        monkeypatch.setattr(swarm_node, name, getattr(made, name))
    return made


async def test_an_engine_forms_a_swarm_and_leaves_it(fake_lab: LabHarness, node: Node) -> None:
    lab = fake_lab.lab
    assert await view_swarm(lab) == SwarmState()
    assert await open_swarm(lab, HERE) == SwarmTicket("c1", "SWMTKN")
    assert lab.context.info.swarm_active, "the launch form offers overlay networks"
    member = await view_swarm(lab)
    assert member == SwarmState(Membership.OWN, "c1", HERE, since=member.since)
    assert member.since > 0.0
    assert await open_swarm(lab, HERE) == SwarmTicket("c1", "SWMTKN")
    assert await leave_swarm(lab)
    assert not lab.context.info.swarm_active
    assert await leave_swarm(lab), "a second time"
    assert node.calls == [("init", HERE), ("leave",)]
    assert await view_swarm(lab) == SwarmState()
    assert not (fake_lab.context.data_dir / FILE).exists()


async def test_an_engine_joins_a_swarm_once(fake_lab: LabHarness, node: Node) -> None:
    ticket = SwarmTicket("c7", "SWMTKN")
    for _time in range(2):
        assert await join_swarm(fake_lab.lab, HERE, "198.51.100.2", ticket)
    assert node.calls == [("join", HERE, "198.51.100.2", "SWMTKN")]
    assert (await view_swarm(fake_lab.lab)).cluster == "c7"
    assert b"SWMTKN" not in (fake_lab.context.data_dir / FILE).read_bytes()


@pytest.mark.parametrize("state", ["active", "pending", "locked", "error"])
async def test_a_swarm_that_netmodes_did_not_form_is_not_touched(fake_lab: LabHarness, node: Node, state: str) -> None:
    lab = fake_lab.lab
    await open_swarm(lab, HERE)
    node.node = SwarmNode(state, "other", HERE)
    node.calls.clear()
    assert (await view_swarm(lab)).membership is Membership.FOREIGN
    changes: list[Any] = [open_swarm(lab, HERE), join_swarm(lab, HERE, HERE, SwarmTicket("c", "t")), leave_swarm(lab)]
    for change in changes:
        with pytest.raises(EngineError, match="this machine is in a swarm that Netmodes did not form"):
            await change
    assert node.calls == []


async def test_an_own_node_leaves_a_swarm_that_has_lost_its_leader(fake_lab: LabHarness, node: Node) -> None:
    await open_swarm(fake_lab.lab, HERE)
    node.node = replace(node.node, state="error")
    assert await leave_swarm(fake_lab.lab)
    assert node.calls[-1] == ("leave",)


async def test_a_member_leaves_without_asking_an_engine_that_has_no_leader(
    fake_lab: LabHarness, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def read_node(_endpoint: str) -> SwarmNode:
        raise EngineError("The swarm does not have a leader.", 503)

    await open_swarm(fake_lab.lab, HERE)
    await view_swarm(fake_lab.lab)
    monkeypatch.setattr(swarm_node, "read_node", read_node)
    assert await leave_swarm(fake_lab.lab)
    assert node.calls[-1] == ("leave",)


async def test_an_engine_that_has_kept_the_port_of_a_former_swarm_is_refused(
    fake_lab: LabHarness, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = fake_lab.lab
    monkeypatch.setattr(swarm, "find_daemon", lambda _endpoint, _kind: 7)
    monkeypatch.setattr(swarm_node, "keeps_port", lambda pid: pid == 7)
    assert await view_swarm(lab) == SwarmState(problem=KEPT)
    changes: list[Any] = [open_swarm(lab, HERE), join_swarm(lab, HERE, HERE, SwarmTicket("c", "t"))]
    for change in changes:
        with pytest.raises(EngineError, match="Restart Docker on this machine"):
            await change
    assert node.calls == []
    monkeypatch.setattr(swarm_node, "keeps_port", lambda _pid: False)
    await open_swarm(lab, HERE)
    monkeypatch.setattr(swarm_node, "keeps_port", lambda _pid: True)
    assert (await view_swarm(lab)).membership is Membership.OWN, "a member listens there"
    await open_swarm(lab, HERE)


@pytest.mark.parametrize(
    ("state", "leaves"), [("pending", True), ("error", True), ("active", True), ("inactive", False)]
)
async def test_an_engine_that_could_not_join_in_time_does_not_continue(
    fake_lab: LabHarness, node: Node, state: str, leaves: bool
) -> None:
    node.failing = EngineError("Timeout reached before node joined", 503), state
    with pytest.raises(EngineError, match="Timeout reached"):
        await join_swarm(fake_lab.lab, HERE, HERE, SwarmTicket("c", "t"))
    assert node.calls == [("join",), *([("leave",)] if leaves else [])]
    assert await view_swarm(fake_lab.lab) == SwarmState()
    assert not (fake_lab.context.data_dir / FILE).exists()


@pytest.mark.parametrize("name", ["_write", "read_swarm"])
async def test_an_engine_whose_new_node_cannot_be_noted_leaves_again(
    fake_lab: LabHarness, node: Node, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The disk is full, or the Engine does not name the swarm that it has formed."""

    def fail(*_args: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(swarm if name == "_write" else swarm_node, name, fail)
        with pytest.raises(OSError, match="No space"):
            await open_swarm(fake_lab.lab, HERE)
    assert node.calls == [("init", HERE), ("leave",)]
    assert await view_swarm(fake_lab.lab) == SwarmState()


async def test_an_engine_that_joined_while_its_lab_ended_can_leave(
    fake_lab: LabHarness, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def end(*_args: Any) -> None:
        raise EngineError("The Engine does not answer.", 500)

    node.failing = EngineError("Timeout reached before node joined", 503), "pending"
    with monkeypatch.context() as patch:
        patch.setattr(swarm_node, "leave", end)
        with pytest.raises(EngineError, match="Timeout reached"):
            await join_swarm(fake_lab.lab, HERE, HERE, SwarmTicket("c1", "t"))
    assert (await view_swarm(fake_lab.lab)).membership is Membership.OWN, "pending"
    node.node = SwarmNode("active", "n9", HERE)
    assert (await view_swarm(fake_lab.lab)).membership is Membership.OWN, "in the swarm of the ticket"

    async def other(_endpoint: str) -> tuple[str, str]:
        return "c2", "SWMTKN"

    with monkeypatch.context() as patch:
        patch.setattr(swarm_node, "read_swarm", other)
        assert (await view_swarm(fake_lab.lab)).membership is Membership.FOREIGN
    assert await leave_swarm(fake_lab.lab)
    assert node.calls[-1] == ("leave",)


async def test_an_engine_leaves_only_after_it_has_joined(
    fake_lab: LabHarness, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise it would join a swarm that all others have left."""
    began, goes_on = asyncio.Event(), asyncio.Event()
    join = node.join

    async def slowly(*args: str) -> None:
        began.set()
        await goes_on.wait()
        await join(*args)

    monkeypatch.setattr(swarm_node, "join", slowly)
    joining = asyncio.create_task(join_swarm(fake_lab.lab, HERE, HERE, SwarmTicket("c", "t")))
    await began.wait()
    leaving = asyncio.create_task(leave_swarm(fake_lab.lab))
    await others_run()
    goes_on.set()
    assert all(await asyncio.wait_for(asyncio.gather(joining, leaving), 10))
    assert [call[0] for call in node.calls] == ["join", "leave"]


async def test_only_a_member_waits_until_it_has_stored_the_others(fake_lab: LabHarness, node: Node) -> None:
    assert await wait_until_stored(fake_lab.lab)
    assert node.calls == []
    await open_swarm(fake_lab.lab, HERE)
    assert await wait_until_stored(fake_lab.lab)
    assert node.calls[1:] == [("stored", fake_lab.context.info.endpoint)]


async def test_an_engine_leaves_where_no_lab_runs(fake_lab: LabHarness, node: Node) -> None:
    folder = fake_lab.context.data_dir
    assert not await leave_without_lab(folder, "unix:///e")
    await open_swarm(fake_lab.lab, HERE)
    assert await leave_without_lab(folder, "unix:///e")
    assert node.calls[1:] == [("leave",)]
    assert not (folder / FILE).exists()
    await open_swarm(fake_lab.lab, HERE)
    node.node = replace(node.node, id="other")
    assert not await leave_without_lab(folder, "unix:///e")
    assert node.calls[-1] == ("init", HERE), "it is in another swarm"


@pytest.mark.usefixtures("node")
async def test_an_engine_that_has_no_overlay_networks_states_why(fake_lab: LabHarness) -> None:
    fake_lab.context.info = replace(fake_lab.context.info, kind=EngineKind.PODMAN)
    assert (await view_swarm(fake_lab.lab)).problem == (
        "Podman has no overlay networks: use Docker Engine in swarm mode."
    )
