"""The same tests run on the fake engine and on a real one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from dashboard.core.experiments.launch import container_config
from dashboard.core.modes import ArmSpec, Mode, Publish
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.protocol import Engine, EngineError
from tests.support.fakes import FakeEngine
from tests.support.private_engine import PrivateEngine

OURS = {"dev.netmodes.test": "contract"}


@pytest.fixture(params=["fake", "real"])
def host(request: pytest.FixtureRequest) -> PrivateEngine | None:
    return request.getfixturevalue("engine_host") if request.param == "real" else None


@pytest.fixture
async def engine_impl(host: PrivateEngine | None) -> AsyncIterator[Engine]:
    if host is None:
        yield FakeEngine()
        return
    engine = DockerEngine(host.endpoint)
    yield engine
    for container in await engine.containers(OURS):
        await engine.remove_container(container.id)
    for network in await engine.networks(OURS):
        await engine.remove_network(network.id)
    await engine.close()


def config(name: str, **more: Any) -> dict[str, Any]:
    arm = ArmSpec("one", Mode.HOST, **more)
    return container_config(arm, name=name, labels=OURS)


async def test_a_container_is_created_started_and_removed(engine_impl: Engine) -> None:
    created = await engine_impl.create_container("e-one", config("e-one", publish=(Publish(80, 8080),)))
    before = await engine_impl.inspect_container(created.id)
    assert (before.running, before.pid, before.name, before.labels["dev.netmodes.test"]) == (
        False,
        0,
        "e-one",
        "contract",
    )
    await engine_impl.start_container(created.id)
    facts = await engine_impl.inspect_container("e-one")
    assert facts.running
    assert facts.pid > 0
    assert facts.started_at != before.started_at
    assert facts.network_mode == "host"
    assert [(one.container_port, one.host_port) for one in facts.asked] == [(80, 8080)]
    assert [one.id for one in await engine_impl.containers(OURS)] == [created.id]
    assert await engine_impl.containers({**OURS, "dev.netmodes.other": "x"}) == ()
    await engine_impl.remove_container(created.id)
    await engine_impl.remove_container(created.id)
    with pytest.raises(EngineError) as refusal:
        await engine_impl.inspect_container(created.id)
    assert refusal.value.status == 404


async def test_a_running_container_is_inspected_entered_and_counted(engine_impl: Engine) -> None:
    created = await engine_impl.create_container("e-five", config("e-five"))
    await engine_impl.start_container(created.id)
    inspected = await engine_impl.inspect(created.id)
    assert (inspected["Id"], inspected["Name"], inspected["State"]["Running"]) == (created.id, "/e-five", True)
    assert await engine_impl.execute(created.id, ("echo", "said")) == (0, "said\n")
    assert "read" in await engine_impl.statistics(created.id)
    network = await engine_impl.create_network("e-own", "bridge", OURS, {})
    with pytest.raises(EngineError, match="cannot be connected") as refusal:
        await engine_impl.connect_network(network, created.id)
    assert 400 <= refusal.value.status < 600
    with pytest.raises(EngineError) as missing:
        await engine_impl.inspect("0" * 64)
    assert missing.value.status == 404


async def test_a_name_in_use_is_refused_for_another_container(engine_impl: Engine) -> None:
    await engine_impl.create_container("e-two", config("e-two"))
    with pytest.raises(EngineError, match="already in use") as refusal:
        await engine_impl.create_container("e-two", config("e-two"))
    assert refusal.value.status == 409


async def test_a_missing_image_is_refused(engine_impl: Engine) -> None:
    assert await engine_impl.image("nginx") is not None
    assert await engine_impl.image("no-such-image") is None
    with pytest.raises(EngineError) as refusal:
        await engine_impl.create_container("e-three", config("e-three", image="no-such-image"))
    assert refusal.value.status == 404


async def test_networks_are_found_by_label_and_removed_twice(engine_impl: Engine) -> None:
    identity = await engine_impl.create_network("e-net", "bridge", OURS, {})
    found = await engine_impl.networks(OURS)
    assert [(one.id, one.name, one.driver) for one in found] == [(identity, "e-net", "bridge")]
    assert {"bridge", "host", "none"} <= {one.name for one in await engine_impl.networks({})}
    await engine_impl.remove_network(identity)
    await engine_impl.remove_network(identity)
    assert await engine_impl.networks(OURS) == ()


async def test_a_stream_of_events_begins_with_connected_and_reports_ends(engine_impl: Engine) -> None:
    created = await engine_impl.create_container("e-four", config("e-four"))
    await engine_impl.start_container(created.id)
    seen: list[str] = []
    async for event in engine_impl.events():
        seen.append(event.action)
        if event.action == "connected":
            await engine_impl.remove_container(created.id)
        if event.action == "destroy":
            assert event.id == created.id
            assert event.labels["dev.netmodes.test"] == "contract"
            break
    assert seen[0] == "connected"
    assert "die" in seen
