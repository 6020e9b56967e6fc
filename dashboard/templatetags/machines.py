"""Template filters for experiments on several machines."""

from collections.abc import Sequence

from django import template

from dashboard.core.experiments.journal import Attempt
from dashboard.core.experiments.messages import Column
from dashboard.core.paths.attempts import group_attempts, name_client
from dashboard.web.experiments import table_presenter

register = template.Library()


@register.filter
def list_machines(columns: Sequence[Column]) -> tuple[table_presenter.MachineView, ...]:
    """Returns the machines to which the columns belong; empty if all belong to one machine."""
    return table_presenter.list_machines(columns)


@register.filter
def by_machine(attempts: Sequence[Attempt], columns: Sequence[Column]) -> tuple[tuple[str, tuple[Attempt, ...]], ...]:
    """Groups attempts by the machine of the requested server; returns the name of each machine with its attempts. The
    name is empty if the experiment runs on one machine only."""
    return group_attempts(attempts, columns)


@register.filter
def client_name(origin: str, columns: Sequence[Column]) -> str:
    """Returns the name of the client that sent an attempt: the title of its column, or the name of a machine without a
    column. ``origin`` is the key of the column or machine."""
    return name_client(origin, columns)
