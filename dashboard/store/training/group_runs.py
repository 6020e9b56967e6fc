"""Starts experiments, measurements and claim runs of groups on their private hosts, within each group's quota.

When a host is removed, its runs remain in the database, recorded as stopped.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import msgspec
from django.db.models import Model

from dashboard.core.claims.catalogue import all_claims
from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.messages import ENDED, Phase
from dashboard.core.measurements.measurement import Options, Probe
from dashboard.core.measurements.responder_experiment import needs_responder_experiment
from dashboard.core.modes import ExperimentSpec
from dashboard.core.operations.machines import place_of
from dashboard.core.training.group_quota import (
    GroupLoad,
    RunKind,
    choose_claims,
    refuse_claims,
    refuse_launch,
    refuse_measurement,
)
from dashboard.core.training.host_plan import HostStage
from dashboard.models import ClaimRun, Experiment, GroupHost, MeasurementRun
from dashboard.store import claim_runs, machines
from dashboard.store import experiments as experiment_store
from dashboard.store.measurements import requests as measurement_requests
from dashboard.store.measurements import runs as measurement_store
from dashboard.store.measurements import steps as step_measurements
from dashboard.store.operations.database_clock import shared_clock
from dashboard.store.training import host_placement
from dashboard.store.training.hosts import NoHostError, QuotaError, machine_of_group, touch
from dashboard.store.write_lock import writing

_MODELS: dict[RunKind, type[Model]] = {
    RunKind.EXPERIMENT: Experiment,
    RunKind.MEASUREMENT: MeasurementRun,
    RunKind.CLAIMS: ClaimRun,
}
NOT_RUNNING = "The private host is not running. Start it first."
STARTING = "The private host is starting. Wait a moment."


def group_of(kind: RunKind, identity: str) -> str | None:
    """The key of the group that started this run. Empty if the run does not belong to a group, None if it does not
    exist."""
    rows = _MODELS[kind]._default_manager.filter(pk=identity)
    group: str | None = rows.values_list("group", flat=True).first()
    return group


def ready_place(group: str) -> str:
    """The place of the group's host: a name from which ``core.operations.machines.split_place`` reads the machine and
    the host. Raises NoHostError if the host is not ready."""
    row = _ready(group)
    return place_of(row.machine_id, row.host)


def describe_unready(stage: str, reason: str) -> str:
    """Returns why a host in this state cannot be used. ``reason`` is the recorded reason, empty without one."""
    return reason or (STARTING if stage in {HostStage.QUEUED, HostStage.STARTING} else NOT_RUNNING)


def _ready(group: str) -> GroupHost:
    row = GroupHost.objects.filter(pk=group).first()
    if row is None:
        raise NoHostError(NOT_RUNNING)
    if row.state != HostStage.READY or not row.host:
        raise NoHostError(describe_unready(row.state, row.reason))
    return row


def mark_used(group: str) -> None:
    """Records that the group's host is in use now, so that it does not count as idle."""
    with writing():
        touch({group: shared_clock()})


@contextmanager
def _locked_host(group: str) -> Iterator[str]:
    """Context manager for a transaction that locks the row of the group's host, and yields the id of the host. The lock
    is needed because all members of the group may start runs at the same time. Raises NoHostError if the host is not
    ready, and MachineClosedError if the host's machine is revoked."""
    with writing():
        GroupHost.objects.select_for_update().filter(pk=group).first()
        row = _ready(group)
        machines.require_open(row.machine_id, for_group=True)
        touch({group: shared_clock()})
        yield row.host


def _load(host: str, without: str = "") -> GroupLoad:
    live = Experiment.objects.filter(host=host, wanted=Wanted.RUNNING).exclude(phase__in=ENDED).exclude(pk=without)
    arms = {
        key: len(msgspec.json.decode(spec, type=ExperimentSpec).arms) for key, spec in live.values_list("pk", "spec")
    }
    twins = MeasurementRun.objects.filter(twin=True, experiment_id__in=arms).values_list("experiment_id", flat=True)
    return GroupLoad(
        experiments=len(arms.keys() - set(twins)),
        containers=sum(arms.values()),
        measurements=MeasurementRun.objects.filter(host=host, state__in=measurement_store.LIVE).count(),
        claim_runs=ClaimRun.objects.filter(host=host, state__in=claim_runs.LIVE).count(),
    )


def _with_kept(load: GroupLoad, kind: RunKind, group: str) -> GroupLoad:
    rows = _MODELS[kind]._default_manager.filter(group=group)
    if kind is RunKind.EXPERIMENT:
        rows = rows.exclude(measurements__twin=True)
    return replace(load, kept=rows.count())


def _check(refusal: str | None) -> None:
    if refusal:
        raise QuotaError(refusal)


def launch(spec: ExperimentSpec, owner_id: int | None, group: str) -> str:
    """Launches an experiment on the group's host and returns its id. Raises NoHostError or QuotaError."""
    with _locked_host(group) as host:
        _check(refuse_launch(_with_kept(_load(host), RunKind.EXPERIMENT, group), len(spec.arms)))
        machine = machine_of_group(group)
        return experiment_store.create_experiment(spec, owner_id, host=host, group=group, machine=machine)


def launch_again(experiment: str, group: str) -> bool:
    """Launches an experiment again, on the group's current host. Returns False if the experiment does not exist. Raises
    NoHostError or QuotaError."""
    with _locked_host(group) as host:
        row = Experiment.objects.filter(pk=experiment, group=group).exclude(wanted=Wanted.REMOVED).first()
        if row is None:
            return False
        arms = msgspec.json.decode(row.spec, type=ExperimentSpec).arms
        _check(refuse_launch(_load(host, without=experiment), len(arms), new=False))
        if row.phase in ENDED:
            # Counts toward the quota from now on, even before the lab starts it.
            machine = machine_of_group(group)
            Experiment.objects.filter(pk=experiment).update(host=host, machine=machine, phase=Phase.WAITING)
            host_placement.assign_measurements([experiment], machine)
        return experiment_store.set_wanted(experiment, Wanted.RUNNING, again=True)


def measure(experiment: str, group: str, probes: Sequence[Probe], options: Options, owner_id: int | None) -> str:
    """Queues a measurement of one of the group's experiments and returns its id. Raises NoHostError or QuotaError."""
    with _locked_host(group) as host:
        row = Experiment.objects.get(pk=experiment, group=group)
        if row.host != host:
            raise QuotaError("The host on which the experiment ran is gone. Launch the experiment again first.")
        arms = msgspec.json.decode(row.spec, type=ExperimentSpec).arms
        launched = len(arms) if needs_responder_experiment(tuple(probes)) else 0
        load = _with_kept(_load(host), RunKind.MEASUREMENT, group)
        _check(refuse_measurement(load, launched, options.seconds))
        return measurement_requests.request_run(row, probes, options, owner_id)


def measure_step(spec: ExperimentSpec, group: str, options: Options, owner_id: int | None) -> str:
    """Queues the measurement that a workshop's step requests, and returns its id. If an earlier measurement of the step
    has not ended, returns the id of that one. Raises NoHostError or QuotaError."""
    with _locked_host(group) as host:
        if live := step_measurements.live_run(spec.title, owner_id, group):
            return live
        load = _with_kept(_load(host), RunKind.MEASUREMENT, group)
        _check(refuse_measurement(load, len(spec.arms), options.seconds))
        machine = machine_of_group(group)
        return step_measurements.request_run(spec, options, owner_id, host=host, group=group, machine=machine)


def run_claims(claims: Sequence[str], group: str, owner_id: int | None) -> str:
    """Queues a claim run on the group's host and returns its id. If ``claims`` is empty, runs all claims that can run
    in a session. Raises NoHostError or QuotaError, and ValueError if one of ``claims`` is unknown or cannot run in a
    session."""
    chosen = choose_claims(all_claims(), claims)
    with _locked_host(group) as host:
        _check(refuse_claims(_with_kept(_load(host), RunKind.CLAIMS, group)))
        ids, machine = [claim.id for claim in chosen], machine_of_group(group)
        return claim_runs.create_run(ids, owner_id, host=host, group=group, machine=machine)


def end_host(host: str, reason: str) -> tuple[str, ...]:
    """Ends the pending work of a private host that was removed. Cancels its waiting measurements and claim runs with
    ``reason``. Marks experiments that are to stop as stopped, and deletes those that are to be removed. Returns the ids
    of the cancelled measurements."""
    waiting = MeasurementRun.objects.filter(host=host, state=measurement_store.WAITING)
    cancelled = tuple(waiting.values_list("pk", flat=True))
    for run in cancelled:
        measurement_store.fail_run(run, reason, measurement_store.CANCELLED)
    ClaimRun.objects.filter(host=host, state=claim_runs.WAITING).update(state=claim_runs.CANCELLED, problem=reason)
    # Experiments that the lab never started have no journal in which it could record the end.
    rows = Experiment.objects.filter(host=host, wanted=Wanted.STOPPED).exclude(phase__in=ENDED)
    rows.update(phase=Phase.STOPPED)
    Experiment.objects.filter(host=host, wanted=Wanted.REMOVED).delete()
    return cancelled


def experiments_of(group: str, limit: int) -> tuple[Experiment, ...]:
    """A group's newest experiments, newest first, without those that were launched only for a measurement."""
    rows = Experiment.objects.filter(group=group).exclude(wanted=Wanted.REMOVED).exclude(measurements__twin=True)
    return tuple(rows.order_by("-created_at")[:limit])


def measurements_of(group: str, limit: int) -> tuple[MeasurementRun, ...]:
    """A group's newest measurements, newest first."""
    return tuple(MeasurementRun.objects.filter(group=group).order_by("-created_at")[:limit])


def delete_runs(session: str) -> None:
    """Deletes all experiments, measurements and claim runs of a session's groups."""
    for model in (MeasurementRun, ClaimRun, Experiment):
        model._default_manager.filter(group__startswith=f"{session}-").delete()
