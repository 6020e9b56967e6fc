"""Hosts of a LAN that have ended are started again."""

from __future__ import annotations

from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.messages import Phase
from dashboard.lab.lans import restarts
from dashboard.lab.lans.named_lans import NamedLans
from dashboard.lab.lans.states import LanStage, LanState
from dashboard.lab.training.group_labs import GroupLabs
from dashboard.store import experiments as experiment_store
from tests.lab.lans.fake_machine import Machine, reaches
from tests.support.lab_harness import LabHarness
from tests.support.polling import eventually
from tests.support.specs import make_spec


def ids(state: LanState, *, running: bool) -> list[str]:
    return [host.id for host in state.hosts if host.running is running]


async def test_the_hosts_of_a_lan_that_ended_with_the_machine_are_started_again_when_the_server_starts(
    fake_lab: LabHarness, labs: GroupLabs, machine: Machine
) -> None:
    machine.add("office")
    machine.end(1, 2)
    spec = make_spec("none")
    identity = await fake_lab.database.run(experiment_store.create_experiment, spec, None, "", "office1")
    machine.proceed.clear()
    lans = NamedLans(fake_lab.context, labs)
    await lans.open()
    try:
        state = await reaches(lans, "office", LanStage.STARTING)
        assert (ids(state, running=False), lans.count_hosts()) == (["office1", "office2"], 2)
        await eventually(lambda: machine.starts)
        record = await fake_lab.record(identity)
        assert record.wanted is Wanted.RUNNING, "it goes on when its host is back"
        machine.proceed.set()
        state = await reaches(lans, "office")
        assert (ids(state, running=True), state.problem) == (["office1", "office2"], "")
        assert machine.starts == [("office1", ""), ("office2", "office1")]
        await fake_lab.reaches(identity, Phase.RUNNING)
    finally:
        await lans.close(stop=True)


async def test_a_host_that_ends_while_the_server_runs_is_started_again_on_its_lan(
    fake_lab: LabHarness, lans: NamedLans, machine: Machine
) -> None:
    machine.add("office", 3)
    await reaches(lans, "office")
    identity = await fake_lab.database.run(experiment_store.create_experiment, make_spec("none"), None, "", "office2")
    machine.end(2)
    await eventually(lambda: machine.starts == [("office2", "office1")])
    await eventually(lambda: ids(lans.states()[0], running=True) == ["office1", "office2", "office3"])
    record = await fake_lab.record(identity)
    assert record.wanted is Wanted.RUNNING


async def test_hosts_that_cannot_be_started_again_wait_for_the_button(lans: NamedLans, machine: Machine) -> None:
    machine.add("office")
    await reaches(lans, "office")
    machine.start_failure = "The disk is full."
    machine.end(2)

    def problem() -> str:
        return lans.states()[0].problem

    await eventually(lambda: problem() == f"The disk is full. {restarts.RETRY}")
    looks = machine.looks
    await eventually(lambda: machine.looks > looks + 2)
    assert machine.starts == [("office2", "office1")], "it is not tried again by itself"
    machine.start_failure = ""
    lans.start_again("office")
    await eventually(lambda: ids(lans.states()[0], running=True) == ["office1", "office2"])
    assert problem() == ""


async def test_a_problem_disappears_when_another_command_has_started_the_hosts(
    lans: NamedLans, machine: Machine
) -> None:
    lan = machine.add("office")
    machine.start_failure = "The disk is full."
    machine.end(2)
    await eventually(lambda: lans.states() and lans.states()[0].problem.startswith("The disk is full."))
    machine.lans["office"] = lan
    await eventually(lambda: lans.states()[0].problem == "")


async def test_a_lan_of_ended_hosts_is_removed_with_their_files(lans: NamedLans, machine: Machine) -> None:
    machine.add("office")
    machine.start_failure = "The disk is full."
    machine.end(1, 2)
    await eventually(lambda: lans.states() and lans.states()[0].problem.startswith("The disk is full."))
    assert not lans.states()[0].swarm
    lans.remove("office")
    await eventually(lambda: lans.states() == ())
    assert machine.lans == {}
