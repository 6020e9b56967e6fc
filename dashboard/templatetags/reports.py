"""Filters and tags of the report pages: ``{% load reports %}``. Each is a few lines around a pure function."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django import template
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from dashboard.core.experiments.messages import TimelineItem
from dashboard.core.measurements.charts import LineView
from dashboard.core.measurements.formatting import say_offset
from dashboard.core.measurements.measurement import Probe
from dashboard.core.reports.charts import LineChart, ecdf_chart, times_chart
from dashboard.core.reports.view import Fact, RunView
from dashboard.export.notes import render_notes
from dashboard.web.measurements import presenters as measurement_presenters

register = template.Library()

SHOWN_LINES = 200
CLAIM_SIGNS = {"holds": "✓", "differs": "✗", "not-testable": "–"}  # noqa: RUF001 - a dash for neither


@dataclass(frozen=True, slots=True)
class ProbeShown:
    """One probe of a run: its figures, and its drawings with their tables."""

    group: measurement_presenters.GroupView
    times: LineChart
    curve: LineChart


@register.filter
def notes(text: str) -> SafeString:
    """Markdown as safe HTML."""
    return render_notes(text)


@register.simple_tag
def show_run(run: RunView, modes: Mapping[str, str] | None = None) -> tuple[ProbeShown, ...]:
    """The figures of a run as the measurement's own page has them, from what the report keeps."""
    view = measurement_presenters.view_measurement(run.measurement, modes)
    return tuple(
        ProbeShown(group, times_chart(run, Probe(group.probe)), ecdf_chart(run, Probe(group.probe)))
        for group in view.groups
    )


@register.filter
def unlike(facts: Sequence[Fact], others: Sequence[Fact]) -> list[Fact]:
    """The facts that are not among the others."""
    return [one for one in facts if one not in others]


@register.simple_tag
def legend_of(chart: LineChart, row: Sequence[str]) -> LineView | None:
    """The line that belongs to a row of the table, None where it is not drawn."""
    return next((one for one in chart.drawing.lines if one.label == row[0]), None)


@register.filter
def at(texts: Sequence[str], place: int) -> str:
    """The text at this place."""
    return texts[place]


@register.filter
def last_lines(items: Sequence[TimelineItem]) -> Sequence[TimelineItem]:
    """What a page shows of a timeline."""
    return items[-SHOWN_LINES:]


@register.filter
def has_more_lines(items: Sequence[TimelineItem]) -> bool:
    """Whether there is more than that."""
    return len(items) > SHOWN_LINES


@register.filter
def as_lines(items: Iterable[TimelineItem]) -> str:
    """A whole timeline as text, one entry a line: ten thousand of them are written in a moment."""
    return "\n".join(f"{say_offset(one.offset_s):>9}  {one.text} ({one.cause})" for one in items)


@register.filter
def section_of(row: str) -> str:
    """The section in which a row stands, by the row's id."""
    return row.partition("/")[0]


@register.filter
def claim_word(verdict: str) -> str:
    """How a claim came out."""
    words = {"holds": _("holds"), "differs": _("differs"), "not-testable": _("not testable")}
    return words.get(verdict, verdict)


@register.filter
def claim_sign(verdict: str) -> str:
    """The same as a sign beside the word."""
    return CLAIM_SIGNS.get(verdict, "")


@register.filter
def origin_word(origin: str) -> str:
    """What a report was saved from."""
    words = {"experiment": _("experiment"), "measurement": _("measurement"), "claims": _("claims")}
    return words.get(origin, origin)


@register.filter
def size_text(size: int) -> str:
    """``812 kB`` or ``1.4 MB``."""
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{max(1, round(size / 1e3))} kB"
