"""Unsettled experiments of all hosts."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import override_settings

from dashboard.core.experiments.messages import Phase
from dashboard.core.operations.machines import MachineFacts
from dashboard.models import ClaimRun, Experiment, MeasurementRun
from dashboard.store import experiments as experiment_store
from dashboard.store import machines, unsettled
from tests.support.specs import make_spec

pytestmark = pytest.mark.django_db


def test_ended_experiments_are_not_unsettled() -> None:
    ada = User.objects.create(username="ada")
    made = {
        host: experiment_store.create_experiment(make_spec("none"), owner, "", host)
        for host, owner in (("", None), ("aaa111", ada.pk), ("bbb222", ada.pk))
    }
    Experiment.objects.filter(pk=made["bbb222"]).update(wanted="stopped", phase=Phase.STOPPED)
    assert unsettled.load_ids() == {made[""], made["aaa111"]}
    assert unsettled.load_hosts() == {"aaa111"}
    assert unsettled.load_owners(["aaa111", "bbb222"]) == {ada.pk}
    assert unsettled.load_owners(["", "bbb222"]) == {None}


def test_what_runs_on_other_machines_is_known_by_its_id() -> None:
    machines.register("lab2", {}, MachineFacts())
    experiment = experiment_store.create_experiment(make_spec("none"), machine="lab2")
    ended = experiment_store.create_experiment(make_spec("none"), machine="lab2")
    Experiment.objects.filter(pk=ended).update(wanted="stopped", phase=Phase.STOPPED)
    claims = ClaimRun.objects.create(state="running", machine_id="lab2")
    ClaimRun.objects.create(state="finished", machine_id="lab2")
    own = (experiment_store.create_experiment(make_spec("none")), ClaimRun.objects.create(state="running").pk)
    assert unsettled.load_ids_elsewhere() == {experiment, claims.pk}
    with override_settings(MACHINE="lab2"):
        assert unsettled.load_ids_elsewhere() == set(own)


def test_all_that_runs_on_a_machine_is_counted() -> None:
    machines.register("lab2", {}, MachineFacts())
    ran = experiment_store.create_experiment(make_spec("none"), machine="lab2")
    experiment_store.create_experiment(make_spec("none"))
    assert unsettled.count_running("lab2") == 1
    MeasurementRun.objects.create(title="t", seed=1, state="waiting", machine_id="lab2")
    ClaimRun.objects.create(state="running", machine_id="lab2")
    assert unsettled.count_running("lab2") == 3
    Experiment.objects.filter(pk=ran).update(wanted="stopped", phase=Phase.STOPPED)
    MeasurementRun.objects.update(state="finished")
    ClaimRun.objects.update(state="finished")
    assert unsettled.count_running("lab2") == 0
