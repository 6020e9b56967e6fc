"""Queries of measurements. A twin is an experiment that is launched only to be measured, often in place of another."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
from django.db import transaction
from django.db.models import Q, QuerySet

from dashboard.core.measurements.conditions import with_conditions
from dashboard.core.measurements.formatting import moment_of
from dashboard.core.measurements.headline import write_headline
from dashboard.core.measurements.measurement import Environment, Measurement, Options, Probe, Stop
from dashboard.core.measurements.schedule import Series
from dashboard.core.measurements.series_key import series_signature
from dashboard.core.measurements.summary import build_measurement
from dashboard.core.modes import ExperimentSpec
from dashboard.core.paths.model import Path
from dashboard.models import Experiment, MeasurementRun, MeasurementSeries
from dashboard.store.experiments import is_alive, this_process
from dashboard.store.machines import here
from dashboard.store.measurements import blocks as block_store
from dashboard.store.operations.audit import audited, creates
from dashboard.store.operations.database_clock import shared_clock

WAITING, RUNNING = "waiting", "running"
FINISHED, CANCELLED, FAILED, INCOMPLETE = "finished", "cancelled", "failed", "incomplete"
LIVE = (WAITING, RUNNING)
#: The maximum number of measurements in the list on the page of an experiment.
MAX_LISTED = 10
_STATES = {Stop.NARROW: FINISHED, Stop.TIME: FINISHED, Stop.CANCELLED: CANCELLED, Stop.FAILED: FAILED}

Missing = tuple[tuple[Path, Probe, str], ...]


@creates
def create_run(
    experiment: str,
    title: str,
    probes: Sequence[Probe],
    options: Options,
    seed: int,
    *,
    twin: bool = False,
    source: str | None = None,
    owner_id: int | None = None,
) -> str:
    """Queues a measurement on the experiment's host and returns its id. ``twin`` is true if ``experiment`` is a twin.
    ``source`` is the id of the experiment that the twin replaces, None if it replaces none."""
    of = Experiment.objects.filter(pk=experiment).values("machine_id", "host", "group").first()
    run = MeasurementRun.objects.create(
        experiment_id=experiment,
        owner_id=owner_id,
        title=title[:200],
        options=msgspec.json.encode(options).decode(),
        probes=" ".join(probes),
        seed=seed,
        twin=twin,
        source_id=source,
        state=WAITING,
        **(of or {"machine_id": here()}),
    )
    return str(run.pk)


def begin_run(
    run: str, series: Sequence[Series], missing: Missing, environment: Environment, modes: Mapping[str, str]
) -> None:
    """Marks the run as started by this process. Stores its series, the environment, and the ``missing`` paths, which
    are not measured. ``modes`` maps the key of each column to the column's mode."""
    with transaction.atomic():
        row = MeasurementRun.objects.get(pk=run)
        row.state = RUNNING
        row.driver = this_process()
        row.started_at = shared_clock()
        row.environment = msgspec.json.encode(environment).decode()
        row.missing = msgspec.json.encode(missing).decode()
        row.save()
        options = msgspec.json.decode(row.options, type=Options)
        MeasurementSeries.objects.bulk_create(
            MeasurementSeries(
                run=row,
                key=one.key,
                column=one.path.server,
                path=one.path.name,
                probe=str(one.probe),
                signature=series_signature(one, modes, options),
                described=msgspec.json.encode(block_store.Described(one.path, one.busy_wait_ns)).decode(),
            )
            for one in series
        )


@dataclass(frozen=True, slots=True)
class RequestedRun:
    """A waiting measurement. ``experiment`` is the id of the experiment to measure, empty if it was removed. ``twin``
    is true if this experiment is a twin. ``source`` is the id of the experiment that the twin replaces, or empty.
    ``cancelled`` is true if the cancellation was requested."""

    id: str
    experiment: str
    probes: tuple[Probe, ...]
    options: Options
    seed: int
    twin: bool
    source: str = ""
    cancelled: bool = False


def hosts_waiting() -> frozenset[str]:
    """The ids of this machine's private hosts on which a measurement waits to start."""
    rows = MeasurementRun.objects.filter(machine=here(), state=WAITING).values_list("host", flat=True)
    return frozenset(rows) - {""}


def load_waiting(host: str = "") -> tuple[RequestedRun, ...]:
    """The waiting measurements of a private host or, if ``host`` is empty, of the machine's engine, oldest first."""
    rows = MeasurementRun.objects.filter(machine=here(), host=host, state=WAITING).order_by("created_at")
    return tuple(
        RequestedRun(
            str(row.pk),
            row.experiment_id or "",
            tuple(Probe(probe) for probe in row.probes.split()),
            msgspec.json.decode(row.options, type=Options),
            row.seed,
            row.twin,
            row.source_id or "",
            row.wanted == CANCELLED,
        )
        for row in rows
    )


def fail_run(run: str, reason: str, state: str = FAILED) -> None:
    """Ends a run that cannot start or continue: stores ``state`` and ``reason``."""
    MeasurementRun.objects.filter(pk=run).update(state=state, driver="", stop_reason=reason)


def column_modes(run: str) -> dict[str, str]:
    """The mode of each column, by column key: from a series of the column or, if it has none, from its arm."""
    asked = MeasurementRun.objects.filter(pk=run).values_list("experiment__spec", flat=True).first()
    spec = msgspec.json.decode(asked, type=ExperimentSpec) if asked else None
    found = {arm.key: str(arm.mode) for arm in spec.arms} if spec is not None else {}
    for column, signature in MeasurementSeries.objects.filter(run_id=run).values_list("column", "signature"):
        found[column] = signature.partition(" ")[0]
    return found


def chosen_experiment(run: str) -> str:
    """The id of the experiment that the user chose or, if it was removed, of its twin. Empty if both were removed."""
    found = MeasurementRun.objects.filter(pk=run).values_list("source_id", "experiment_id").first()
    return "" if found is None else found[0] or found[1] or ""


def runs_of(experiment: str) -> QuerySet[MeasurementRun]:
    """A query for the newest ``MAX_LISTED`` measurements of an experiment, of its parts and of their twins."""
    ids = Experiment.objects.filter(Q(pk=experiment) | Q(parent=experiment)).values("pk")
    return MeasurementRun.objects.filter(Q(experiment__in=ids) | Q(source__in=ids)).order_by("-created_at")[:MAX_LISTED]


def exists(run: str) -> bool:
    """Whether the run exists."""
    return MeasurementRun.objects.filter(pk=run).exists()


def finish_run(
    run: str, stopped: Stop, reason: str, elapsed_s: float, environment: Environment, refused: Mapping[str, str]
) -> None:
    """Stores how a run ended. ``refused`` maps the keys of abandoned series to the reasons."""
    MeasurementRun.objects.filter(pk=run).update(
        state=_STATES[stopped],
        stopped=str(stopped),
        stop_reason=reason,
        elapsed_s=elapsed_s,
        driver="",
        result="",
        environment=msgspec.json.encode(environment).decode(),
        refused=msgspec.json.encode(dict(refused)).decode(),
    )


def save_headline(run: str) -> None:
    """Computes and stores the headline, a sentence with the result, so that lists of runs need not compute it."""
    found = load_measurement(run)
    if found is not None:
        headline = with_conditions(write_headline(found).sentence, found.options.conditions)
        MeasurementRun.objects.filter(pk=run).update(headline=headline)


def load_headline(run: str) -> str:
    """The stored headline of a run; empty if the run has not finished or was deleted."""
    return MeasurementRun.objects.filter(pk=run).values_list("headline", flat=True).first() or ""


def is_inconclusive(run: str) -> bool:
    """Whether the headline of a run states that nothing was proved. True if the run does not exist."""
    found = load_measurement(run)
    return found is None or not write_headline(found).decided


@audited
def want_cancelled(run: str) -> bool:
    """Requests the cancellation of a run. Returns False if the run is neither waiting nor running."""
    return MeasurementRun.objects.filter(pk=run, state__in=LIVE).update(wanted=CANCELLED) == 1


def is_cancelled(run: str) -> bool:
    """Whether the cancellation of the run was requested."""
    return MeasurementRun.objects.filter(pk=run, wanted=CANCELLED).exists()


def mark_incomplete() -> int:
    """Gives the state ``incomplete`` to this machine's runs whose process died before their end; returns how many."""
    running = MeasurementRun.objects.filter(machine=here(), state=RUNNING).values_list("pk", "driver")
    dead = [run for run, driver in running if not is_alive(driver)]
    reason = "The measuring process ended unexpectedly."
    return MeasurementRun.objects.filter(pk__in=dead).update(state=INCOMPLETE, driver="", stop_reason=reason)


def load_measurement(run: str) -> Measurement | None:
    """The result of a run in the schema ``measurement/1``; None if the run does not exist. It is computed from the
    blocks. Once the run has ended, the result is stored, and later calls read it."""
    row = MeasurementRun.objects.filter(pk=run).first()
    if row is None:
        return None
    if row.result:
        with contextlib.suppress(msgspec.DecodeError):  # stored by an older version: build again
            return msgspec.json.decode(row.result, type=Measurement)
    found = _build(row)
    if row.state not in LIVE:
        MeasurementRun.objects.filter(pk=run, state=row.state).update(result=msgspec.json.encode(found).decode())
    return found


def elapsed_s(row: MeasurementRun) -> float:
    """How many seconds a run took or, if that was not stored, because it still runs or ended unexpectedly, the seconds
    to the end of its newest block."""
    return row.elapsed_s or block_store.measured_s(row.pk)


def _build(row: MeasurementRun) -> Measurement:
    series, blocks = block_store.load_blocks(row.pk)
    return build_measurement(
        series,
        blocks,
        msgspec.json.decode(row.environment or "{}", type=Environment),
        msgspec.json.decode(row.options, type=Options),
        seed=row.seed,
        missing=msgspec.json.decode(row.missing or "[]", type=Missing),
        refused=msgspec.json.decode(row.refused or "{}", type=dict[str, str]),
        started_at="" if row.started_at is None else moment_of(row.started_at).isoformat(),
        elapsed_s=elapsed_s(row),
        stopped=Stop(row.stopped) if row.stopped else None,
        stop_reason=row.stop_reason,
    )
