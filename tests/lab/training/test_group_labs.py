"""Labs of private hosts: opened on demand, and closed with the host, which stops its runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from unittest.mock import Mock

import pytest

from dashboard.core.experiments.messages import Phase
from dashboard.engine.hosts.registry import PrivateHost
from dashboard.engine.protocol import EngineUnreachable
from dashboard.lab.reconciler import WorkLocks
from dashboard.lab.training import group_labs as module
from dashboard.lab.training.group_labs import GroupLabs, HostUnavailableError
from dashboard.store import experiments as experiment_store
from tests.support.fakes import FakeEngine
from tests.support.lab_harness import LabHarness
from tests.support.polling import DEADLINE_S, eventually
from tests.support.specs import make_spec


@pytest.fixture
def engines() -> dict[str, FakeEngine]:
    """The engines of the hosts, by endpoint."""
    return {}


@pytest.fixture
async def labs(
    fake_lab: LabHarness, engines: dict[str, FakeEngine], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[GroupLabs]:
    """GroupLabs in addition to the server's own lab; each host has its own fake engine."""
    monkeypatch.setattr(module, "DockerEngine", lambda endpoint, **_: engines.setdefault(endpoint, FakeEngine()))
    made = GroupLabs(fake_lab.context, WorkLocks())
    yield made
    await made.close()


def host(identity: str = "abc") -> PrivateHost:
    return PrivateHost(identity, 1, 1, f"/run/{identity}", 1.0, Path("/nowhere"), 1, f"s-{identity}")


async def phase(fake_lab: LabHarness, identity: str) -> Phase:
    record = await fake_lab.record(identity)
    return record.phase


async def test_an_experiment_runs_on_its_host_and_on_no_other(fake_lab: LabHarness, labs: GroupLabs) -> None:
    identity = await fake_lab.database.run(experiment_store.create_experiment, make_spec("none"), None, "", "abc")
    for one in ("abc", "other"):
        labs.add(host(one))

    async def runs() -> bool:
        return await phase(fake_lab, identity) is Phase.RUNNING

    await eventually(runs)
    there = await labs.context_of("abc")
    elsewhere = await labs.context_of("other")
    assert (there.host, there.private) == ("abc", True)
    assert len(await there.engine.containers({})) == 1
    assert await elsewhere.engine.containers({}) == ()
    assert await fake_lab.context.engine.containers({}) == ()
    assert (await labs.lab_of("abc")).driver_of(identity) is not None
    assert fake_lab.lab.driver_of(identity) is None

    await labs.forget("abc", "The host is gone.")
    assert await phase(fake_lab, identity) is Phase.STOPPED
    head = (await fake_lab.view(identity)).head
    assert head is not None
    assert head.notice == "The host is gone."
    with pytest.raises(HostUnavailableError, match="Start it first"):
        await labs.lab_of("abc")


async def test_without_a_host_a_wake_up_reads_nothing(
    fake_lab: LabHarness, labs: GroupLabs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A class that requests its hosts wakes the lab once for each group."""
    read = Mock(return_value=set())
    monkeypatch.setattr(module, "_hosts_with_work", read)
    labs.wake()
    await fake_lab.database.run(lambda: None)
    assert not read.called
    labs.add(host())
    await eventually(lambda: read.called)


async def test_experiments_on_the_server_s_own_engine_are_never_marked_with_a_host(
    fake_lab: LabHarness, labs: GroupLabs
) -> None:
    identity = await fake_lab.running("none")
    await labs.mark_stopped("", "Nothing is meant.")
    assert await phase(fake_lab, identity) is Phase.RUNNING


async def test_work_of_a_workshop_stays_when_a_lab_opens(fake_lab: LabHarness, labs: GroupLabs) -> None:
    labs.add(host())
    context = await labs.context_of("abc")
    config = {"Image": "nginx", "HostConfig": {"PortBindings": {}, "NetworkMode": "none"}}
    await context.engine.create_container("mine", {**config, "Labels": context.labels()})
    await context.engine.create_container("old", {**config, "Labels": context.labels("gone", "a")})
    await labs.lab_of("abc")

    async def only_mine() -> bool:
        return [one.name for one in await context.engine.containers({})] == ["mine"]

    await eventually(only_mine)


async def test_a_host_whose_engine_does_not_answer_delays_no_other(
    fake_lab: LabHarness, labs: GroupLabs, engines: dict[str, FakeEngine]
) -> None:
    hanging = engines[host("hanging").endpoint] = FakeEngine()
    hanging.hold["info"] = asyncio.Event()
    _, launched = [
        await fake_lab.database.run(experiment_store.create_experiment, make_spec("none"), None, "", one)
        for one in ("hanging", "abc")
    ]
    labs.add(host("hanging"))
    await eventually(lambda: "info" in hanging.calls)
    labs.add(host("abc"))

    async def runs() -> bool:
        return await phase(fake_lab, launched) is Phase.RUNNING

    await eventually(runs)
    assert hanging.calls == ["info"]
    async with asyncio.timeout(DEADLINE_S):
        await labs.forget("hanging", "The host is gone.")


async def test_labs_are_closed_although_an_engine_does_not_answer(
    fake_lab: LabHarness, labs: GroupLabs, engines: dict[str, FakeEngine]
) -> None:
    hanging = engines[host("abc").endpoint] = FakeEngine()
    hanging.hold["info"] = asyncio.Event()
    await fake_lab.database.run(experiment_store.create_experiment, make_spec("none"), None, "", "abc")
    labs.add(host())
    await eventually(lambda: "info" in hanging.calls)
    async with asyncio.timeout(DEADLINE_S):
        await labs.close()


async def test_a_lab_that_could_not_be_opened_is_opened_at_the_next_wake_up(
    fake_lab: LabHarness, labs: GroupLabs, engines: dict[str, FakeEngine], caplog: pytest.LogCaptureFixture
) -> None:
    engine = engines[host("abc").endpoint] = FakeEngine()
    engine.refuse["info"] = EngineUnreachable("It hangs.", 503)
    identity = await fake_lab.database.run(experiment_store.create_experiment, make_spec("none"), None, "", "abc")
    labs.add(host())
    await eventually(lambda: "private host abc" in caplog.text)
    del engine.refuse["info"]
    labs.wake()

    async def runs() -> bool:
        return await phase(fake_lab, identity) is Phase.RUNNING

    await eventually(runs)
