"""Converts measurement runs to data for pages and the API."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from dashboard.core.measurements.measurement import Measurement, Options
from dashboard.models import MeasurementRun
from dashboard.store.measurements import runs as measurement_store
from dashboard.web.http.url_scope import SERVER_SCOPE, UrlScope

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shown:
    """The data about a run (``describe_run``), and its figures so far (``measurement/1``)."""

    run: dict[str, Any]
    measurement: Measurement | None


def describe_run(row: MeasurementRun) -> dict[str, Any]:
    """Returns the data that the page of a run shows above the figures. Durations are in seconds."""
    options = msgspec.json.decode(row.options, type=Options)
    elapsed = measurement_store.elapsed_s(row)
    remaining = None
    if row.state == measurement_store.RUNNING:
        remaining = max(0.0, options.seconds - elapsed)
    return {
        "id": row.pk,
        "title": row.title,
        "state": row.state,
        "stop_reason": row.stop_reason,
        "experiment_id": row.experiment_id,
        "experiment_url": f"/experiments/{row.experiment_id}/" if row.experiment_id else None,
        "url": f"/measurements/{row.pk}/",
        "created_at": row.created_at,
        "started_at": row.started_at,
        "elapsed_s": elapsed,
        "seconds": options.seconds,
        "remaining_s": remaining,
        "probes": row.probes.split(),
        "seed": row.seed,
        "conditions": options.conditions,
        "wanted": row.wanted,
        "owner": row.owner_id,
    }


def describe_runs(rows: Iterable[MeasurementRun]) -> list[tuple[MeasurementRun, dict[str, Any]]]:
    """Returns each run with its data (``describe_run``). Omits rows that cannot be read: a machine's lab may write
    invalid ones."""
    described = []
    for row in rows:
        try:
            described.append((row, describe_run(row)))
        except msgspec.MsgspecError as error:
            log.warning("measurement %s of machine %s cannot be read: %s", row.pk, row.machine_id, error)
    return described


def list_runs(rows: Iterable[MeasurementRun], scope: UrlScope = SERVER_SCOPE) -> list[dict[str, Any]]:
    """Returns the runs as entries of a list. ``verdict_line`` is the headline or, if it is empty, the reason why the
    run stopped."""
    return [
        {**run, "url": scope.measurement(row.pk), "verdict_line": row.headline or row.stop_reason}
        for row, run in describe_runs(rows)
    ]


def show_run(identity: str, before: Shown | None = None) -> Shown | None:
    """Returns the current state of a run; None if the run does not exist.

    If the run has the same state as in ``before``, the figures of ``before`` are reused.
    """
    row = MeasurementRun.objects.filter(pk=identity).first()
    if row is None:
        return None
    run = describe_run(row)
    if before is not None and before.run["state"] == run["state"]:
        return Shown(run, before.measurement)
    return Shown(run, measurement_store.load_measurement(identity))
