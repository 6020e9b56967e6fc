"""The reason of one row, and scenes with one change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dashboard.core.comparison.rows import compare
from dashboard.core.experiments.engine_kind import EngineKind
from dashboard.core.namespaces.state import sorted_state
from tests.core.builders import MACHINE, Columns, States, with_column


def why(scene: tuple[Columns, States], section: str, key: str, field: str = "") -> str:
    """The reason of one row."""
    rows = compare(*scene)
    return next(one.why for one in rows if (one.section, one.key, one.field) == (section, key, field))


def on_podman(scene: tuple[Columns, States]) -> tuple[Columns, States]:
    """The scene on Podman: only the kind of the engine differs."""
    columns, states = scene
    return with_column(columns, MACHINE, engine_kind=EngineKind.PODMAN), states


def change(scene: tuple[Columns, States], key: str, **fields: Any) -> tuple[Columns, States]:
    """The scene with another state of one column."""
    columns, states = scene
    return columns, states | {key: sorted_state(replace(states[key], **fields))}
