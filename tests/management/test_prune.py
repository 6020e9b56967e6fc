"""``./netmodes prune``."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from dashboard.core.measurements.measurement import Options, Probe
from dashboard.models import Experiment, MeasurementRun
from dashboard.store import experiments as experiment_store
from dashboard.store.measurements import runs as measurement_store
from tests.support.specs import make_spec
from tests.support.terminal import run_here


@pytest.fixture
def _old_run(transactional_db: None) -> None:
    run = measurement_store.create_run(
        experiment_store.create_experiment(make_spec("host")), "t", [Probe.TCP_RR], Options(), 7
    )
    when = timezone.now() - timedelta(days=100)
    MeasurementRun.objects.filter(pk=run).update(state=measurement_store.FINISHED, created_at=when)


@pytest.mark.parametrize("days", ["soon", "-1", "nan", "inf", "36501", ""])
def test_an_invalid_age_is_refused_with_exit_2(capsys: pytest.CaptureFixture[str], days: str) -> None:
    done = run_here(capsys, "prune", f"--days={days}")
    assert (done.code, done.out) == (2, "")
    assert done.err.strip() == f"--days must be a number from 0 to 36500, not “{days}”."


@pytest.mark.usefixtures("_old_run")
def test_a_dry_run_shows_what_the_next_run_deletes(capsys: pytest.CaptureFixture[str]) -> None:
    said = run_here(capsys, "prune", "--days", "90", "--dry-run").out
    assert said.startswith("Would delete data from before ")
    assert said.strip().endswith(": 1 measurement with 0 blocks.")
    assert MeasurementRun.objects.count() == 1
    done = run_here(capsys, "prune", "--days", "90", "--json")
    assert (done.code, done.err) == (0, "")
    assert {**done.json, "before": "", "freed_bytes": 0} == {
        "schema": "prune/1",
        "before": "",
        "dry_run": False,
        "runs": 1,
        "blocks": 0,
        "experiments": 0,
        "freed_bytes": 0,
        "room": "",
        "others": {"comparisons": 0, "entries": 0, "claims": 0, "classes": 0, "links": 0, "logins": 0, "audit": 0},
    }
    assert MeasurementRun.objects.count() == 0
    assert run_here(capsys, "prune", "--days", "90").out.startswith("Nothing that has ended is older than ")


def test_only_the_named_kinds_are_deleted(capsys: pytest.CaptureFixture[str], transactional_db: None) -> None:
    old = timezone.now() - timedelta(days=100)
    kept, gone = (experiment_store.create_experiment(make_spec("host")) for _ in range(2))
    for one, phase, wanted in ((kept, "stopped", "running"), (gone, "stopped", "stopped")):
        Experiment.objects.filter(pk=one).update(phase=phase, wanted=wanted, created_at=old)
    assert run_here(capsys, "prune", "--days", "90", "--only", "measurements").code == 0
    assert Experiment.objects.count() == 2
    assert run_here(capsys, "prune", "--days", "90", "--only", "experiments").code == 0
    assert [row.pk for row in Experiment.objects.all()] == [kept], "an experiment that is wanted again has not ended"
    assert run_here(capsys, "prune", "--days", "90", "--only", "reports").code == 2
