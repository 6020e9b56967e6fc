"""Unsettled experiments, on the machines' own engines and on all private hosts. An experiment is unsettled if it runs,
should run, or is not cleaned up yet."""

from collections import Counter
from collections.abc import Collection

from dashboard.models import ClaimRun, MeasurementRun
from dashboard.store import claim_runs
from dashboard.store.experiments import unsettled, unsettled_anywhere
from dashboard.store.machines import here
from dashboard.store.measurements import runs as measurement_store


def load_ids() -> frozenset[str]:
    """The ids of this machine's experiments that run, should run, or are not cleaned up yet."""
    return frozenset(unsettled(here()).values_list("pk", flat=True))


def load_ids_elsewhere() -> frozenset[str]:
    """The ids of the unsettled experiments, and of the waiting or running claim runs, of all other machines. Empty on a
    machine that has joined the installation, because its role reads only its own rows."""
    experiments = unsettled_anywhere().exclude(machine=here())
    claims = ClaimRun.objects.exclude(machine=here()).filter(state__in=claim_runs.LIVE)
    return frozenset([*experiments.values_list("pk", flat=True), *claims.values_list("pk", flat=True)])


def load_hosts() -> frozenset[str]:
    """The ids of the private hosts (of training sessions and of LANs) that have unsettled experiments."""
    return frozenset(unsettled(here()).exclude(host="").values_list("host", flat=True))


def load_owners(hosts: Collection[str]) -> frozenset[int | None]:
    """The ids of the accounts with unsettled experiments on these hosts. None stands for experiments without an
    owner."""
    return frozenset(unsettled(here()).filter(host__in=hosts).values_list("owner_id", flat=True))


def count_by_host() -> Counter[str]:
    """The number of unsettled experiments by the id of their private host. The key for the machine's own engine is
    empty."""
    return Counter(unsettled(here()).values_list("host", flat=True))


def count_running(machine: str) -> int:
    """The total number of a machine's unsettled experiments, waiting or running measurements, and waiting or running
    claim runs."""
    runs = MeasurementRun.objects.filter(machine=machine, state__in=measurement_store.LIVE)
    claims = ClaimRun.objects.filter(machine=machine, state__in=claim_runs.LIVE)
    return unsettled(machine).count() + runs.count() + claims.count()
