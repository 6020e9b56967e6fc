"""Copies experiments and measurements from the database in the form in which a report stores them."""

from collections.abc import Sequence
from dataclasses import replace

import msgspec
from django.db.models import Q

from dashboard.core.experiments.journal import replay
from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.machines.heads import apply_requests
from dashboard.core.experiments.messages import ENDED, EngineRef, ExperimentHead
from dashboard.core.measurements.measurement import Environment
from dashboard.core.modes import ExperimentSpec
from dashboard.core.reports.model import FrozenExperiment, FrozenRun
from dashboard.models import Experiment, MeasurementRun
from dashboard.store import experiments as experiment_store
from dashboard.store import parts
from dashboard.store.experiments import Record
from dashboard.store.machines import here
from dashboard.store.measurements import blocks as block_store
from dashboard.store.measurements import runs as measurement_store


class NotSavedError(ValueError):
    """A report cannot be saved. ``str()`` is a sentence for the user."""


def describe_engine(record: Record, head: ExperimentHead, answering: EngineRef | None) -> EngineRef:
    """Returns a description of the engine on which an experiment ran.

    ``answering`` describes the engine of this machine as it runs now. It is returned if the experiment ran on this
    engine only, and on the same version. Otherwise the result contains only what ``head`` recorded about the engine. If
    the experiment ran on several machines, each machine's column has its own engine.
    """
    recorded = EngineRef(head.engine, "", private=head.private, kind=head.engine_kind)
    if answering is None or record.parts or record.host or record.machine != here():
        return recorded
    is_same = (answering.version, answering.kind) == (recorded.version, recorded.kind)
    return answering if is_same or not head.engine else recorded


def freeze_experiment(experiment: str, engine: EngineRef | None = None) -> FrozenExperiment:
    """Copies an experiment with its journal up to the newest entry.

    ``engine`` describes the engine as it runs now. The copy contains this description, or what the journal recorded
    about the engine (``describe_engine``). Raises NotSavedError if the experiment does not exist or is being removed.
    """
    row = Experiment.objects.exclude(wanted=Wanted.REMOVED).filter(pk=experiment).first()
    record = experiment_store.load(experiment) if row is not None else None
    if row is None or record is None:
        raise NotSavedError("There is no experiment with this id. Reload the page.")
    journal = tuple(parts.read(record))
    head = replay(journal).head or experiment_store.waiting_head(record)
    last = max((entry.at for entry in journal), default=0.0)
    head = apply_requests(head, parts.requested_phases((record.id,)).get(record.id, ()), last)
    ended = head.phase in ENDED
    shown = min(parts.shown_number(record, row.shown_seq), journal[-1].seq) if ended and journal else 0
    if record.parts:
        head = replace(head, title=record.title)
    spec = msgspec.json.decode(row.spec, type=ExperimentSpec)
    return FrozenExperiment(spec, head, describe_engine(record, head, engine), journal, shown)


def runs_of(experiment: str) -> tuple[str, ...]:
    """The ids of an experiment's measurements that have ended and have blocks, oldest first. Measurements of the
    experiment's parts are included. So are those of twins: experiments that were launched only to be measured in its
    place."""
    ids = Experiment.objects.filter(Q(pk=experiment) | Q(parent=experiment)).values("pk")
    own = Q(experiment_id__in=ids) | Q(source_id__in=ids)
    rows = MeasurementRun.objects.filter(own, series__blocks__isnull=False).exclude(state__in=measurement_store.LIVE)
    return tuple(rows.order_by("created_at").distinct().values_list("pk", flat=True))


def freeze_runs(runs: Sequence[str]) -> tuple[FrozenRun, ...]:
    """Copies measurements with all their blocks. Raises NotSavedError if one of them does not exist or has not
    ended."""
    frozen = []
    for run in runs:
        row = MeasurementRun.objects.filter(pk=run).first()
        measurement = measurement_store.load_measurement(run)
        if row is None or measurement is None:
            raise NotSavedError("There is no measurement with this id. Reload the page.")
        if row.state in measurement_store.LIVE:
            raise NotSavedError("The measurement is still running. Wait until it ends, or cancel it; then save it.")
        series, blocks = block_store.load_blocks(run)
        flat = tuple(block for one in series for block in blocks.get(one.key, ()))
        frozen.append(FrozenRun(run, row.title, measurement, series, flat))
    return tuple(frozen)


def experiment_of(run: str) -> str:
    """The id of the experiment that a run measured; empty if it was removed."""
    rows = MeasurementRun.objects.filter(pk=run).exclude(experiment__wanted=Wanted.REMOVED)
    return rows.values_list("experiment_id", flat=True).first() or ""


def environment_of(
    runs: Sequence[FrozenRun], engine: EngineRef | None, machine: Environment | None = None
) -> Environment:
    """Returns the environment in which the last of these measurements ran. Without measurements, returns ``machine``
    (by default an empty environment), in which the kernel and the fields about the engine are replaced by those of
    ``engine``, unless ``engine`` is None."""
    if runs:
        return runs[-1].measurement.environment
    environment = machine or Environment()
    if engine is None:
        return environment
    return replace(
        environment,
        kernel=engine.kernel or environment.kernel,
        engine=engine.version,
        engine_api=engine.api,
        engine_kind=engine.kind,
    )
