"""Measurements that steps of workshops request. An experiment is launched for each measurement, and stopped after
it."""

import secrets

from django.contrib.auth import get_user_model

from dashboard.core.measurements.measurement import Options, Probe
from dashboard.core.measurements.responder_experiment import responder_experiment
from dashboard.core.modes import ExperimentSpec
from dashboard.models import MeasurementRun
from dashboard.store import experiments as experiment_store
from dashboard.store.measurements import runs as measurement_store
from dashboard.store.write_lock import writing


def request_run(
    spec: ExperimentSpec,
    options: Options,
    owner_id: int | None,
    *,
    host: str = "",
    group: str = "",
    machine: str | None = None,
) -> str:
    """Stores an experiment that is to be launched, and queues its measurement, which starts once the experiment runs.
    Returns the id of the measurement run."""
    responder = responder_experiment(spec)
    twin = experiment_store.create_experiment(responder, owner_id, host=host, group=group, machine=machine)
    seed = secrets.randbits(32)
    return measurement_store.create_run(twin, spec.title, [Probe.TCP_RR], options, seed, twin=True, owner_id=owner_id)


def request_own_run(spec: ExperimentSpec, options: Options, owner_id: int | None) -> str:
    """Requests a measurement on the server's own engine and returns the id of the run. If the owner's newest run with
    the same title has not ended, returns the id of that run. Simultaneous requests of one owner with the same title
    return the same run."""
    with writing():
        if owner_id is not None:
            get_user_model()._default_manager.select_for_update().filter(pk=owner_id).first()
        return live_run(spec.title, owner_id) or request_run(spec, options, owner_id)


def live_run(title: str, owner_id: int | None, group: str = "") -> str:
    """The id of the newest run with this title; empty if this run has ended, or none exists. ``group`` is a group of a
    training session, whose runs are searched. If ``group`` is empty, the runs of the owner are searched."""
    newest = newest_run(title, owner_id, group)
    return str(newest.pk) if newest is not None and newest.state in measurement_store.LIVE else ""


def newest_run(title: str, owner_id: int | None, group: str = "") -> MeasurementRun | None:
    """The newest run with this title that was requested for the group of a training session or, if ``group`` is empty,
    for the owner. None if there is no such run."""
    rows = MeasurementRun.objects.filter(title=title[:200], twin=True, source=None, group=group)
    if not group:
        rows = rows.filter(experiment__owner_id=owner_id)
    return rows.order_by("-created_at").first()
