"""Queries over the unsettled experiments of all hosts: those that run, should run, or are not cleaned up yet."""

from collections.abc import Collection

from dashboard.store.experiments import unsettled


def load_ids() -> frozenset[str]:
    """The ids of all."""
    return frozenset(unsettled().values_list("pk", flat=True))


def load_hosts() -> frozenset[str]:
    """The private hosts with some: those of training sessions and of LANs."""
    return frozenset(unsettled().exclude(host="").values_list("host", flat=True))


def load_owners(hosts: Collection[str]) -> frozenset[int | None]:
    """The accounts with some on these hosts; None for experiments without an account."""
    return frozenset(unsettled().filter(host__in=hosts).values_list("owner_id", flat=True))
