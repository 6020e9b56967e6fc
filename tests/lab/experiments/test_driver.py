"""Launch, rounds and end of experiments on a real engine."""

from __future__ import annotations

import pytest

from dashboard.core.experiments.lifecycle import Wanted, container_name
from dashboard.core.experiments.messages import ArmStatus, Phase
from dashboard.core.experiments.networks import network_name
from dashboard.core.modes import OBSERVERS, Mode
from dashboard.core.namespaces.state import Origin
from dashboard.store import experiments as experiment_store
from tests.lab.experiments.conftest import names
from tests.support import engine_api
from tests.support.fakes import FakeEngine
from tests.support.lab_harness import LabHarness
from tests.support.polling import eventually
from tests.support.private_engine import PrivateEngine

ALL = {"machine", "host", "bridge", "user-bridge", "none", "container", "neighbour"}


@pytest.mark.usefixtures("docker")
async def test_every_mode_of_the_workshop_runs_side_by_side_and_leaves_nothing(
    lab_harness: LabHarness, engine_host: PrivateEngine
) -> None:
    shares = {"mode": "container", "target": "bridge", "command": "sleep 1000"}
    modes = ("host", "bridge", "user-bridge", "none")
    identity = await lab_harness.running(*modes, publish="18080:80", arms=[shares])
    view = await lab_harness.view(identity)
    assert {column.key for column in view.columns} == ALL
    assert {column.status for column in view.columns} == {ArmStatus.RUNNING}
    assert set(view.states) == ALL
    column = {one.key: one for one in view.columns}
    states = view.states
    assert states["host"].netns == states["machine"].netns
    assert states["container"].netns == states["bridge"].netns
    assert len({state.netns for key, state in states.items() if key != "neighbour"}) == 4
    assert column["host"].warnings == ("Published ports are discarded when using host network mode",)
    assert column["host"].published == ()
    assert {one.host_port for one in column["host"].asked} == {18080}
    assert {one.host_port for one in column["bridge"].published} == {18080}
    assert column["bridge"].networks["bridge"].startswith("172.17.")
    assert network_name(identity, Mode.USER_BRIDGE) in column["user-bridge"].networks
    assert [link.name for link in states["none"].interfaces] == ["lo"]
    veths = {key: {x.peer_netns for x in state.interfaces if x.kind == "veth"} for key, state in states.items()}
    assert veths["bridge"] == veths["user-bridge"] == {states["machine"].netns}
    assert veths["machine"] == {0}, "eth0 of a private host is a veth, too"
    resolvers = {key: state.resolver.origin for key, state in states.items() if state.resolver}
    assert resolvers["machine"] is Origin.MACHINE
    assert resolvers["host"] is Origin.COPY
    assert resolvers["user-bridge"] is Origin.DOCKER

    async def serve() -> bool:
        listening = (await lab_harness.view(identity)).states
        return all(
            any(one.port == 80 and one.process for one in listening[key].listeners)
            for key in ALL - {"machine", "neighbour"}
        )

    await eventually(serve)
    head = await lab_harness.stop(identity)
    # On routed networks no port of the machine is published.
    published = sorted({port.host_port for key in ("bridge", "user-bridge") for port in column[key].published} - {0})
    assert [check.name for check in head.proof] == ["containers", "networks", *(f"port {one}" for one in published)]
    assert all(check.ok for check in head.proof), head.proof
    assert names(engine_host) == set()
    assert engine_api.networks(engine_host.endpoint) == []
    assert {one.status for one in (await lab_harness.view(identity)).columns if one.key not in OBSERVERS} == {
        ArmStatus.GONE
    }


async def test_another_round_is_a_fresh_launch(lab_harness: LabHarness, engine_host: PrivateEngine) -> None:
    identity = await lab_harness.running("host", "bridge", "user-bridge")
    first = (await lab_harness.column(identity, "bridge")).container
    await lab_harness.stop(identity)
    await lab_harness.want(identity, Wanted.RUNNING, again=True)
    head = await lab_harness.reaches(identity, Phase.RUNNING)
    assert (head.round, head.proof, head.stopped_at) == (2, (), None)
    second = (await lab_harness.column(identity, "bridge")).container
    assert first is not None
    assert second is not None
    assert first.id != second.id
    assert names(engine_host) == {container_name(identity, key) for key in ("host", "bridge", "user-bridge")}


async def test_a_refusal_shows_docker_s_message_and_the_other_arms_run(
    lab_harness: LabHarness, engine_host: PrivateEngine
) -> None:
    arms = [
        {"mode": "host", "sysctls": "net.ipv4.ip_forward=1"},
        {"mode": "bridge"},
        {"mode": "container", "target": "bridge", "dns": "192.0.2.53"},
        {"mode": "overlay"},
        {"mode": "none", "image": "no/such-image:1"},
    ]
    identity = await lab_harness.running(arms=arms)
    columns = {one.key: one for one in (await lab_harness.view(identity)).columns}
    assert columns["bridge"].status is ArmStatus.RUNNING
    for key, words in (
        ("host", "net.ipv4.ip_forward"),
        ("container", "conflicting options: dns and the network mode"),
        ("overlay", "swarm"),
        ("none", "no/such-image:1"),
    ):
        assert columns[key].status is ArmStatus.REFUSED, key
        assert words in (columns[key].error or ""), columns[key].error
    assert names(engine_host) == {container_name(identity, "bridge")}


async def test_an_experiment_without_a_running_arm_fails_and_leaves_nothing(
    lab_harness: LabHarness, engine_host: PrivateEngine
) -> None:
    identity = await lab_harness.launch("overlay")
    head = await lab_harness.reaches(identity, Phase.FAILED)
    assert "No container is running" in head.notice
    assert names(engine_host) == set()
    await lab_harness.want(identity, Wanted.RUNNING, again=True)
    assert (await lab_harness.reaches(identity, Phase.FAILED)).round in {1, 2}


async def test_a_port_in_use_is_refused_by_docker(lab_harness: LabHarness, engine_host: PrivateEngine) -> None:
    holder = engine_host.docker("run", "-d", "--name", "e-holder", "-p", "18090:80", "nginx")
    try:
        identity = await lab_harness.running("bridge", "none", publish="18090:80")
        column = await lab_harness.ends_as(identity, "bridge", ArmStatus.REFUSED)
        assert "port is already allocated" in (column.error or "")
        head = await lab_harness.stop(identity)
        assert all(check.ok for check in head.proof)
    finally:
        engine_host.docker("rm", "-f", holder)


async def test_an_experiment_that_is_removed_is_forgotten_with_everything(
    lab_harness: LabHarness, engine_host: PrivateEngine
) -> None:
    identity = await lab_harness.running("bridge", "user-bridge")
    await lab_harness.want(identity, Wanted.REMOVED)

    async def forgotten() -> bool:
        return await lab_harness.database.run(experiment_store.load, identity) is None

    await eventually(forgotten)
    assert names(engine_host) == set()
    assert await lab_harness.entries(identity) == ()
    assert lab_harness.lab.driver_of(identity) is None


async def test_a_stop_during_a_launch_ends_it(lab_harness: LabHarness, engine_host: PrivateEngine) -> None:
    identity = await lab_harness.launch(*["bridge"] * 5)
    await lab_harness.reaches(identity, Phase.LAUNCHING, Phase.RUNNING)
    head = await lab_harness.stop(identity)
    assert all(check.ok for check in head.proof), head.proof
    assert names(engine_host) == set()
    record = await lab_harness.record(identity)
    assert record.phase is Phase.STOPPED


async def test_a_stop_before_the_launch_creates_nothing(lab_harness: LabHarness, engine_host: PrivateEngine) -> None:
    await lab_harness.lab.close()
    identity = await lab_harness.launch("bridge")
    assert await lab_harness.database.run(experiment_store.set_wanted, identity, Wanted.STOPPED)
    await lab_harness.restart()
    head = await lab_harness.reaches(identity, Phase.STOPPED)
    assert all(check.ok for check in head.proof)
    assert names(engine_host) == set()


async def test_an_experiment_that_is_stopped_during_an_outage_does_not_keep_the_outage(
    fake_lab: LabHarness, fake: FakeEngine
) -> None:
    identity = await fake_lab.running("bridge")
    fake.lose("The engine ended.")

    async def is_away() -> bool:
        head = (await fake_lab.view(identity)).head
        return head is not None and head.engine_away

    await eventually(is_away)
    await fake_lab.want(identity, Wanted.STOPPED)
    fake.come_back()
    head = await fake_lab.reaches(identity, Phase.STOPPED)
    assert (head.problem, head.engine_away, head.startable) == ("", False, False)
