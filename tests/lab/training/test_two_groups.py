"""Two groups of a class at once, each at will on a real host of its own: port 80, a measurement, a claim."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from dashboard.core.experiments.messages import Phase
from dashboard.core.measurements.measurement import Options, Probe
from dashboard.core.training.group_quota import WorkKind
from dashboard.core.training.host_plan import HostStage
from dashboard.engine.hosts.registry import class_hosts
from dashboard.lab.experiments import actions
from dashboard.lab.remote import training_calls
from dashboard.lab.remote.experiment_calls import surroundings
from dashboard.store import claim_runs
from dashboard.store import experiments as experiment_store
from dashboard.store import measurements as measurement_store
from dashboard.store.training import group_runs
from dashboard.store.training.hosts import works_of
from tests.lab.hosts_harness import School, school
from tests.polling import eventually
from tests.specs import make_spec

pytestmark = pytest.mark.engine


@pytest.fixture
async def place(class_folder: Path, transactional_db: None) -> AsyncIterator[School]:
    """A class whose hosts are real ones."""
    async with school(class_folder) as made:
        yield made
    assert class_hosts(class_folder) == ()


async def served(place: School, number: int) -> str:
    """An experiment of the group that serves port 80 of its host."""
    group, database = place.group(number), place.context.database
    experiment = await database.run(group_runs.launch, make_spec("host", "bridge"), None, group)
    place.labs.wake()

    async def is_running() -> bool:
        found = await database.run(experiment_store.load, experiment)
        return found is not None and found.phase is Phase.RUNNING

    await eventually(is_running, 30)
    return experiment


async def test_two_groups_at_once_each_on_port_80_and_each_sees_its_own(place: School) -> None:
    states = await asyncio.gather(place.ready(1), place.ready(2))
    mine, theirs = await asyncio.gather(served(place, 1), served(place, 2))
    labs = [await place.labs.lab_of(state.host) for state in states]
    for lab, experiment, other in ((labs[0], mine, theirs), (labs[1], theirs, mine)):
        attempts = await actions.try_ways(lab, experiment)
        assert [one.status for one in attempts if one.path == "loopback" and one.origin == "machine"] == [200]
        there = await training_calls.containers(lab)
        assert {one.experiment for one in there if one.running} == {experiment}
        assert {one.mode for one in there} == {"host", "bridge"}
        assert lab.driver_of(other) is None
        offered = await surroundings(lab)
        assert "nginx:latest" in offered.images
        assert any(str(one.mode) == "host" and one.available for one in offered.modes)

    await measures_and_checks(place, mine)

    await place.hosts.stop(place.group(1))
    await place.reaches(1, HostStage.STOPPED)
    told = await place.context.database.run(works_of, place.row.pk)
    assert {(one.group, one.kind, one.state) for one in told} == {
        (1, WorkKind.EXPERIMENT, "stopped"),
        (1, WorkKind.MEASUREMENT, "finished"),
        (1, WorkKind.CLAIMS, "finished"),
        (2, WorkKind.EXPERIMENT, "running"),
    }
    ran = next(one for one in told if one.kind is WorkKind.EXPERIMENT and one.group == 1)
    assert "private host" in ran.summary
    assert ran.ended > ran.began
    assert next(one for one in told if one.kind is WorkKind.MEASUREMENT).summary
    assert next(one for one in told if one.kind is WorkKind.CLAIMS).summary == "1 holds"


async def measures_and_checks(place: School, experiment: str) -> None:
    """A measurement of the group's paths, and a claim on its host."""
    database, group = place.context.database, place.group(1)
    options = Options(seconds=1.5)
    run = await database.run(group_runs.measure, experiment, group, (Probe.TCP_RR,), options, None)
    claims = await database.run(group_runs.execute, ["host-shares-netns"], group, None)
    place.labs.wake()

    async def done() -> Any:
        found = await database.run(claim_runs.describe, claims)
        measured = await database.run(measurement_store.load_measurement, run)
        return found is not None and not found.live and measured is not None and measured.stopped is not None

    await eventually(done, 40)
    measured = await database.run(measurement_store.load_measurement, run)
    assert measured is not None
    paths = {one.path for one in measured.series if one.n}
    assert {"loopback", "bridge-address"} <= paths
    (outcome,) = await database.run(claim_runs.outcomes, claims)
    assert outcome.executed is not None
    assert str(outcome.executed.verdict) == "holds"
    assert (await place.hosts.state_of(group)).host in outcome.executed.engine
