"""Ends the experiments and runs of a revoked machine, whose lab can no longer record their end."""

import logging

from django.db import DatabaseError, transaction

from dashboard.core.experiments.journal import Cause, Entry, Source, stopped
from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.messages import Phase
from dashboard.models import ClaimRun, Experiment, MeasurementRun
from dashboard.store import claim_runs
from dashboard.store import experiments as experiment_store
from dashboard.store import journal as journal_store
from dashboard.store.experiments import Record
from dashboard.store.measurements import runs as measurement_store
from dashboard.store.operations.database_clock import shared_clock

log = logging.getLogger(__name__)


def end_work(machine: str) -> None:
    """Records that everything on a revoked machine has ended, and deletes the experiments that were to be removed. If
    an experiment cannot be changed, logs this and continues, because the machine is revoked in any case."""
    reason = f"The machine “{machine}” was revoked."
    runs = MeasurementRun.objects.filter(machine=machine, state__in=measurement_store.LIVE)
    runs.update(state=measurement_store.CANCELLED, driver="", stop_reason=reason)
    claims = ClaimRun.objects.filter(machine=machine, state__in=claim_runs.LIVE)
    claims.update(state=claim_runs.CANCELLED, driver="", problem=reason)
    for experiment in experiment_store.unsettled(machine).values_list("pk", flat=True):
        try:
            _end(experiment, reason)
        except DatabaseError as error:
            log.warning("the end of experiment %s on %s could not be recorded: %s", experiment, machine, error)
        except Exception:
            # The lab has written an unreadable journal: the row ends without a further entry.
            log.exception("the journal of experiment %s on %s cannot be read", experiment, machine)
            ended = {"wanted": Wanted.STOPPED, "phase": Phase.STOPPED, "driver": ""}
            Experiment.objects.filter(pk=experiment).exclude(wanted=Wanted.REMOVED).update(**ended)
            Experiment.objects.filter(pk=experiment, wanted=Wanted.REMOVED).delete()


@transaction.atomic
def _end(experiment: str, reason: str) -> None:
    record = experiment_store.load(experiment)
    if record is None or record.wanted is Wanted.REMOVED:
        experiment_store.delete(experiment)
        return
    _write_end(experiment_store.request_end(experiment) or record, reason)


def _write_end(record: Record, reason: str) -> None:
    view, now = journal_store.view(record.id), shared_clock()
    shown = view if view.head is not None else experiment_store.waiting_view(record)
    assert shown.head is not None  # noqa: S101 - waiting_view has one
    head, facts = stopped(shown.head, shown.columns, now, reason, record.round)
    entry = Entry(view.seq + 1, now, Cause(Source.LAB, "revoked"), facts, reason.rstrip("."))
    journal_store.append(record.id, [entry])
    experiment_store.save_head(record.id, head, entry.seq)
