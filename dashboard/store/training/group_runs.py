"""What groups of a class run on their hosts besides the steps, in the database: begun within limits, and whose it is.

What a group began stays when its host is gone, marked as over. ``class_store.works_of`` tells it afterwards.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import msgspec
from django.db.models import Model

from dashboard.core.claims.catalogue import all_claims
from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.messages import Phase
from dashboard.core.measurements.measurement import Options, Probe
from dashboard.core.measurements.responder_experiment import needs_twin, twin_of
from dashboard.core.modes import ExperimentSpec
from dashboard.core.training.group_quota import (
    Load,
    WorkKind,
    choose_for_class,
    refuse_claims,
    refuse_launch,
    refuse_measurement,
)
from dashboard.core.training.host_plan import HostStage
from dashboard.models import ClaimRun, Experiment, GroupHost, MeasurementRun
from dashboard.store import claim_runs
from dashboard.store import experiments as experiment_store
from dashboard.store import measurements as measurement_store
from dashboard.store.training.hosts import NoHostError, RoomError, touch
from dashboard.store.write_lock import writing

_MODELS: dict[WorkKind, type[Model]] = {
    WorkKind.EXPERIMENT: Experiment,
    WorkKind.MEASUREMENT: MeasurementRun,
    WorkKind.CLAIMS: ClaimRun,
}
_ENDED = [Phase.STOPPED, Phase.FAILED]
AWAY = "Your private host does not run now: start it first."
COMING = "Your private host is being started: wait a moment."


def group_of(kind: WorkKind, identity: str) -> str | None:
    """The group whose it is; empty if it is no class's, None if there is no such thing."""
    rows = _MODELS[kind]._default_manager.filter(pk=identity)
    found: str | None = rows.values_list("group", flat=True).first()
    return found


def ready_host(group: str) -> str:
    """The id of the group's host; NoHostError with a sentence if none is ready."""
    row = GroupHost.objects.filter(pk=group).first()
    if row is None or row.state != HostStage.READY or not row.host:
        coming = row is not None and row.state in {HostStage.QUEUED, HostStage.STARTING}
        raise NoHostError((row.reason if row is not None else "") or (COMING if coming else AWAY))
    return row.host


def used(group: str) -> None:
    """Somebody works on the group's host: it is not idle."""
    with writing():
        touch({group: time.time()})


@contextmanager
def _alone(group: str) -> Iterator[str]:
    """A transaction in which nobody else of the group begins anything; its host is ready, and in use. A whole class may
    ask at once."""
    with writing():
        GroupHost.objects.select_for_update().filter(pk=group).first()
        host = ready_host(group)
        touch({group: time.time()})
        yield host


def _load(host: str, without: str = "") -> Load:
    live = Experiment.objects.filter(host=host, wanted=Wanted.RUNNING).exclude(phase__in=_ENDED).exclude(pk=without)
    arms = {
        key: len(msgspec.json.decode(text, type=ExperimentSpec).arms) for key, text in live.values_list("pk", "spec")
    }
    twins = set(
        MeasurementRun.objects.filter(twin=True, experiment_id__in=arms).values_list("experiment_id", flat=True)
    )
    return Load(
        experiments=len(arms.keys() - twins),
        containers=sum(arms.values()),
        measurements=MeasurementRun.objects.filter(host=host, state__in=measurement_store.LIVE).count(),
        claim_runs=ClaimRun.objects.filter(host=host, state__in=claim_runs.LIVE).count(),
    )


def _with_kept(load: Load, kind: WorkKind, group: str) -> Load:
    rows = _MODELS[kind]._default_manager.filter(group=group)
    if kind is WorkKind.EXPERIMENT:
        rows = rows.exclude(measurements__twin=True)
    return replace(load, kept=rows.count())


def launch(spec: ExperimentSpec, owner_id: int | None, group: str) -> str:
    """A new experiment on the group's host. NoHostError, or RoomError with what to do; returns its id."""
    with _alone(group) as host:
        load = _with_kept(_load(host), WorkKind.EXPERIMENT, group)
        if problem := refuse_launch(load, len(spec.arms)):
            raise RoomError(problem)
        return experiment_store.create_experiment(spec, owner_id, host=host, group=group)


def launch_again(experiment: str, group: str) -> bool:
    """A new round, on the host that the group has now; False if there is no such experiment. NoHostError or
    RoomError."""
    with _alone(group) as host:
        row = Experiment.objects.filter(pk=experiment, group=group).exclude(wanted=Wanted.REMOVED).first()
        if row is None:
            return False
        arms = msgspec.json.decode(row.spec, type=ExperimentSpec).arms
        if problem := refuse_launch(_load(host, without=experiment), len(arms), anew=False):
            raise RoomError(problem)
        if row.phase in _ENDED:
            # It counts from now on, not only once the lab has taken it up.
            Experiment.objects.filter(pk=experiment).update(host=host, phase=Phase.WAITING)
        return experiment_store.set_wanted(experiment, Wanted.RUNNING, again=True)


def measure(experiment: str, group: str, probes: Sequence[Probe], options: Options, owner_id: int | None) -> str:
    """A measurement of one of the group's experiments. NoHostError, or RoomError with what to do; returns its id."""
    with _alone(group) as host:
        row = Experiment.objects.get(pk=experiment, group=group)
        if row.host != host:
            raise RoomError("The host on which it ran is gone: launch it again first.")
        spec, twin = msgspec.json.decode(row.spec, type=ExperimentSpec), needs_twin(tuple(probes))
        load = _with_kept(_load(host), WorkKind.MEASUREMENT, group)
        if problem := refuse_measurement(load, len(spec.arms) if twin else 0, options.seconds):
            raise RoomError(problem)
        target, source = experiment, None
        if twin:
            target, source = (
                experiment_store.create_experiment(twin_of(spec), owner_id, host=host, group=group),
                experiment,
            )
        seed = secrets.randbits(32)
        return measurement_store.create_run(target, row.title, probes, options, seed, twin=twin, source=source)


def execute(claims: Sequence[str], group: str, owner_id: int | None) -> str:
    """A run of these claims, or of all that are executed in a class. ValueError for one that is not, NoHostError, or
    RoomError; returns its id."""
    chosen = choose_for_class(all_claims(), claims)
    with _alone(group) as host:
        if problem := refuse_claims(_with_kept(_load(host), WorkKind.CLAIMS, group)):
            raise RoomError(problem)
        return claim_runs.create_run([one.id for one in chosen], owner_id, host=host, group=group)


def end_of_host(host: str, why: str) -> tuple[str, ...]:
    """Nothing that waits on this host will begin any more; the measurements of which that is so."""
    waiting = MeasurementRun.objects.filter(host=host, state=measurement_store.WAITING)
    found = tuple(waiting.values_list("pk", flat=True))
    for run in found:
        measurement_store.fail_run(run, why, measurement_store.CANCELLED)
    ClaimRun.objects.filter(host=host, state=claim_runs.WAITING).update(state=claim_runs.CANCELLED, problem=why)
    # Of those that nobody has taken up there is no journal which could say that they are over.
    rows = Experiment.objects.filter(host=host, wanted=Wanted.STOPPED).exclude(phase__in=_ENDED)
    rows.update(phase=Phase.STOPPED)
    Experiment.objects.filter(host=host, wanted=Wanted.REMOVED).delete()
    return found


def experiments_of(group: str, most: int) -> tuple[Experiment, ...]:
    """A group's experiments, the newest first; what was launched to be measured beside one is left out."""
    rows = Experiment.objects.filter(group=group).exclude(wanted=Wanted.REMOVED).exclude(measurements__twin=True)
    return tuple(rows.order_by("-created_at")[:most])


def measurements_of(group: str, most: int) -> tuple[MeasurementRun, ...]:
    """A group's measurements, the newest first."""
    return tuple(MeasurementRun.objects.filter(group=group).order_by("-created_at")[:most])
