"""Experiments as the form, the API and the command line would read them."""

from __future__ import annotations

from typing import Any

from dashboard.core.experiments.drafts import parse_draft
from dashboard.core.modes import ExperimentSpec


def make_spec(*modes: str, **more: Any) -> ExperimentSpec:
    """One experiment with these modes; AssertionError if it could not be launched as said."""
    draft = parse_draft({"modes": list(modes), **more})
    assert not draft.problems, draft.problems
    return draft.spec
