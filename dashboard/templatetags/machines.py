"""Filters about experiments on several machines."""

from collections.abc import Sequence

from django import template

from dashboard.core.experiments.journal import Attempt
from dashboard.core.experiments.messages import Column
from dashboard.core.paths.attempts import group_attempts, name_client
from dashboard.web.experiments import table_presenter

register = template.Library()


@register.filter
def list_machines(columns: Sequence[Column]) -> tuple[table_presenter.MachineView, ...]:
    """The machines of the columns; empty if all columns belong to one machine."""
    return table_presenter.list_machines(columns)


@register.filter
def by_machine(attempts: Sequence[Attempt], columns: Sequence[Column]) -> tuple[tuple[str, tuple[Attempt, ...]], ...]:
    """The attempts of each machine, with its name."""
    return group_attempts(attempts, columns)


@register.filter
def client_name(origin: str, columns: Sequence[Column]) -> str:
    """The name of an attempt's client as users know it."""
    return name_client(origin, columns)
