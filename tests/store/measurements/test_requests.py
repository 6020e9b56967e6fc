"""Measurements that users request of an experiment."""

from __future__ import annotations

import pytest

from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.measurements.measurement import Options, Probe
from dashboard.core.measurements.responder_experiment import responder_experiment
from dashboard.models import Experiment, MeasurementRun
from dashboard.store import experiments as experiment_store
from dashboard.store.measurements import clients as measurement_clients
from dashboard.store.measurements.requests import request_run
from tests.support.records import load_record
from tests.support.specs import make_spec

pytestmark = pytest.mark.django_db


@pytest.fixture
def experiment() -> Experiment:
    """An experiment of a group on a private host, which was renamed after its launch."""
    identity = experiment_store.create_experiment(make_spec("host", "bridge"), host="h", group="g")
    Experiment.objects.filter(pk=identity).update(title="renamed")
    return Experiment.objects.get(pk=identity)


def test_a_probe_of_the_responder_measures_a_twin_on_the_same_host(experiment: Experiment) -> None:
    run = MeasurementRun.objects.get(pk=request_run(experiment, [Probe.TCP_RR], Options(), None))
    assert (run.title, run.twin, run.source_id, run.host, run.group) == ("renamed", True, experiment.pk, "h", "g")
    twin = load_record(str(run.experiment_id))
    assert (twin.id != experiment.pk, twin.host, twin.wanted) == (True, "h", Wanted.RUNNING)
    assert twin.spec == responder_experiment(make_spec("host", "bridge"))


def test_other_probes_measure_the_experiment_itself(experiment: Experiment) -> None:
    run = MeasurementRun.objects.get(pk=request_run(experiment, [Probe.HTTP, Probe.DNS], Options(), None))
    assert (run.twin, run.source_id, run.experiment_id) == (False, None, experiment.pk)
    assert Experiment.objects.count() == 1


def test_no_twin_is_left_if_the_run_cannot_be_queued(experiment: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_arguments: object, **_options: object) -> str:
        raise RuntimeError

    monkeypatch.setattr(measurement_clients, "create_run", fails)
    with pytest.raises(RuntimeError):
        request_run(experiment, [Probe.TCP_RR], Options(), None)
    assert Experiment.objects.count() == 1
