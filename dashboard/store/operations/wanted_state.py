"""The wanted state of everything that runs, so that a lab can detect changes."""

from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.messages import Phase
from dashboard.models import ClaimRun, Experiment, MeasurementRun


def wanted_state() -> object:
    """A value that changes whenever the wanted state changes, so that the lab knows when to start a pass."""
    unsettled = Experiment.objects.exclude(wanted=Wanted.STOPPED, phase__in=[Phase.STOPPED, Phase.FAILED])
    runs = (model.objects.filter(state__in=["waiting", "running"]) for model in (MeasurementRun, ClaimRun))
    return (
        sorted(unsettled.values_list("pk", "wanted", "round")),
        *(sorted(rows.values_list("pk", "wanted")) for rows in runs),
    )
