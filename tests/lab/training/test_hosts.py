"""Hosts of a class: asked for, shared out, adopted, started anew, reset, stopped, and gone with the session."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dashboard.core.experiments.messages import Phase
from dashboard.core.training.capacity import Machine
from dashboard.core.training.host_plan import HostStage
from dashboard.core.workshops.commands import read_command
from dashboard.engine.hosts import private_host
from dashboard.engine.hosts.cleanup import cgroup_folders
from dashboard.engine.hosts.private_host import PrivateHost, PrivateHostError
from dashboard.engine.hosts.registry import class_hosts
from dashboard.lab.training.group_labs import HostAwayError
from dashboard.lab.workshops.commands import Done, do
from dashboard.store import experiments as experiment_store
from dashboard.store.training import group_runs
from tests.lab.hosts_harness import School, school
from tests.polling import eventually
from tests.specs import make_spec

SERVE = "docker run -d --name web --network host nginx"


@pytest.fixture
async def place(class_folder: Path, transactional_db: None) -> AsyncIterator[School]:
    """A class whose hosts are real ones."""
    async with school(class_folder) as made:
        yield made
    assert class_hosts(class_folder) == ()


@pytest.fixture
async def quick(tmp_path: Path, transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[School]:
    """A class where no host can be started."""

    async def refuse(*_args: object) -> None:
        raise PrivateHostError("There is no dockerd today.")

    monkeypatch.setattr("dashboard.lab.training.hosts.host_template", refuse)
    async with school(tmp_path) as made:
        yield made


async def press(place: School, number: int, line: str) -> Done:
    """A button of a workshop, on a group's host."""
    command = read_command(line)
    return await do(await place.hosts.workshop_host_of(place.group(number)), line, command)


async def names(place: School, number: int) -> list[str]:
    """The containers that a group sees running."""
    context = await place.hosts.context_of(place.group(number))
    return [one.name for one in await context.engine.containers({}) if one.running]


@pytest.mark.engine
async def test_every_group_has_port_80_and_sees_its_own_until_the_session_ends(place: School) -> None:
    states = await asyncio.gather(place.ready(1), place.ready(2))
    assert len({state.host for state in states}) == 2
    for number in (1, 2):
        done = await press(place, number, SERVE)
        assert not done.failed
        answer = await press(place, number, "curl -s http://localhost/")
        assert f"netmodes-{states[number - 1].host}" in answer.output
    experiment = await place.context.database.run(group_runs.launch, make_spec("bridge", "none"), None, place.group(1))
    place.labs.wake()

    async def phase() -> Phase:
        found = await place.context.database.run(experiment_store.load, experiment)
        assert found is not None
        return found.phase

    async def is_running() -> bool:
        return await phase() is Phase.RUNNING

    await eventually(is_running, 20)
    assert len(await names(place, 1)) == 3
    assert await names(place, 2) == ["web"]
    await place.change(closed_at=1.0)
    for number in (1, 2):
        await place.reaches(number, HostStage.STOPPED, "session is over", 10)
    assert await phase() is Phase.STOPPED
    assert not any(cgroup_folders(f"netmodes-{state.host}") for state in states)
    with pytest.raises(HostAwayError, match="session is over"):
        await place.hosts.context_of(place.group(1))


@pytest.mark.engine
async def test_a_host_outlives_its_server_and_its_engine_but_no_reset_and_no_idleness(place: School) -> None:
    first = await place.ready(1)
    await press(place, 1, SERVE)
    await place.close(stop_hosts=False)
    await place.open()
    assert (await place.reaches(1, HostStage.READY)).host == first.host
    assert await names(place, 1) == ["web"]

    machine: PrivateHost = await place.hosts.private_host_of(place.group(1))
    os.kill(machine.pid, signal.SIGKILL)
    again = await place.reaches(1, HostStage.READY, "started anew")
    assert again.host == first.host
    assert await names(place, 1) == ["web"]
    assert (await press(place, 1, "curl -s http://localhost/")).output

    await place.hosts.reset(place.group(1))

    async def is_another() -> bool:
        state = await place.hosts.state_of(place.group(1))
        return state.stage is HostStage.READY and state.host != first.host

    await eventually(is_another, 20)
    assert await names(place, 1) == []
    assert not cgroup_folders(f"netmodes-{first.host}")

    await place.change(idle_s=600)
    place.later = 601.0
    await place.reaches(1, HostStage.STOPPED, "nobody used it for 10 minutes", 10)


async def test_who_finds_no_room_waits_in_turn_and_is_told(quick: School) -> None:
    quick.machine = Machine(900, 32_768, 2)
    for number in (1, 2, 3):
        await quick.hosts.host_for(quick.group(number))
    state = await quick.hosts.state_of(quick.group(3))
    assert (state.stage, state.place) == (HostStage.QUEUED, 3)
    assert "You are third in the queue; this machine has no room" in state.message
    with pytest.raises(HostAwayError, match="third in the queue"):
        await quick.hosts.context_of(quick.group(3))
    assert quick.hosts.capacity().more == 0


async def test_a_start_that_fails_says_why_and_is_tried_again_after_a_reset(quick: School) -> None:
    await quick.hosts.host_for(quick.group(1))
    await quick.reaches(1, HostStage.FAILED, "no dockerd today")
    await quick.hosts.host_for(quick.group(1))
    await quick.reaches(1, HostStage.FAILED)
    await quick.hosts.stop(quick.group(1))
    await quick.reaches(1, HostStage.STOPPED)


async def test_what_another_server_left_and_nobody_wants_is_removed_at_the_start(
    quick: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone: list[str] = []

    async def stop(host: PrivateHost) -> None:
        gone.append(host.id)

    left = PrivateHost("left", 1, 1, "/nowhere", 1.0, quick.context.data_dir / "hosts" / "left", 1, "old-1")
    monkeypatch.setattr(private_host, "stop", stop)
    monkeypatch.setattr("dashboard.lab.training.hosts.class_hosts", lambda _folder: (left,))
    await quick.close(stop_hosts=False)
    await quick.open()
    assert gone == ["left"]
