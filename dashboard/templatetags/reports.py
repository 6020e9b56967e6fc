"""Filters and tags of the report pages: ``{% load reports %}``."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from django import template
from django.utils.dateformat import format as format_date
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from dashboard.core.experiments.messages import TimelineItem
from dashboard.core.measurements.charts import LineView
from dashboard.core.measurements.formatting import format_offset, moment_of
from dashboard.core.reports.charts import LineChart
from dashboard.core.reports.facts import Fact
from dashboard.core.reports.model import split_evidence
from dashboard.export.notes import render_notes
from dashboard.web.reports.presenters import present_run

register = template.Library()


@register.filter
def notes(text: str) -> SafeString:
    """Converts the Markdown of notes to safe HTML."""
    return render_notes(text)


@register.simple_tag
def time_element(seconds: float, form: str = "") -> SafeString:
    """Returns a ``<time>`` element for a moment in seconds since the epoch. It is shown in the reader's time zone,
    unless ``form``, a date format of Django, is given."""
    moment = moment_of(seconds)
    local = "" if form else mark_safe(" data-local-time")
    return format_html(
        '<time datetime="{}"{}>{}</time>', moment.isoformat(), local, format_date(moment, form or "Y-m-d H:i e")
    )


@register.simple_tag
def iso_time_element(text: str) -> str:
    """Returns a ``<time>`` element for a moment in ISO 8601. Returns the text itself if it is none, because imported
    reports may contain any text."""
    try:
        return time_element(datetime.fromisoformat(text).timestamp())
    except (ValueError, OverflowError):
        return text


@register.filter
def evidence_rows(lines: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Splits each line of evidence into its subject and what was observed."""
    return tuple(split_evidence(line) for line in lines)


register.simple_tag(present_run, name="show_run")


@register.filter
def excluding(facts: Sequence[Fact], others: Sequence[Fact]) -> list[Fact]:
    """Returns those of ``facts`` that are not in ``others``."""
    return [one for one in facts if one not in others]


@register.simple_tag
def legend_of(chart: LineChart, row: Sequence[str]) -> LineView | None:
    """Returns the line of the chart that belongs to a row of the table: the line with the label in the row's first
    cell. None if the chart does not draw it."""
    return next((line for line in chart.drawing.lines if line.words == row[0]), None)


@register.filter
def at(texts: Sequence[str], index: int) -> str:
    """Returns the text at this index."""
    return texts[index]


@register.filter
def as_lines(items: Iterable[TimelineItem]) -> str:
    """Formats a whole timeline as text, one line per entry. This is fast even for ten thousand entries."""
    return "\n".join(f"{format_offset(item.offset_s):>9}  {item.text} ({item.cause})" for item in items)


@register.filter
def section_of(row: str) -> str:
    """Returns the section in ``row``, the id of a row of the comparison."""
    return row.partition("/")[0]


@register.filter
def size_text(size: int) -> str:
    """Formats a size in bytes, such as ``812 kB`` or ``1.4 MB``."""
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{max(1, round(size / 1e3))} kB"
