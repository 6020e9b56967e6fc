"""The measurements that a step of a workshop requests."""

from __future__ import annotations

import msgspec
import pytest
from django.contrib.auth import get_user_model

from dashboard.core.measurements.measurement import Options
from dashboard.core.measurements.responder_experiment import RESPONDER_PORT
from dashboard.core.modes import ExperimentSpec
from dashboard.models import Experiment, MeasurementRun
from dashboard.store.measurements import steps as step_measurements
from tests.support.specs import make_spec

pytestmark = pytest.mark.django_db


def test_a_run_has_an_experiment_of_its_own_with_our_responder() -> None:
    spec = make_spec("host", "bridge")
    run = MeasurementRun.objects.get(pk=step_measurements.request_run(spec, Options(seconds=3), None))
    assert (run.title, run.twin, run.source, run.probes) == (spec.title, True, None, "tcp-rr")
    twin = msgspec.json.decode(Experiment.objects.get(pk=run.experiment_id).spec, type=ExperimentSpec)
    assert {arm.port for arm in twin.arms} == {RESPONDER_PORT}, "port 80 may belong to the workshop"
    assert [arm.mode for arm in twin.arms] == [arm.mode for arm in spec.arms]


def test_the_newest_run_of_an_owner_or_a_group_is_found() -> None:
    spec = make_spec("host", "bridge")
    me, other = (get_user_model().objects.create_user(name).pk for name in ("me", "other"))
    assert step_measurements.newest_run(spec.title, me) is None
    for owner in (me, other):
        step_measurements.request_run(spec, Options(), owner)
    mine = step_measurements.request_run(spec, Options(), me)
    group = step_measurements.request_run(spec, Options(), me, host="h", group="g")
    step_measurements.request_run(spec, Options(), other)
    found = step_measurements.newest_run(spec.title, me)
    assert found is not None
    assert found.pk == mine
    of_group = step_measurements.newest_run(spec.title, other, "g")
    assert of_group is not None
    assert of_group.pk == group
    assert step_measurements.newest_run("another step", me) is None
