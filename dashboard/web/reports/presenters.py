"""Prepares the measurements in reports, and comparisons of reports, for their templates."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dashboard.core.comparison.rows import SECTIONS
from dashboard.core.measurements.measurement import Probe
from dashboard.core.reports.charts import LineChart, ecdf_chart, times_chart
from dashboard.core.reports.compare import ReportComparison
from dashboard.core.reports.row_diff import ChangedRow
from dashboard.core.reports.view import RunView
from dashboard.templatetags.words import WORDS
from dashboard.web.measurements.presenters import GroupView, view_measurement


@dataclass(frozen=True, slots=True)
class ProbeView:
    """The results of one probe in a measurement run: its figures, and its charts, each of which has a table."""

    group: GroupView
    times: LineChart
    curve: LineChart


def present_run(run: RunView, modes: Mapping[str, str] | None = None) -> tuple[ProbeView, ...]:
    """Returns the results of a run, one entry per probe, with the same figures as on the measurement's page.

    ``modes``: the mode of each column, by key.
    """
    groups = view_measurement(run.measurement, modes).groups
    return tuple(
        ProbeView(group, times_chart(run, Probe(group.probe)), ecdf_chart(run, Probe(group.probe))) for group in groups
    )


@dataclass(frozen=True, slots=True)
class ChangedSection:
    """The rows of a comparison of reports that are in one section."""

    key: str
    title: str
    rows: tuple[ChangedRow, ...]


def group_by_section(rows: Iterable[ChangedRow]) -> list[ChangedSection]:
    """Groups rows by section. Sections and rows keep their order."""
    rows_of: dict[str, list[ChangedRow]] = {}
    for row in rows:
        rows_of.setdefault(row.section, []).append(row)
    titles = {section.key: section.title for section in SECTIONS}
    return [ChangedSection(key, titles.get(key, key), tuple(rows)) for key, rows in rows_of.items()]


def describe_changes(comparison: ReportComparison) -> str:
    """Returns a sentence about the changes between the baseline and the other reports."""
    verdicts = [change.verdict for row in comparison.latency for change in row.changes]
    flipped = [claim.flipped for claim in comparison.claims if claim.compared]
    differing = [row.label for row in comparison.environment if row.differs]
    changes = len(comparison.changes)
    parts = []
    if comparison.arms:
        parts.append(ngettext("%(count)d fact changed", "%(count)d facts changed", changes) % {"count": changes})
    if flipped:
        one, several = "%(count)d claim with different results", "%(count)d claims with different results"
        parts.append(ngettext(one, several, sum(flipped)) % {"count": sum(flipped)})
    elif comparison.claims:
        parts.append(_("no claim was tested in two reports"))
    if verdicts:
        words = WORDS["verdict"]
        found = ", ".join(f"{verdicts.count(one)} {words[one]}" for one in words if one in verdicts)
        compared = ngettext(
            "%(count)d measurement compared: %(found)s", "%(count)d measurements compared: %(found)s", len(verdicts)
        )
        parts.append(compared % {"count": len(verdicts), "found": found})
    if differing:
        parts.append(_("the environments differ in %(facts)s") % {"facts": ", ".join(differing)})
    baseline = comparison.reports[0]
    return _("Compared with “%(report)s”: %(changes)s.") % {
        "report": baseline.title or baseline.letter,
        "changes": "; ".join(parts) or _("nothing changed"),
    }


def order_parts(comparison: ReportComparison) -> tuple[str, ...]:
    """Returns the names of the templates for the parts of a comparison. Parts with changes come first."""
    verdicts = {change.verdict for row in comparison.latency for change in row.changes}
    parts = [
        ("facts", bool(comparison.changes), True),
        ("claims", any(claim.flipped for claim in comparison.claims), bool(comparison.claims)),
        ("latency", not verdicts.isdisjoint({"slower", "faster"}), True),
        ("environment", any(row.differs for row in comparison.environment), True),
    ]
    shown = sorted((part for part in parts if part[2]), key=lambda part: not part[1])
    return tuple(f"reports/compare/_{name}.html" for name, _changed, _shown in shown)
