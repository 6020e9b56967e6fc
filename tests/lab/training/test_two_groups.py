"""Two groups at the same time, each on its own host: port 80, a measurement, a claim."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dashboard.core.experiments.messages import Phase
from dashboard.core.measurements.measurement import Options, Probe
from dashboard.core.training.host_plan import HostStage
from dashboard.engine.hosts.registry import group_hosts
from dashboard.lab.experiments import actions
from dashboard.lab.reconciler import Lab
from dashboard.lab.remote import training_calls
from dashboard.lab.remote.experiment_calls import launch_options
from dashboard.models import Experiment
from dashboard.store import claim_runs
from dashboard.store import experiments as experiment_store
from dashboard.store.measurements import runs as measurement_store
from dashboard.store.training import group_runs
from tests.lab.hosts_harness import HostsHarness, hosts_harness
from tests.support.polling import eventually
from tests.support.specs import make_spec

pytestmark = pytest.mark.engine


@pytest.fixture
async def harness(session_hosts_folder: Path, transactional_db: None) -> AsyncIterator[HostsHarness]:
    """A session with real hosts."""
    async with hosts_harness(session_hosts_folder) as made:
        yield made
    assert group_hosts(session_hosts_folder) == ()


async def served(harness: HostsHarness, number: int) -> str:
    """An experiment of the group that serves port 80 of its host."""
    group, database = harness.group(number), harness.context.database
    experiment = await database.run(group_runs.launch, make_spec("host", "bridge"), None, group)
    harness.labs.wake()

    async def is_running() -> bool:
        found = await database.run(experiment_store.load, experiment)
        return found is not None and found.phase is Phase.RUNNING

    await eventually(is_running, 30)
    return experiment


async def host_answers(lab: Lab, experiment: str) -> bool:
    """Whether the arm in host mode answers at the machine's loopback."""
    attempts = await actions.try_paths(lab, experiment)
    return [one.status for one in attempts if one.path == "loopback" and one.origin == "machine"] == [200]


async def test_two_groups_use_port_80_at_once_and_each_sees_only_its_own_runs(harness: HostsHarness) -> None:
    states = await asyncio.gather(harness.ready(1), harness.ready(2))
    mine, theirs = await asyncio.gather(served(harness, 1), served(harness, 2))
    labs = [await harness.labs.lab_of(state.host) for state in states]
    for lab, experiment, other in ((labs[0], mine, theirs), (labs[1], theirs, mine)):
        await eventually(partial(host_answers, lab, experiment))
        there = await training_calls.containers(lab)
        assert {one.experiment for one in there if one.running} == {experiment}
        assert {one.mode for one in there} == {"host", "bridge"}
        assert lab.driver_of(other) is None
        offered = await launch_options(lab)
        assert "nginx:latest" in offered.images
        assert any(str(one.mode) == "host" and one.available for one in offered.modes)

    await measures_and_checks(harness, mine)

    await harness.stop(1)
    await harness.reaches(1, HostStage.STOPPED)
    await harness.context.database.run(stopped_with_host, harness.group(1), mine)
    running = await harness.context.database.run(experiment_store.load, theirs)
    assert running is not None
    assert running.phase is Phase.RUNNING


def stopped_with_host(group: str, identity: str) -> None:
    """Checks that the runs of a group with a stopped host are over."""
    experiment = Experiment.objects.get(pk=identity)
    head = json.loads(experiment.head)
    assert experiment.phase == "stopped"
    assert "private host" in head["notice"]
    assert head["stopped_at"] > experiment.created_at.timestamp()
    measurements = group_runs.measurements_of(group, 5)
    assert {measurement.state for measurement in measurements} == {"finished"}
    assert all(measurement.headline for measurement in measurements)
    (claims,) = claim_runs.list_runs(5, group=group)
    assert (claims.state, claims.count.holds) == ("finished", 1)


async def measures_and_checks(harness: HostsHarness, experiment: str) -> None:
    """Measures the group's paths and runs a claim on its host."""
    database, group = harness.context.database, harness.group(1)
    claims = await database.run(group_runs.run_claims, ["host-shares-netns"], group, None)
    for seconds in (3.0, 12.0):
        options = Options(seconds=seconds, rate=500.0)
        run = await database.run(group_runs.measure, experiment, group, (Probe.TCP_RR,), options, None)
        harness.labs.wake()

        async def done(run: str = run) -> Any:
            found = await database.run(claim_runs.load_run, claims)
            measured = await database.run(measurement_store.load_measurement, run)
            return found is not None and not found.live and measured is not None and measured.stopped is not None

        await eventually(done, 60)
        measured = await database.run(measurement_store.load_measurement, run)
        assert measured is not None
        paths = {one.path for one in measured.series if one.n}
        if paths >= {"loopback", "bridge-address"}:
            break  # on a busy machine three seconds may be over before each path has had its turn
    assert paths >= {"loopback", "bridge-address"}
    (outcome,) = await database.run(claim_runs.outcomes, claims)
    assert outcome.executed is not None
    assert str(outcome.executed.verdict) == "holds"
    assert (await harness.hosts.state_of(group)).host in outcome.executed.engine
