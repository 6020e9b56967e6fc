"""Queries of the clients of a measurement run. These are other machines from which the run measures for a limited time.
Only web processes add clients or change their time limit.

All times are by the clock of the database.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, OuterRef
from django.db.models.functions import Least, Now

from dashboard.core.measurements.measurement import Options, Probe
from dashboard.models import Machine, MeasurementClient
from dashboard.store.measurements import runs as measurement_store
from dashboard.store.measurements.runs import LIVE

#: Limits of a run in seconds: the wait for its first block, and the time for its blocks beyond ``Options.seconds``.
WAIT_S = 7200.0
EXTRA_S = 120.0


@dataclass(frozen=True, slots=True)
class CarriedRun:
    """A queued or running measurement with clients on other machines. ``clients`` are the names of these machines.

    ``machine`` is the machine whose lab drives the run; None is the installation's own. ``experiment`` is the id of the
    experiment that the user chose, even if a twin is measured instead. If that experiment was deleted, it is the id of
    the twin, or empty without a twin. ``seconds`` is how long the clients may measure, counted from the first block.
    """

    id: str
    machine: str | None
    experiment: str
    seconds: float
    clients: tuple[str, ...]


def create_run(
    names: Sequence[str],
    experiment: str,
    title: str,
    probes: Sequence[Probe],
    options: Options,
    *arguments: Any,
    **further: Any,
) -> str:
    """Queues a measurement with clients on the machines ``names``, and returns its id. All other arguments are those of
    ``measurements.create_run``. Labs have no permission to add clients, so no lab can make another machine measure."""
    seconds = options.seconds + EXTRA_S
    valid_until = Now() + timedelta(seconds=WAIT_S + seconds)
    with transaction.atomic():
        run = measurement_store.create_run(experiment, title, probes, options, *arguments, **further)
        MeasurementClient.objects.bulk_create(
            MeasurementClient(run_id=run, machine=name, seconds=seconds, valid_until=valid_until) for name in names
        )
    return run


def load_clients(run: str) -> tuple[str, ...]:
    """The names of the other machines from which a run measures."""
    return tuple(MeasurementClient.objects.filter(run_id=run).order_by("machine").values_list("machine", flat=True))


def are_valid(run: str) -> bool:
    """Whether the clients of a run, the other machines that measure for it, are still permitted to do so. False if the
    run has no clients, or if their time is over."""
    return MeasurementClient.objects.filter(run_id=run, valid_until__gt=Now()).exists()


def load_carried() -> tuple[CarriedRun, ...]:
    """The queued and running measurements whose clients may still measure. First deletes the clients of ended runs.
    Otherwise the lab of an ended run could mark it as running again and use its clients."""
    MeasurementClient.objects.exclude(run__state__in=LIVE).delete()
    rows = MeasurementClient.objects.filter(run__state__in=LIVE, valid_until__gt=Now()).order_by("run_id", "machine")
    found: dict[str, CarriedRun] = {}
    columns = ("run_id", "run__machine_id", "run__experiment_id", "run__source_id", "seconds", "machine")
    for run, machine, experiment, source, seconds, client in rows.values_list(*columns):
        before = found[run].clients if run in found else ()
        found[run] = CarriedRun(run, machine, source or experiment or "", seconds, (*before, client))
    return tuple(found.values())


def begin_blocks(run: str, seconds: float) -> None:
    """Limits the measuring time of a run's clients to ``seconds`` from now. Called at the first block; a second call
    cannot extend the limit."""
    end = Now() + timedelta(seconds=seconds)
    MeasurementClient.objects.filter(run_id=run).update(valid_until=Least(F("valid_until"), end))


def load_drained(run: str) -> frozenset[str] | None:
    """The names of the run's clients that are drained. None if the run has ended or the time of its clients is over."""
    rows = MeasurementClient.objects.filter(run_id=run, run__state__in=LIVE, valid_until__gt=Now())
    drained = Exists(Machine.objects.filter(pk=OuterRef("machine"), is_draining=True))
    found = dict(rows.values_list("machine", drained))
    return frozenset(name for name, is_drained in found.items() if is_drained) if found else None
