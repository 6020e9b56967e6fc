"""Contents with states of one's own, for tests of what is taken out of a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dashboard.core.experiments.journal import Entry, Facts
from dashboard.core.experiments.messages import Column
from dashboard.core.namespaces.state import NamespaceState
from dashboard.core.reports.model import ReportContent
from tests.reports import make_content


def with_scene(columns: Sequence[Column], states: dict[str, NamespaceState], **more: object) -> ReportContent:
    """A report whose experiment showed just these columns and states."""
    content = make_content(0, ())
    assert content.experiment is not None
    first = content.experiment.journal[0]
    head = replace(first, facts=Facts(head=content.experiment.head, columns=tuple(columns)))
    entries = (head, Entry(2, first.at + 1, first.cause, Facts(states=states), "All arms run"))
    experiment = replace(content.experiment, journal=entries, shown_seq=0)
    return replace(content, experiment=experiment, **more)  # type: ignore[arg-type]
