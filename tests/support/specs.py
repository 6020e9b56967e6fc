"""Specs of experiments as the form, the API and the command line read them."""

from __future__ import annotations

from typing import Any

from dashboard.core.experiments.drafts import parse_draft
from dashboard.core.modes import ExperimentSpec


def make_spec(*modes: str, **more: Any) -> ExperimentSpec:
    """The spec of an experiment with these modes; AssertionError if it cannot be launched."""
    draft = parse_draft({"modes": list(modes), **more})
    assert not draft.problems, draft.problems
    return draft.spec
