"""The machines from which a run measures."""

from __future__ import annotations

import pytest

from dashboard.core.measurements.measurement import Options, Probe
from dashboard.models import MeasurementRun
from dashboard.store import experiments as experiment_store
from dashboard.store import measurements as measurement_store
from dashboard.store.operations import measurement_clients
from tests.support.specs import make_spec

pytestmark = pytest.mark.django_db


def test_a_run_names_its_clients_until_it_has_ended() -> None:
    experiment = experiment_store.create_experiment(make_spec("host"))
    options = (experiment, "t", [Probe.HTTP], Options(), 1)
    plain, run = (measurement_clients.create_run(names, *options) for names in ((), ("lab3", "lab2")))
    assert measurement_clients.load_clients(plain) == ()
    assert measurement_clients.load_clients(run) == ("lab2", "lab3")
    (carried,) = measurement_clients.load_carried()
    assert (carried.id, carried.machine, carried.clients) == (run, None, ("lab2", "lab3"))
    assert measurement_clients.is_live(run)
    measurement_store.fail_run(run, "no")
    assert measurement_clients.load_carried() == ()
    assert not measurement_clients.is_live(run)
    MeasurementRun.objects.all().delete()
    assert measurement_clients.load_clients(run) == ()
