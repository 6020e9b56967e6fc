"""dashboard.store.reports.snapshot."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.conf import settings

from dashboard.core.experiments.journal import replay
from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.messages import EngineRef
from dashboard.core.measurements.measurement import Environment, Options, Probe, Stop
from dashboard.core.measurements.summary import build_measurement
from dashboard.core.operations.machines import MachineFacts
from dashboard.core.reports.model import FrozenRun
from dashboard.latency.environment import read_machine
from dashboard.models import Experiment, MeasurementRun
from dashboard.store import experiments as experiment_store
from dashboard.store import journal as journal_store
from dashboard.store import machines
from dashboard.store.measurements import blocks as block_store
from dashboard.store.measurements import runs as measurement_store
from dashboard.store.reports import snapshot as report_snapshot
from tests.support.reports import ENGINE, ENVIRONMENT, make_blocks, make_journal, make_run
from tests.support.specs import make_spec

pytestmark = pytest.mark.django_db


def launched(*, stopped: bool = True, changes: int = 4) -> str:
    """An experiment with a journal, as the lab writes it."""
    experiment = experiment_store.create_experiment(make_spec("host", "bridge", "user-bridge", title="Host or bridge"))
    journal = make_journal(changes, stopped=stopped)
    journal_store.append(experiment, journal)
    head = replay(journal).head
    assert head is not None
    experiment_store.save_head(experiment, replace(head, id=experiment), len(journal) - 1 if stopped else 0)
    return experiment


def measured(experiment: str, state: str = measurement_store.FINISHED, *, blocks: bool = True) -> str:
    """A run of an experiment, with 12 rounds of three series."""
    run = measurement_store.create_run(experiment, "a run", [Probe.TCP_RR], Options(), 7)
    series = make_run(rounds=1).series
    measurement_store.begin_run(run, series, (), ENVIRONMENT, {})
    for one in series if blocks else ():
        for block in make_blocks(one.key, 20.0, rounds=12, requests=20):
            block_store.add_block(run, block)
    if state == measurement_store.FINISHED:
        measurement_store.finish_run(run, Stop.TIME, "", 1.2, ENVIRONMENT, {})
    MeasurementRun.objects.filter(pk=run).update(state=state)
    return run


def test_an_experiment_is_frozen_up_to_its_newest_entry() -> None:
    experiment = launched()
    frozen = report_snapshot.freeze_experiment(experiment)
    assert frozen.journal == journal_store.entries(experiment)
    assert frozen.head == replay(frozen.journal).head
    assert frozen.shown_seq == frozen.journal[-1].seq - 1
    assert frozen.spec.title == "Host or bridge"


def test_a_running_experiment_shows_its_newest_entry() -> None:
    assert report_snapshot.freeze_experiment(launched(stopped=False)).shown_seq == 0


def test_an_experiment_that_has_not_started_is_frozen_as_waiting() -> None:
    experiment = experiment_store.create_experiment(make_spec("host", "bridge"))
    frozen = report_snapshot.freeze_experiment(experiment)
    assert (frozen.journal, frozen.head.phase) == ((), "waiting")


def test_the_answering_engine_is_described_only_if_the_experiment_ran_on_its_version() -> None:
    experiment = launched()
    assert report_snapshot.freeze_experiment(experiment, ENGINE).engine == ENGINE
    newer = report_snapshot.freeze_experiment(experiment, EngineRef("29.0.0", "1.52"))
    assert (newer.engine.version, newer.engine.api) == ("26.1.5", "")


@pytest.mark.parametrize(("host", "machine"), [("lan-1", None), ("", "attic")])
def test_the_answering_engine_is_not_that_of_a_private_host_or_of_another_machine(
    host: str, machine: str | None
) -> None:
    if machine:
        machines.register(machine, {}, MachineFacts())
    experiment = launched()
    Experiment.objects.filter(pk=experiment).update(host=host, machine=machine)
    engine = report_snapshot.freeze_experiment(experiment, ENGINE).engine
    assert (engine.version, engine.name, engine.kernel) == ("26.1.5", "", "")


def test_the_answering_engine_of_a_joined_machine_is_that_of_its_experiments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machines.register("attic", {}, MachineFacts())
    monkeypatch.setattr(settings, "MACHINE", "attic")
    assert report_snapshot.freeze_experiment(launched(), ENGINE).engine == ENGINE


@pytest.mark.parametrize("removed", [False, True])
def test_a_missing_or_removed_experiment_is_not_frozen(*, removed: bool) -> None:
    experiment = launched() if removed else "nothing"
    Experiment.objects.update(wanted=Wanted.REMOVED)
    with pytest.raises(report_snapshot.NotSavedError, match="no experiment"):
        report_snapshot.freeze_experiment(experiment)


def test_ended_runs_with_blocks_are_part_of_an_experiment() -> None:
    experiment = launched()
    over = [
        measurement_store.FINISHED,
        measurement_store.CANCELLED,
        measurement_store.FAILED,
        measurement_store.INCOMPLETE,
    ]
    wanted = [measured(experiment, state) for state in over]
    measured(experiment, measurement_store.RUNNING)
    measured(experiment, blocks=False)
    measured(launched())
    assert report_snapshot.runs_of(experiment) == tuple(wanted)


def test_a_run_on_a_twin_belongs_to_the_experiment_that_requested_it() -> None:
    experiment, twin = launched(), launched()
    run = measured(twin)
    MeasurementRun.objects.filter(pk=run).update(twin=True, source=experiment)
    assert report_snapshot.runs_of(experiment) == report_snapshot.runs_of(twin) == (run,)


def test_a_run_is_frozen_with_the_blocks_that_give_its_figures() -> None:
    run = measured(launched())
    (frozen,) = report_snapshot.freeze_runs([run])
    assert frozen.measurement == measurement_store.load_measurement(run)
    assert len(frozen.blocks) == 36
    assert again(frozen) == frozen.measurement


def again(frozen: FrozenRun) -> object:
    """The measurement, computed from the saved report."""
    measurement = frozen.measurement
    blocks = {one.key: [block for block in frozen.blocks if block.series == one.key] for one in frozen.series}
    found = build_measurement(
        frozen.series, blocks, measurement.environment, measurement.options, seed=measurement.seed
    )
    kept = ("started_at", "elapsed_s", "stopped", "stop_reason", "complete")
    return replace(found, **{name: getattr(measurement, name) for name in kept})


@pytest.mark.parametrize(
    ("state", "words"),
    [(measurement_store.RUNNING, "still running"), (measurement_store.WAITING, "still running"), ("", "no measure")],
)
def test_a_running_or_missing_run_is_not_frozen(state: str, words: str) -> None:
    run = measured(launched(), state) if state else "nothing"
    with pytest.raises(report_snapshot.NotSavedError, match=words):
        report_snapshot.freeze_runs([run])


def test_a_run_of_a_removed_experiment_has_none() -> None:
    experiment = launched()
    run = measured(experiment)
    assert report_snapshot.experiment_of(run) == experiment
    experiment_store.set_wanted(experiment, Wanted.REMOVED)
    assert report_snapshot.experiment_of(run) == ""
    experiment_store.delete(experiment)
    assert report_snapshot.experiment_of(run) == ""


def test_the_environment_is_that_of_the_newest_measurement_else_of_the_engine_and_machine() -> None:
    runs = report_snapshot.freeze_runs([measured(launched())])
    assert report_snapshot.environment_of(runs, ENGINE, read_machine()) == ENVIRONMENT
    known = Environment(kernel=ENGINE.kernel, engine=ENGINE.version, engine_api=ENGINE.api)
    assert report_snapshot.environment_of((), ENGINE) == known
    here = report_snapshot.environment_of((), ENGINE, read_machine())
    assert here.cores > 0
    assert (here.kernel, here.load_before) == (ENGINE.kernel, None)
    assert report_snapshot.environment_of((), None) == Environment()
