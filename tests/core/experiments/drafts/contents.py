"""What drafts of experiments contain, and their problems."""

from __future__ import annotations

from typing import Any

from dashboard.core.experiments.drafts import parse_draft
from dashboard.core.modes import ArmSpec


def arms_of(**values: Any) -> tuple[ArmSpec, ...]:
    """The arms of a draft that has no problems."""
    draft = parse_draft(values)
    assert draft.problems == ()
    return draft.spec.arms


def problems_of(**values: Any) -> list[tuple[str | None, str]]:
    """The arm and the field of each problem."""
    return [(problem.arm, problem.field) for problem in parse_draft(values).problems]


def sentence_of(**values: Any) -> str:
    """The text of the only problem."""
    (problem,) = parse_draft(values).problems
    return problem.sentence
