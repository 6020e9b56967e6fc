"""A new lab on a real engine: it adopts, finishes or removes what an earlier lab left. Foreign objects stay."""

from __future__ import annotations

import asyncio
from functools import partial

from dashboard.core.experiments.lifecycle import Wanted, container_name
from dashboard.core.experiments.messages import ArmStatus, Phase
from dashboard.core.experiments.networks import network_name
from dashboard.core.modes import OBSERVERS, Mode
from dashboard.lab.context import LABEL, LABEL_EXPERIMENT
from dashboard.lab.experiments.driver import ExperimentDriver
from dashboard.netns.rule_traces import TABLE
from dashboard.store import experiments as experiment_store
from tests.support.lab_harness import LabHarness, troubled
from tests.support.polling import eventually
from tests.support.private_engine import PrivateEngine


def ids(host: PrivateEngine) -> dict[str, str]:
    """Container ids by name."""
    lines = host.docker("ps", "-a", "--no-trunc", "--format", "{{.Names}} {{.ID}}").splitlines()
    return dict(line.split() for line in lines)


def listens(run: ExperimentDriver, key: str) -> bool:
    """Whether the program of an arm is observed at its port."""
    return any(listener.port == 80 for listener in run.view.states[key].listeners)


async def test_a_new_lab_adopts_what_runs(lab_harness: LabHarness, engine_host: PrivateEngine) -> None:
    shares = {"mode": "container", "target": "bridge", "command": "sleep 1000"}
    identity = await lab_harness.running("host", "bridge", "user-bridge", publish="18100:80", arms=[shares])
    run = await eventually(lambda: lab_harness.lab.driver_of(identity))
    for key in ("host", "bridge", "user-bridge"):
        # On a busy machine a program opens its port long after its container has started.
        await eventually(partial(listens, run, key))
    await run.settled()
    before, states = ids(engine_host), (await lab_harness.view(identity)).states
    entries = len(await lab_harness.entries(identity))
    await lab_harness.restart()
    await eventually(lambda: lab_harness.lab.driver_of(identity))
    run = lab_harness.driver(identity)
    await eventually(lambda: set(run.observer.keys) == set(states))
    await lab_harness.reaches(identity, Phase.RUNNING)
    await run.settled()  # with the entries, which are written in batches
    assert ids(engine_host) == before
    view = await lab_harness.view(identity)
    assert {one.status for one in view.columns} == {ArmStatus.RUNNING}
    assert {key: state.netns for key, state in view.states.items()} == {
        key: state.netns for key, state in states.items()
    }
    column = next(one for one in view.columns if one.key == "host")
    assert column.warnings == ("Published ports are discarded when using host network mode",)
    all_entries = await lab_harness.entries(identity)
    assert [entry.seq for entry in all_entries][:entries] == list(range(1, entries + 1))
    texts = [entry.text for entry in all_entries[entries:]]
    assert {f"{key} is observed again" for key in states if key not in OBSERVERS} <= set(texts)
    assert not any(" started" in text or "changes" in text for text in texts), texts
    assert all(entry.facts.states == {} for entry in all_entries[entries:])
    assert all(view.states[key].lookups == state.lookups for key, state in states.items())
    head = await lab_harness.stop(identity)
    assert all(check.ok for check in head.proof)
    assert "port 18100" in {check.name for check in head.proof}


async def test_a_new_lab_removes_the_table_of_a_killed_trace(
    lab_harness: LabHarness, engine_host: PrivateEngine
) -> None:
    await asyncio.gather(*lab_harness.lab._at_start)
    engine_host.in_network("nft", "add", "table", "inet", TABLE)
    assert TABLE in engine_host.in_network("nft", "list", "tables")
    await lab_harness.restart()
    await eventually(lambda: TABLE not in engine_host.in_network("nft", "list", "tables"))


async def test_a_new_lab_finishes_an_interrupted_launch(lab_harness: LabHarness, engine_host: PrivateEngine) -> None:
    identity = await lab_harness.launch(*["bridge"] * 5, "user-bridge")
    await lab_harness.reaches(identity, Phase.LAUNCHING, Phase.RUNNING)
    await lab_harness.restart()

    async def all_run() -> bool:
        columns = (await lab_harness.view(identity)).columns
        return {one.status for one in columns} == {ArmStatus.RUNNING}

    await eventually(all_run, 20)
    await lab_harness.reaches(identity, Phase.RUNNING)
    assert len(ids(engine_host)) == 6


async def test_a_new_lab_keeps_the_status_of_ended_arms(lab_harness: LabHarness, engine_host: PrivateEngine) -> None:
    arms = [{"mode": "none"}, {"mode": "bridge", "command": "false"}, {"mode": "overlay"}, {"mode": "host"}]
    identity = await lab_harness.running(arms=arms)
    await lab_harness.ends_as(identity, "bridge", ArmStatus.EXITED)
    engine_host.docker("rm", "-f", container_name(identity, "host"))
    await lab_harness.ends_as(identity, "host", ArmStatus.LOST)
    before = {one.key: (one.status, one.error, one.exit_code) for one in (await lab_harness.view(identity)).columns}
    await lab_harness.restart()
    run = await eventually(lambda: lab_harness.lab.driver_of(identity))
    await eventually(lambda: "none" in run.observer.keys)
    await lab_harness.reaches(identity, Phase.RUNNING)
    after = {one.key: (one.status, one.error, one.exit_code) for one in (await lab_harness.view(identity)).columns}
    assert after == before
    assert set(ids(engine_host)) == {container_name(identity, "none")}


async def test_a_container_that_was_removed_while_no_lab_ran_is_lost(
    lab_harness: LabHarness, engine_host: PrivateEngine
) -> None:
    identity = await lab_harness.running("bridge", "none")
    await lab_harness.lab.close()
    engine_host.docker("rm", "-f", container_name(identity, "none"))
    await lab_harness.restart()
    assert (await lab_harness.ends_as(identity, "none", ArmStatus.LOST)).status is ArmStatus.LOST
    assert (await lab_harness.column(identity, "bridge")).status is ArmStatus.RUNNING


async def test_a_stop_that_was_asked_for_while_no_lab_ran_is_done(
    lab_harness: LabHarness, engine_host: PrivateEngine
) -> None:
    identity = await lab_harness.running("bridge", "user-bridge")
    await lab_harness.lab.close()
    assert await lab_harness.database.run(experiment_store.set_wanted, identity, Wanted.STOPPED)
    await lab_harness.restart()
    head = await lab_harness.reaches(identity, Phase.STOPPED)
    assert all(check.ok for check in head.proof)
    assert ids(engine_host) == {}


async def test_another_round_that_was_asked_for_while_no_lab_ran_is_launched(lab_harness: LabHarness) -> None:
    identity = await lab_harness.running("none")
    await lab_harness.stop(identity)
    await lab_harness.lab.close()
    assert await lab_harness.database.run(experiment_store.set_wanted, identity, Wanted.RUNNING, again=True)
    await lab_harness.restart()
    assert (await lab_harness.reaches(identity, Phase.RUNNING)).round == 2


async def test_only_orphans_with_the_exact_label_are_removed(
    lab_harness: LabHarness, engine_host: PrivateEngine
) -> None:
    ours = lab_harness.context.installation
    run = ("run", "-d", "--network", "none")
    engine_host.docker(*run, "--label", f"{LABEL}={ours}", "--label", f"{LABEL_EXPERIMENT}=gone", "nginx")
    engine_host.docker("network", "create", "--label", f"{LABEL}={ours}", "e-orphan")
    foreign = [
        engine_host.docker(*run, "--name", "nm-other-bridge", "nginx"),
        engine_host.docker(*run, "--label", f"{LABEL}={ours}x", "nginx"),
        engine_host.docker(*run, "--label", f"{LABEL}={ours[:-1]}", "nginx"),
        engine_host.docker(*run, "--label", f"{LABEL}=", "nginx"),
        engine_host.docker(*run, "--label", f"{LABEL.upper()}={ours}", "nginx"),
        engine_host.docker(*run, "--label", f"{LABEL}.x={ours}", "nginx"),
        engine_host.docker(*run, "--label", f"{LABEL_EXPERIMENT}=gone", "nginx"),
    ]
    networks = [
        engine_host.docker("network", "create", "--label", f"{LABEL}=other", "e-foreign"),
        engine_host.docker("network", "create", "nm-foreign"),
    ]
    try:
        await lab_harness.restart()
        await eventually(lambda: len(ids(engine_host)) == len(foreign))
        gone = ("network", "ls", "-q", "--filter", "name=e-orphan")
        await eventually(lambda: engine_host.docker(*gone) == "")
        assert set(ids(engine_host).values()) == set(foreign)
        left = engine_host.docker("network", "ls", "-q", "--no-trunc", "--filter", "type=custom").split()
        assert set(left) == set(networks)
    finally:
        engine_host.docker("rm", "-f", *foreign)
        engine_host.docker("network", "rm", *networks)


async def test_a_stop_waits_until_a_network_in_use_can_be_removed(
    lab_harness: LabHarness, engine_host: PrivateEngine
) -> None:
    identity = await lab_harness.running("user-bridge", "none")
    network = network_name(identity, Mode.USER_BRIDGE)
    guest = engine_host.docker("run", "-d", "--network", network, "nginx")
    try:
        await lab_harness.want(identity, Wanted.STOPPED)
        head = await troubled(lab_harness, identity)
        assert (head.phase, f"remove network {network}" in head.problem) == (Phase.STOPPING, True)
        assert set(ids(engine_host).values()) == {guest}
        await lab_harness.restart()
        assert (await lab_harness.record(identity)).phase is Phase.STOPPING
    finally:
        engine_host.docker("rm", "-f", guest)
    head = await lab_harness.reaches(identity, Phase.STOPPED)
    assert [check.ok for check in head.proof] == [True, True]
    assert engine_host.docker("network", "ls", "-q", "--filter", f"name={network}") == ""
