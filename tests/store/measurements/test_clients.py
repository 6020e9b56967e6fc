"""The machines from which a run measures."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from dashboard.core.measurements.measurement import Options, Probe
from dashboard.models import Machine, MeasurementClient, MeasurementRun
from dashboard.store import experiments as experiment_store
from dashboard.store.measurements import clients as measurement_clients
from dashboard.store.measurements import runs as measurement_store
from dashboard.store.measurements.clients import EXTRA_S, WAIT_S
from tests.support.specs import make_spec

pytestmark = pytest.mark.django_db


def make_run(*names: str, seconds: float = 10.0) -> str:
    experiment = experiment_store.create_experiment(make_spec("host"))
    options = Options(seconds=seconds)
    return measurement_clients.create_run(names, experiment, "t", [Probe.HTTP], options, 1)


def set_state(run: str, state: str) -> None:
    """Sets the state of a run, as its lab can at any time."""
    MeasurementRun.objects.filter(pk=run).update(state=state)


def remaining_s(run: str) -> float:
    """The seconds for which the machines of a run may still measure."""
    rows = MeasurementClient.objects.filter(run_id=run).annotate(now=Now()).values_list("valid_until", "now")
    ((valid_until, now),) = set(rows)
    seconds: float = (valid_until - now).total_seconds()
    return seconds


def test_a_run_names_its_clients_until_it_has_ended() -> None:
    plain, run = make_run(), make_run("lab3", "lab2")
    assert measurement_clients.load_clients(plain) == ()
    assert measurement_clients.load_clients(run) == ("lab2", "lab3")
    assert measurement_clients.are_valid(run)
    (carried,) = measurement_clients.load_carried()
    assert (carried.id, carried.machine, carried.clients) == (run, None, ("lab2", "lab3"))
    assert measurement_clients.load_drained(run) == frozenset()
    measurement_store.fail_run(run, "no")
    assert measurement_clients.load_drained(run) is None
    assert measurement_clients.load_carried() == ()
    assert measurement_clients.load_clients(run) == ()


def test_the_experiment_of_a_run_is_the_one_that_was_chosen() -> None:
    chosen, twin = (experiment_store.create_experiment(make_spec("host")) for _ in range(2))
    arguments = "t", [Probe.HTTP], Options(), 1
    first = measurement_clients.create_run(("lab2",), chosen, *arguments)
    second = measurement_clients.create_run(("lab2",), twin, *arguments, twin=True, source=chosen)
    found = {one.id: one.experiment for one in measurement_clients.load_carried()}
    assert found == {first: chosen, second: chosen}


def test_a_lab_that_begins_an_ended_run_again_has_no_clients() -> None:
    run = make_run("lab2")
    set_state(run, measurement_store.FINISHED)
    assert measurement_clients.load_carried() == ()
    set_state(run, measurement_store.RUNNING)
    assert measurement_clients.load_carried() == ()
    assert measurement_clients.load_drained(run) is None
    assert not measurement_clients.are_valid(run)


def test_a_lab_that_never_ends_a_run_has_its_clients_for_the_time_of_the_run_only() -> None:
    run = make_run("lab2", "lab3", seconds=10.0)
    assert remaining_s(run) == pytest.approx(WAIT_S + 10 + EXTRA_S, abs=30)
    (carried,) = measurement_clients.load_carried()
    measurement_clients.begin_blocks(run, carried.seconds)
    assert remaining_s(run) == pytest.approx(10 + EXTRA_S, abs=30)
    before = MeasurementClient.objects.filter(run_id=run).values_list("valid_until", flat=True).first()
    measurement_clients.begin_blocks(run, carried.seconds)
    after = MeasurementClient.objects.filter(run_id=run).values_list("valid_until", flat=True).first()
    assert before == after, "the second web process extends nothing"
    MeasurementClient.objects.update(valid_until=Now() - timedelta(seconds=1))
    assert measurement_clients.load_carried() == ()
    assert measurement_clients.load_drained(run) is None
    assert measurement_clients.load_clients(run) == ("lab2", "lab3"), "the lab names them with the reason"
    assert not measurement_clients.are_valid(run)


def test_a_drain_is_noticed_during_a_run() -> None:
    for name in ("lab2", "lab3"):
        Machine.objects.create(name=name, joined_at=0.0)
    run = make_run("lab2", "lab3", "server")
    assert measurement_clients.load_drained(run) == frozenset()
    Machine.objects.filter(pk="lab3").update(is_draining=True)
    assert measurement_clients.load_drained(run) == frozenset({"lab3"})
