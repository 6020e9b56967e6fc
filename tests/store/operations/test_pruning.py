"""Measurements are deleted by age, with their dependent rows and nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from dashboard.core.experiments.messages import Phase
from dashboard.core.measurements.histogram import encode_times
from dashboard.core.measurements.measurement import Block, Environment, Options, Probe
from dashboard.core.measurements.schedule import Series
from dashboard.core.operations.machines import MachineFacts
from dashboard.core.paths.model import Path, PathKind
from dashboard.models import Experiment, MeasurementBlock, MeasurementRun, MeasurementSeries
from dashboard.store import experiments as experiment_store
from dashboard.store import machines
from dashboard.store.measurements import blocks as block_store
from dashboard.store.measurements import runs as measurement_store
from dashboard.store.operations.pruning import prune
from tests.support.specs import make_spec

DAY_S = 86_400
needs_sqlite = pytest.mark.skipif(connection.vendor != "sqlite", reason="database servers manage their own files")
SERIES = Series("host/loopback", Path(PathKind.LOOPBACK, "lo", "machine", "host", address="127.0.0.1"), Probe.TCP_RR)


def measured(days_ago: float, *, state: str = measurement_store.FINISHED, twin: bool = False, room: int = 0) -> str:
    experiment = experiment_store.create_experiment(make_spec("host"))
    Experiment.objects.filter(pk=experiment).update(phase=Phase.STOPPED)
    run = measurement_store.create_run(experiment, "a run", [Probe.TCP_RR], Options(), 7, twin=twin)
    measurement_store.begin_run(run, (SERIES,), (), Environment(), {})
    histogram = encode_times([10_000] * 50) + b"x" * room
    block_store.add_block(run, Block(SERIES.key, 0, 0.0, 0.1, 50, p50_us=10.0, histogram=histogram))
    when = timezone.now() - timedelta(days=days_ago)
    MeasurementRun.objects.filter(pk=run).update(created_at=when, state=state)
    return run


@pytest.mark.django_db
@pytest.mark.parametrize(
    "state",
    [measurement_store.FINISHED, measurement_store.CANCELLED, measurement_store.FAILED, measurement_store.INCOMPLETE],
)
def test_ended_runs_are_deleted_by_age_in_every_end_state(state: str) -> None:
    measured(91, state=state)
    new = measured(89, state=state)
    found = prune(90 * DAY_S)
    assert (found.runs, found.blocks, found.dry_run) == (1, 1, False)
    assert [run.pk for run in MeasurementRun.objects.all()] == [new]
    assert (MeasurementSeries.objects.count(), MeasurementBlock.objects.count()) == (1, 1)


@pytest.mark.django_db
@pytest.mark.parametrize("state", [measurement_store.WAITING, measurement_store.RUNNING])
def test_waiting_and_running_runs_stay_at_any_age(state: str) -> None:
    measured(1000, state=state)
    assert prune(0.0).runs == 0
    assert MeasurementBlock.objects.count() == 1


@pytest.mark.django_db
def test_a_dry_run_counts_and_deletes_nothing() -> None:
    measured(91, twin=True)
    found = prune(90 * DAY_S, dry_run=True)
    assert (found.runs, found.blocks, found.experiments, found.freed_bytes) == (1, 1, 1, None)
    assert (MeasurementBlock.objects.count(), Experiment.objects.count()) == (1, 1)


@pytest.mark.django_db
def test_a_run_of_one_machine_deletes_no_experiment_of_another() -> None:
    for name in ("lab2", "lab3"):
        machines.register(name, {}, MachineFacts())
    for of_run, of_experiment in ((None, "lab2"), ("lab2", None), ("lab2", "lab3"), ("lab2", "lab2"), (None, None)):
        run = measured(91, twin=True)
        MeasurementRun.objects.filter(pk=run).update(machine=of_run)
        Experiment.objects.filter(measurements=run).update(machine=of_experiment)
    assert prune(90 * DAY_S).experiments == 2
    assert sorted(str(row.machine_id) for row in Experiment.objects.all()) == ["None", "lab2", "lab3"]


@pytest.mark.django_db
def test_experiments_are_deleted_only_if_they_were_launched_for_the_run_and_have_ended() -> None:
    measured(91, twin=True)
    kept = [measured(91), measured(91, twin=True), measured(1, twin=True)]
    still = MeasurementRun.objects.get(pk=kept[1]).experiment_id
    experiments = {MeasurementRun.objects.get(pk=run).experiment_id for run in kept}
    Experiment.objects.filter(pk=still).update(phase=Phase.RUNNING)
    assert prune(90 * DAY_S).experiments == 1
    assert {row.pk for row in Experiment.objects.all()} == experiments


@needs_sqlite
@pytest.mark.django_db(transaction=True)
def test_the_file_shrinks_by_the_deleted_data() -> None:
    for _ in range(3):
        measured(91, room=400_000)
    found = prune(90 * DAY_S)
    assert found.room == ""
    assert found.freed_bytes is not None
    assert found.freed_bytes >= 1_200_000


@needs_sqlite
@pytest.mark.django_db(transaction=True)
def test_the_file_is_not_rewritten_during_a_measurement() -> None:
    measured(91)
    measured(0, state=measurement_store.RUNNING)
    found = prune(90 * DAY_S)
    assert (found.runs, found.freed_bytes) == (1, None)
    assert "A measurement is running" in found.room
