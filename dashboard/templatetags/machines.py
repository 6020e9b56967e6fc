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
    """Returns the machines to which the columns belong; empty if there is only one."""
    return table_presenter.list_machines(columns)


@register.filter
def by_machine(attempts: Sequence[Attempt], columns: Sequence[Column]) -> tuple[tuple[str, tuple[Attempt, ...]], ...]:
    """Groups attempts by machine; returns each machine's name with its attempts. The name is empty if there is only one
    machine."""
    return group_attempts(attempts, columns)


@register.filter
def client_name(origin: str, columns: Sequence[Column]) -> str:
    """Returns the name of the client that sent an attempt: the title of a column, or the name of another machine.
    ``origin`` is the key of that column or machine."""
    return name_client(origin, columns)
