"""Experiments on the hosts of a LAN, which end with it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.messages import Phase
from dashboard.engine.protocol import EngineError
from dashboard.lab.context import LABEL_EXPERIMENT
from dashboard.lab.experiments.columns.other_host import LABEL_CLIENT
from dashboard.lab.lans.named_lans import OWN, REMOVED, NamedLans
from dashboard.lab.lans.states import LanStage
from dashboard.lab.training.group_labs import GroupLabs, HostUnavailableError
from dashboard.store import experiments as experiment_store
from tests.lab.lans.fake_machine import Engines, Machine, reaches
from tests.support.fakes import FakeEngine
from tests.support.lab_harness import LabHarness
from tests.support.polling import eventually
from tests.support.specs import make_spec


async def test_an_experiment_runs_on_a_host_and_is_marked_stopped_when_the_lan_is_removed(
    fake_lab: LabHarness, lans: NamedLans, labs: GroupLabs, machine: Machine
) -> None:
    machine.add("office")  # as the command line does
    await reaches(lans, "office")
    spec = make_spec("none")
    identity = await fake_lab.database.run(experiment_store.create_experiment, spec, None, "", "office1")
    labs.wake()
    await fake_lab.reaches(identity, Phase.RUNNING)
    assert (await labs.context_of("office1")).host == "office1"
    lans.remove("office")
    head = await fake_lab.reaches(identity, Phase.STOPPED)
    assert head.notice == REMOVED


async def test_experiments_of_a_lan_that_was_removed_meanwhile_are_stopped(
    fake_lab: LabHarness, labs: GroupLabs, machine: Machine
) -> None:
    lost = await fake_lab.database.run(experiment_store.create_experiment, make_spec("none"), None, "", "gone")
    lans = NamedLans(fake_lab.context, labs)
    await lans.open()
    record = await fake_lab.record(lost)
    assert record.wanted is Wanted.STOPPED
    await lans.close(stop=True)


async def test_the_end_of_the_server_stops_experiments_and_keeps_the_lan(
    fake_lab: LabHarness, labs: GroupLabs, machine: Machine
) -> None:
    machine.add("office")
    lans = NamedLans(fake_lab.context, labs)
    await lans.open()
    spec = make_spec("none")
    identity = await fake_lab.database.run(experiment_store.create_experiment, spec, None, "", "office1")
    labs.wake()
    await fake_lab.reaches(identity, Phase.RUNNING)
    await lans.close(stop=True)
    await fake_lab.reaches(identity, Phase.STOPPED)
    assert list(machine.lans) == ["office"]


async def test_the_host_of_the_servers_own_engine_gets_no_second_lab(
    fake_lab: LabHarness, labs: GroupLabs, machine: Machine
) -> None:
    own, other = machine.add("office").hosts
    earlier = await fake_lab.database.run(experiment_store.create_experiment, make_spec("none"), None, "", own.id)
    context = replace(fake_lab.context, info=replace(fake_lab.context.info, endpoint=own.endpoint))
    lans = NamedLans(context, labs)
    await lans.open()
    try:
        state = await reaches(lans, "office")
        assert [host.own for host in state.hosts] == [True, False]
        with pytest.raises(HostUnavailableError):
            await labs.context_of(own.id)
        assert (await labs.context_of(other.id)).host == other.id
        record = await fake_lab.record(earlier)
        assert record.wanted is Wanted.STOPPED
        head = (await fake_lab.view(earlier)).head
        assert head is not None
        assert head.notice == OWN
    finally:
        await lans.close(stop=True)


async def test_a_host_gets_no_new_lab_while_its_lan_is_being_removed(
    lans: NamedLans, labs: GroupLabs, machine: Machine
) -> None:
    machine.add("office")
    await reaches(lans, "office")
    assert (await labs.context_of("office1")).host == "office1"
    machine.proceed.clear()
    lans.remove("office")
    looks = machine.looks
    await eventually(lambda: machine.looks > looks + 2)
    assert [state.stage for state in lans.states()] == [LanStage.REMOVING]
    with pytest.raises(HostUnavailableError):
        await labs.context_of("office1")
    machine.proceed.set()
    await eventually(lambda: lans.states() == ())


async def test_an_experiment_that_was_launched_while_its_lan_was_being_removed_is_stopped(
    fake_lab: LabHarness, lans: NamedLans, machine: Machine
) -> None:
    machine.add("office")
    await reaches(lans, "office")
    lans.remove("office")
    await eventually(lambda: lans.states() == ())
    late = await fake_lab.database.run(experiment_store.create_experiment, make_spec("none"), None, "", "office1")
    head = await fake_lab.reaches(late, Phase.STOPPED)
    assert head.notice == REMOVED


async def test_clients_of_ended_experiments_are_removed_when_the_hosts_of_a_lan_change(
    fake_lab: LabHarness, lans: NamedLans, machine: Machine, engines: Engines
) -> None:
    first, second, _third = machine.add("office", 3).hosts
    engine = engines[second.endpoint]
    engine.refuse["containers"] = EngineError("Not now.", 500)  # before the first pass can ask
    # The lab of the client ``lost`` was killed; ``living`` loses its host below.
    lost = await client_of(engine, fake_lab.context.installation, "gone")
    experiment = await fake_lab.database.run(experiment_store.create_experiment, make_spec("none"), None, "", first.id)
    living = await client_of(engine, fake_lab.context.installation, experiment)
    foreign = await client_of(engine, "another", "gone")

    async def remaining() -> set[str]:
        return {container.id for container in await engine.containers({})}

    async def is_tidy() -> bool:
        return lost not in await remaining()

    await reaches(lans, "office")
    await eventually(lambda: engine.calls.count("containers") > 1)
    del engine.refuse["containers"]
    await eventually(is_tidy)
    assert await remaining() == {living, foreign}
    machine.lans["office"] = replace(machine.lans["office"], hosts=machine.lans["office"].hosts[1:])

    async def has_only_foreign() -> bool:
        return await remaining() == {foreign}

    await eventually(has_only_foreign)


async def client_of(engine: FakeEngine, installation: str, experiment: str) -> str:
    """The id of a new client."""
    labels = {LABEL_CLIENT: installation, LABEL_EXPERIMENT: experiment}
    config = {"Image": "nginx", "Labels": labels, "HostConfig": {"NetworkMode": "bridge", "PortBindings": {}}}
    return (await engine.create_container(f"{installation}-{experiment}", config)).id
