"""Events of an experiment as heads, columns and states."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from dashboard.core.experiments.journal import Cause, Source, View, replay
from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.messages import ArmStatus, Phase
from dashboard.core.modes import MACHINE
from dashboard.lab.context import Context
from dashboard.lab.experiments import journal_writer
from dashboard.lab.experiments.recorder import Recorder
from dashboard.store import experiments as experiment_store
from dashboard.store import journal as journal_store
from tests.core.sample import make_columns, make_head, make_link, make_listener, make_states
from tests.support.lab_harness import LabHarness
from tests.support.polling import others_run
from tests.support.specs import make_spec

CAUSE = Cause(Source.LAB, "test")


@pytest.fixture
async def recorder(fake_lab: LabHarness) -> AsyncIterator[Recorder]:
    context: Context = fake_lab.context
    await fake_lab.lab.close()
    identity = await fake_lab.database.run(
        experiment_store.create_experiment, make_spec("host", "bridge", "user-bridge")
    )
    record = await fake_lab.record(identity)
    await fake_lab.database.run(experiment_store.set_wanted, identity, Wanted.STOPPED)
    made = Recorder(context, record, View(0, make_head(), make_columns(), make_states()))
    yield made
    await made.journal.flush()


async def test_a_problem_is_recorded_once_with_its_start_and_its_end(recorder: Recorder) -> None:
    recorder.trouble("it hangs")
    since = recorder.head.problem_since
    seq = recorder.view.seq
    recorder.trouble("it hangs")
    assert recorder.view.seq == seq
    recorder.trouble("it is gone")
    assert (recorder.head.problem, recorder.head.problem_since) == ("it is gone", since)
    recorder.trouble("")
    assert (recorder.head.problem, recorder.head.problem_since) == ("", None)
    seq = recorder.view.seq
    recorder.trouble("")
    assert recorder.view.seq == seq


async def test_a_lost_arm_has_no_state_and_no_ports(recorder: Recorder) -> None:
    recorder.mark_removed("bridge")
    column = recorder.column("bridge")
    assert (column.status, column.published) == (ArmStatus.LOST, ())
    assert "removed outside Netmodes" in (column.error or "")
    assert "bridge" not in recorder.view.states
    assert "host" in recorder.view.states


async def test_one_change_that_two_columns_see_is_one_entry(recorder: Recorder) -> None:
    states = make_states(make_listener(9000, "python3", 41402))
    both = {key: states[key] for key in (MACHINE, "host")}
    seq = recorder.view.seq
    recorder.states_changed(both)
    assert recorder.view.seq == seq + 1
    assert {key: recorder.view.states[key] for key in both} == both
    recorder.states_changed(both)
    assert recorder.view.seq == seq + 1, "nothing changed"
    recorder.states_changed({"nobody": states["host"]})
    assert recorder.view.seq == seq + 1, "a column that is not shown"


async def test_arms_are_the_columns_without_the_machine(recorder: Recorder) -> None:
    assert [one.key for one in recorder.arms()] == ["host", "bridge", "user-bridge"]
    recorder.set_column("host", CAUSE, "x", status=ArmStatus.EXITED, exit_code=1)
    assert [one.key for one in recorder.arms(ArmStatus.EXITED)] == ["host"]
    assert [one.key for one in recorder.arms(ArmStatus.RUNNING)] == ["bridge", "user-bridge"]


async def test_a_final_phase_ends_the_round(recorder: Recorder) -> None:
    for phase in Phase:
        recorder.set_head(CAUSE, phase=phase)
        assert recorder.ended is (phase in {Phase.STOPPED, Phase.FAILED})


async def test_an_observation_that_goes_on_records_only_what_changed(recorder: Recorder) -> None:
    seq, column, state = recorder.view.seq, recorder.column("bridge"), recorder.view.states["bridge"]
    recorder.observed(column, state, CAUSE)
    assert recorder.view.seq == seq, "nothing changed"
    recorder.observed(column, replace(state, hostname="other"), CAUSE)
    assert recorder.view.states["bridge"].hostname == "other"
    recorder.observed(column, recorder.view.states["bridge"], CAUSE, "bridge is observed again")
    assert recorder.view.seq == seq + 2


async def test_a_state_belongs_to_one_container(recorder: Recorder) -> None:
    column = recorder.column("bridge")
    assert column.container is not None
    assert recorder.recorded_state("bridge", column.container.id) == recorder.view.states["bridge"]
    assert recorder.recorded_state("bridge", "another") is None
    recorder.set_column("bridge", CAUSE, "x", status=ArmStatus.EXITED)
    assert recorder.recorded_state("bridge", column.container.id) is None


async def test_a_restarted_engine_may_have_another_version(recorder: Recorder) -> None:
    recorder.restarted(recorder.head.engine, ("bridge",))
    before = recorder.head
    recorder.restarted("28.5.2", (), ("bridge",))
    fate = "The Engine was restarted with version 28.5.2; the container of bridge ended and was started again."
    assert recorder.head == replace(before, engine="28.5.2", notice=fate)


async def test_a_first_observation_replaces_the_state(recorder: Recorder) -> None:
    column = replace(recorder.column("bridge"), networks={"bridge": "172.17.0.9"})
    state = make_states()["user-bridge"]
    recorder.observed(column, state, CAUSE, "seen")
    assert recorder.column("bridge") == column
    assert recorder.view.states["bridge"] == state
    recorder.note(CAUSE, "only words", "bridge")
    assert recorder.view.states["bridge"] == state
    await others_run()


async def test_links_of_other_containers_are_not_recorded_in_an_experiment(
    recorder: Recorder, fake_lab: LabHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each launch of another experiment changes the machine: before the fix, an untouched one grew by 850 entries in
    nine minutes."""
    monkeypatch.setattr(journal_writer, "CALM_S", 1000.0)  # a slow write must not be a pause between changes
    machine = recorder.view.states[MACHINE]
    for number in range(200):
        link = make_link(f"veth{number}", 100 + number, "veth", peer=f"if{99 + number}", master="br-other")
        recorder.states_changed({MACHINE: replace(machine, interfaces=(*machine.interfaces, link))})
        if number % 50 == 0:
            await recorder.journal.flush()
    await recorder.journal.flush()
    entries = await fake_lab.database.run(journal_store.entries, recorder.journal.experiment)
    assert [entry.text for entry in entries] == [""]
    assert recorder.view.states[MACHINE].interfaces[-1].name == "veth199"
    before = View(0, make_head(), make_columns(), make_states())
    assert replay(entries, before).states == recorder.view.states
