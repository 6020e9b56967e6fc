"""The cells of one column, by key and field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dashboard.core.comparison.cells import Cell, Cells, ObservedColumns
from dashboard.core.experiments.messages import Column
from dashboard.core.namespaces.state import NamespaceState
from tests.core.builders import MACHINE, make_state
from tests.core.scenes import make_scene

Section = Callable[[ObservedColumns, Column, NamespaceState], Cells]


def say(section: Section, key: str, observed: ObservedColumns) -> dict[tuple[str, str], Cell]:
    """The cells of one column in one section, by key and field."""
    column = next(one for one in observed.columns if one.key == key)
    return {(row.key, row.field): cell for row, cell in section(observed, column, observed.states[key])}


def alone(section: Section, **fields: Any) -> dict[tuple[str, str], Cell]:
    """The cells of a machine with this state and no arms."""
    return say(
        section, MACHINE, ObservedColumns((Column(MACHINE, MACHINE, "this machine"),), {MACHINE: make_state(**fields)})
    )


def scene_of(*modes: str, **more: Any) -> ObservedColumns:
    return ObservedColumns(*make_scene(modes, **more))
