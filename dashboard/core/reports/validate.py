"""Whether what a report says can be: numbered in order, bounded, replayable, its histograms readable.

Saved reports are held to the same limits as imported ones, so that what was exported can be imported.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields

from dashboard.core.comparison.rows import compare
from dashboard.core.diagram.topology import draw
from dashboard.core.experiments.journal import Entry, View, advance
from dashboard.core.experiments.timeline import timeline_item
from dashboard.core.measurements.histogram import BadHistogram, check_histogram
from dashboard.core.measurements.measurement import Block
from dashboard.core.namespaces.delta import Changes
from dashboard.core.namespaces.state import NamespaceState
from dashboard.core.reports.model import FrozenExperiment, FrozenRun, Origin, ReportContent, clean_tags
from dashboard.core.reports.parse import NotAReportError, open_bytes

__all__ = ["NotAReportError", "check_content", "check_file"]

MOST_ENTRIES = 100_000
MOST_COLUMNS = 40
MOST_CELLS = 200_000
MOST_RUNS = 100
MOST_SERIES = 256
MOST_BLOCKS = 20_000
MOST_CLAIMS = 1_000
MOST_LINES = 10_000
#: Items that a replay puts in order again, entry by entry.
MOST_STEPS = 20_000_000
LATEST_S = 253_370_764_800.0  # year 9999: what a calendar can show
_NUMBERS = tuple(one.name for one in fields(Block) if one.type in {"int", "float"})
TITLE, AUTHOR, NOTES, INSTALLATION, VERSION = 200, 150, 100_000, 16, 60


def check_file(data: bytes) -> tuple[ReportContent, bytes]:
    """The content of an exported file and its canonical bytes; NotAReportError with a sentence that says what to do."""
    content, body = open_bytes(data)
    check_content(content)
    return content, body


def check_content(content: ReportContent) -> None:
    """NotAReportError where the content is beyond a limit, or contradicts itself."""
    _check_heading(content)
    if content.experiment is not None:
        _check_experiment(content.experiment)
    _limit(len(content.measurements), MOST_RUNS, "measurements")
    _limit(sum(len(one.blocks) for one in content.measurements), MOST_BLOCKS, "blocks")
    for run in content.measurements:
        _check_run(run)
    _limit(len(content.claims), MOST_CLAIMS, "claims")
    _limit(sum(len(one.evidence) for one in content.claims), MOST_LINES, "lines of evidence")


def _limit(count: int, most: int, what: str) -> None:
    if count > most:
        raise NotAReportError(f"There are {count:,} {what}; at most {most:,} are taken: save a smaller report.")


def _check_heading(content: ReportContent) -> None:
    for text, most, name in (
        (content.title, TITLE, "title"),
        (content.author, AUTHOR, "name of the author"),
        (content.notes, NOTES, "text of the notes"),
        (content.installation, INSTALLATION, "name of the installation"),
        (content.version, VERSION, "version"),
    ):
        if len(text) > most:
            sentence = f"The {name} has {len(text):,} characters; at most {most:,} are taken: shorten it."
            raise NotAReportError(sentence)
        if most != NOTES and any(ord(one) < 32 for one in text):
            raise NotAReportError(f"The {name} holds control characters: write it in one line.")
    if not content.title.strip():
        raise NotAReportError("The report has no title: give it one.")
    if clean_tags(content.tags) != content.tags or any(ord(one) < 32 for tag in content.tags for one in tag):
        raise NotAReportError("Tags are at most 12 different ones in lower case, of 40 characters: write them so.")
    _check_time(content.saved_at)
    missing = {
        Origin.EXPERIMENT: content.experiment is None,
        Origin.MEASUREMENT: not content.measurements,
        Origin.CLAIMS: not content.claims,
    }
    if missing[content.origin]:
        raise NotAReportError(f"A report of {content.origin} has none in it: save it again.")


def _check_time(*times: float | None) -> None:
    if any(one is not None and not 0 <= one <= LATEST_S for one in times):
        raise NotAReportError("A time lies before 1970 or after 9999: export the report again.")


def _check_experiment(found: FrozenExperiment) -> None:
    _limit(len(found.spec.arms), MOST_COLUMNS, "arms")
    _limit(len(found.journal), MOST_ENTRIES, "journal entries")
    last = 0
    for entry in found.journal:
        if entry.seq <= last:
            raise NotAReportError(
                f"Entry {entry.seq} of the journal comes behind entry {last}: export the report again."
            )
        last = entry.seq
        _check_time(entry.at)
    if not 0 <= found.shown_seq <= last:
        raise NotAReportError(f"Entry {found.shown_seq} is to be shown, but the last is {last}: export it again.")
    head = found.head
    _check_time(head.created_at, head.started_at, head.stopped_at, head.problem_since, head.as_it_was)
    _check_shown(found)


def _size(state: NamespaceState) -> int:
    inside = sum(len(one.addresses) for one in state.interfaces)
    lists = (state.interfaces, state.routes, state.listeners, state.hosts, state.sysctls, state.lookups)
    return 1 + inside + sum(len(one) for one in lists)


def _cost(state: NamespaceState, changes: Changes) -> int:
    """Items that are put in order again: those of each list that is touched, old and new."""
    cost = 1
    if changes.interfaces_set or changes.interfaces_removed:
        cost += len(state.interfaces) + len(changes.interfaces_removed)
        cost += sum(1 + len(one.addresses) for one in changes.interfaces_set)
    if changes.routes_added or changes.routes_removed:
        cost += len(state.routes) + len(changes.routes_added) + len(changes.routes_removed)
    if changes.listeners_added or changes.listeners_removed:
        cost += len(state.listeners) + len(changes.listeners_added) + len(changes.listeners_removed)
    if changes.sysctls_set or changes.sysctls_removed:
        cost += (len(state.sysctls) + len(changes.sysctls_set or {})) * (1 + len(changes.sysctls_removed))
    return cost


def _replay_bounded(entries: Iterable[Entry], shown_seq: int) -> tuple[View, View]:
    """The view after ``shown_seq`` and the last one, while the work stays within the limits: each change may put whole
    lists in order, and a table has a cell for each item and column."""
    view = shown = View()
    sizes: dict[str, int] = {}
    steps = 0
    for entry in entries:
        facts = entry.facts
        steps += 1 + len(view.columns) + len(view.states)
        steps += sum(_cost(view.states[key], one) for key, one in facts.changes.items() if key in view.states)
        _limit(steps, MOST_STEPS, "steps in its replay")
        view = advance(view, entry)
        sizes.update({key: _size(view.states[key]) for key in (*facts.states, *facts.changes) if key in view.states})
        columns = max(len(view.states), len(view.columns))
        _limit(columns, MOST_COLUMNS, "columns")
        items = sum(sizes[key] for key in view.states)
        items += sum(1 + len(one.asked) + len(one.published) for one in view.columns)
        _limit(items * columns, MOST_CELLS, "cells in its table")
        if entry.seq <= shown_seq:
            shown = view
    return shown, view


def _check_shown(found: FrozenExperiment) -> None:
    """The journal replays, and what a reader sees first and last can be compared and drawn."""
    try:
        for view in _replay_bounded(found.journal, found.shown_seq):
            draw(view.columns, view.states)
            compare(view.columns, view.states)
        for entry in found.journal:
            timeline_item(entry, found.journal[0].at)
    except NotAReportError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a state of somebody else's makes fail, the file is refused
        raise NotAReportError(
            f"What the journal says cannot be shown ({type(error).__name__}: {str(error)[:100]}): export it again."
        ) from None


def _check_run(run: FrozenRun) -> None:
    keys = {one.key for one in run.series}
    _limit(len(run.series), MOST_SERIES, "series")
    _limit(len(run.measurement.series), MOST_SERIES, "series")
    _limit(len(run.measurement.comparisons), MOST_SERIES, "comparisons")
    if len(keys) != len(run.series):
        raise NotAReportError("Two series of a measurement have one key: export the report again.")
    said = {one.key for one in run.measurement.series}
    compared = {key for one in run.measurement.comparisons for key in (one.baseline, one.other)}
    if unknown := (compared - said) | ({one.series for one in run.blocks} - keys):
        raise NotAReportError(f"There is no series “{min(unknown)[:60]}” in its measurement: export the report again.")
    if len({(one.series, one.round) for one in run.blocks}) != len(run.blocks):
        raise NotAReportError("A series has two blocks of one round: export the report again.")
    for block in run.blocks:
        if any(getattr(block, name) < 0 for name in _NUMBERS):
            raise NotAReportError(f"A figure of “{block.series[:60]}” is below zero: export the report again.")
        try:
            if block.histogram:
                check_histogram(block.histogram)
        except BadHistogram:
            sentence = f"A histogram of “{block.series[:60]}” cannot be read: export the report again."
            raise NotAReportError(sentence) from None
