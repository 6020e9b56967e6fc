"""Filters about experiments on several machines."""

from collections.abc import Sequence

from django import template

from dashboard.core.experiments.messages import Column
from dashboard.web.experiments import table_presenter

register = template.Library()


@register.filter
def list_machines(columns: Sequence[Column]) -> tuple[table_presenter.MachineView, ...]:
    """The machines of the columns; empty if all columns belong to one machine."""
    return table_presenter.list_machines(columns)
