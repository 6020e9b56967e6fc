"""Reads the wanted state of everything that runs, so that a lab can detect changes."""

from dashboard.models import ClaimRun, MeasurementRun
from dashboard.store import experiments as experiment_store
from dashboard.store.machines import here


def wanted_state() -> object:
    """Returns a value that changes whenever the wanted state of anything on this machine changes."""
    unsettled = experiment_store.unsettled(here())
    live = {"machine": here(), "state__in": ["waiting", "running"]}
    runs = (model.objects.filter(**live) for model in (MeasurementRun, ClaimRun))
    return (
        sorted(unsettled.values_list("pk", "wanted", "round")),
        *(sorted(rows.values_list("pk", "wanted")) for rows in runs),
    )
