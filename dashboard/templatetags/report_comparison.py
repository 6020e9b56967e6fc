"""Filters of the pages on several reports: ``{% load report_comparison %}``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django import template

from dashboard.core.comparison.rows import SECTIONS
from dashboard.core.reports.compare import LetteredReport, ReportComparison
from dashboard.core.reports.row_diff import ChangedRow

register = template.Library()

TITLES = {section.key: section.title for section in SECTIONS}


@dataclass(frozen=True, slots=True)
class ChangedSection:
    """The rows of one section that changed."""

    key: str
    title: str
    rows: tuple[ChangedRow, ...]


@dataclass(frozen=True, slots=True)
class Counted:
    """What a comparison found, in numbers."""

    changes: int
    flipped: int
    slower: int
    faster: int
    series: int


@register.filter
def by_section(changes: Iterable[ChangedRow]) -> list[ChangedSection]:
    """Changed rows under their sections, in reading order."""
    found: dict[str, list[ChangedRow]] = {}
    for row in changes:
        found.setdefault(row.section, []).append(row)
    return [ChangedSection(key, TITLES.get(key, key), tuple(rows)) for key, rows in found.items()]


@register.filter
def counted(found: ReportComparison) -> Counted:
    """The numbers for its first sentence."""
    verdicts = [later.verdict for row in found.latency for later in row.later]
    return Counted(
        len(found.changes),
        sum(one.flipped for one in found.claims),
        verdicts.count("slower"),
        verdicts.count("faster"),
        len(verdicts),
    )


@register.filter
def letter_at(reports: Sequence[LetteredReport], place: int) -> str:
    """The letter of the report in this column."""
    return reports[place].letter
