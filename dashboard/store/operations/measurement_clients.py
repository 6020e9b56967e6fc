"""The other machines from which a run measures, as a web process has written them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from dashboard.models import MeasurementClient, MeasurementRun
from dashboard.store import measurements as measurement_store
from dashboard.store.measurements import LIVE


@dataclass(frozen=True, slots=True)
class CarriedRun:
    """A run that has not ended, on the lab of ``machine``, with clients on other machines."""

    id: str
    machine: str | None
    clients: tuple[str, ...]


def create_run(names: Sequence[str], *arguments: Any, **options: Any) -> str:
    """As ``measurements.create_run``, with clients on these machines too. Labs may not write them, so none can make
    another one measure."""
    with transaction.atomic():
        run = measurement_store.create_run(*arguments, **options)
        MeasurementClient.objects.bulk_create(MeasurementClient(run_id=run, machine=name) for name in names)
    return run


def load_clients(run: str) -> tuple[str, ...]:
    """The machines from which a run measures."""
    return tuple(MeasurementClient.objects.filter(run_id=run).order_by("machine").values_list("machine", flat=True))


def load_carried() -> tuple[CarriedRun, ...]:
    """The runs with clients on other machines that wait or run."""
    rows = MeasurementClient.objects.filter(run__state__in=LIVE).order_by("run_id", "machine")
    found: dict[str, CarriedRun] = {}
    for run, machine, client in rows.values_list("run_id", "run__machine_id", "machine"):
        before = found.get(run, CarriedRun(run, machine, ()))
        found[run] = CarriedRun(run, machine, (*before.clients, client))
    return tuple(found.values())


def is_live(run: str) -> bool:
    """Whether a run waits or runs."""
    return MeasurementRun.objects.filter(pk=run, state__in=LIVE).exists()
