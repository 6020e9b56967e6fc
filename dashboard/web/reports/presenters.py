"""Prepares measurements and comparisons of reports for their templates."""

from collections.abc import Mapping
from dataclasses import dataclass

from dashboard.core.comparison.rows import SECTIONS
from dashboard.core.measurements.measurement import Probe
from dashboard.core.reports.charts import LineChart, ecdf_chart, times_chart
from dashboard.core.reports.compare import ReportComparison
from dashboard.core.reports.row_diff import ChangedRow
from dashboard.core.reports.view import RunView
from dashboard.web.measurements.presenters import GroupView, view_measurement


@dataclass(frozen=True, slots=True)
class ProbeView:
    """One probe of a run: its figures, and its charts with their tables."""

    group: GroupView
    times: LineChart
    curve: LineChart


def present_run(run: RunView, modes: Mapping[str, str] | None = None) -> tuple[ProbeView, ...]:
    """The probes of a run, with the figures as on the measurement's page."""
    groups = view_measurement(run.measurement, modes).groups
    return tuple(
        ProbeView(group, times_chart(run, Probe(group.probe)), ecdf_chart(run, Probe(group.probe))) for group in groups
    )


@dataclass(frozen=True, slots=True)
class ChangedSection:
    """The changed rows of one section."""

    key: str
    title: str
    rows: tuple[ChangedRow, ...]


@dataclass(frozen=True, slots=True)
class ChangeCounts:
    """The numbers of changes in a comparison."""

    changes: int
    flipped: int
    slower: int
    faster: int
    series: int


def group_by_section(comparison: ReportComparison) -> list[ChangedSection]:
    """The changed rows by section, in reading order."""
    rows_of: dict[str, list[ChangedRow]] = {}
    for row in comparison.changes:
        rows_of.setdefault(row.section, []).append(row)
    titles = {section.key: section.title for section in SECTIONS}
    return [ChangedSection(key, titles.get(key, key), tuple(rows)) for key, rows in rows_of.items()]


def count_changes(comparison: ReportComparison) -> ChangeCounts:
    """The numbers for the first sentence of a comparison."""
    verdicts = [change.verdict for row in comparison.latency for change in row.changes]
    return ChangeCounts(
        len(comparison.changes),
        sum(claim.flipped for claim in comparison.claims),
        verdicts.count("slower"),
        verdicts.count("faster"),
        len(verdicts),
    )
