"""Images, networks and containers of one experiment, where only a fake can be made to say it."""

from __future__ import annotations

import pytest

from dashboard.core.lifecycle import container_name
from dashboard.core.messages import ArmStatus
from dashboard.core.stream import Phase
from dashboard.engine.protocol import EngineError
from tests.benches import Bench
from tests.fakes import FakeEngine


async def test_a_missing_image_concerns_its_own_arms_only(quick: Bench, fake: FakeEngine) -> None:
    arms = [{"mode": "host", "image": "no/such:1"}, {"mode": "host"}]
    identity = await quick.running(arms=arms)
    column = await quick.column(identity, "host")
    assert column.status is ArmStatus.REFUSED
    assert "no/such:1" in (column.error or "")
    assert (await quick.column(identity, "host-2")).status is ArmStatus.RUNNING


async def test_warnings_stand_in_the_column_without_those_about_limits(quick: Bench, fake: FakeEngine) -> None:
    fake.warnings = (
        "Published ports are discarded when using host network mode",
        "Your kernel does not support swap limit capabilities or the cgroup is not mounted.",
    )
    identity = await quick.running("host")
    assert (await quick.column(identity, "host")).warnings == fake.warnings[:1]


async def test_a_name_that_somebody_else_holds_is_docker_s_refusal(quick: Bench, fake: FakeEngine) -> None:
    await quick.lab.close()
    identity = await quick.launch("host", "none")
    name = container_name(identity, "host")
    host_config = {"NetworkMode": "none", "PortBindings": {}}
    config = {"Image": "nginx", "Labels": {}, "Hostname": "", "HostConfig": host_config}
    foreign = await fake.create_container(name, config)
    await quick.restart()
    await quick.reaches(identity, Phase.RUNNING)
    column = await quick.column(identity, "host")
    assert column.status is ArmStatus.REFUSED
    assert "already in use" in (column.error or "")
    await quick.stop(identity)
    assert list(fake.made) == [foreign.id]


async def test_a_start_that_is_refused_leaves_no_container(quick: Bench, fake: FakeEngine) -> None:
    fake.refuse["start_container"] = EngineError("driver failed programming external connectivity", 500)
    identity = await quick.launch("host")
    await quick.reaches(identity, Phase.FAILED)
    column = await quick.column(identity, "host")
    assert (column.status, column.error) == (
        ArmStatus.REFUSED,
        "driver failed programming external connectivity",
    )
    assert fake.made == {}


async def test_a_network_that_is_refused_concerns_its_own_arms_only(quick: Bench, fake: FakeEngine) -> None:
    fake.refuse["create_network"] = EngineError("all predefined address pools have been fully subnetted", 500)
    identity = await quick.running("user-bridge", "host")
    assert "fully subnetted" in ((await quick.column(identity, "user-bridge")).error or "")
    assert (await quick.column(identity, "host")).status is ArmStatus.RUNNING


async def test_an_arm_that_ends_at_once_is_buried(quick: Bench, fake: FakeEngine) -> None:
    fake.add_image("short")
    fake.exits["short"] = (3, ("one", "\x1b[31mtwo"))
    identity = await quick.running(arms=[{"mode": "host", "image": "short"}, {"mode": "host"}])
    column = await quick.ends_as(identity, "host", ArmStatus.EXITED)
    assert (column.exit_code, column.logs) == (3, ("one", "\x1b[31mtwo"))
    assert len(fake.made) == 1


async def test_a_column_that_is_not_isolated_is_not_to_be_trusted(quick: Bench, fake: FakeEngine) -> None:
    identity = await quick.running("bridge", "host")
    assert "do not trust" in ((await quick.column(identity, "bridge")).error or "")
    assert (await quick.column(identity, "host")).error is None


@pytest.mark.parametrize("call", ["containers", "networks"])
async def test_what_remains_is_said_in_the_proof(quick: Bench, fake: FakeEngine, call: str) -> None:
    identity = await quick.running("host", "user-bridge")
    method = "remove_container" if call == "containers" else "remove_network"
    fake.refuse[method] = EngineError("it is in use", 409)
    head = await quick.stop(identity)
    assert {check.name: check.ok for check in head.proof} == {
        "containers": call != "containers",
        "networks": call != "networks",
    }
    del fake.refuse[method]
