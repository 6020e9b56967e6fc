"""Validates the content of a report: the order of its entries, limits, and whether its journal can be replayed and its
histograms can be read.

Saved reports must meet the same rules as imported ones, so that every export can be imported.
"""

from collections.abc import Iterable
from dataclasses import fields

from msgspec import UnsetType

from dashboard.core.comparison.rows import compare
from dashboard.core.diagram.topology import draw
from dashboard.core.experiments.journal import Entry, View, advance
from dashboard.core.experiments.machines.journals import MAX_ATTEMPTS
from dashboard.core.experiments.timeline import timeline_item
from dashboard.core.measurements.histogram import BadHistogram, check_histogram
from dashboard.core.measurements.measurement import MAX_BLOCKS, MAX_SERIES, Block
from dashboard.core.namespaces.delta import Changes, FirewallChanges
from dashboard.core.namespaces.state import FirewallRules, NamespaceState
from dashboard.core.reports.model import FrozenExperiment, FrozenRun, Origin, ReportContent, normalise_tags
from dashboard.core.reports.parse import InvalidReportError, parse_report

MAX_ENTRIES = 100_000
#: An experiment has at most 50 arms, and a column for each machine and for what is observed beside it.
MAX_COLUMNS = 100
MAX_CELLS = 200_000
MAX_RUNS = 100
MAX_CLAIMS = 1_000
MAX_LINES = 10_000
#: The maximum number of items that are sorted during the replay of a journal.
MAX_STEPS = 20_000_000
#: A day: a request has a timeout of seconds. It is also the limit of the other figures of a block.
MAX_TIME_US = 86_400_000_000
#: A nanosecond, the unit of histograms. Axes of times are logarithmic.
MIN_TIME_US = 0.001
LATEST_S = 253_370_764_800.0  # the year 9999, the last that datetime supports
_FIGURES = tuple(field.name for field in fields(Block) if field.type in {int, float})
_TIMES = tuple(name for name in _FIGURES if name.endswith("_us"))
ONE_BY_ONE = "Save its measurements one by one, each on its own page."
MAX_TITLE, MAX_AUTHOR, MAX_NOTES, MAX_INSTALLATION, MAX_VERSION = 200, 150, 100_000, 16, 60


def validate_file(data: bytes) -> tuple[ReportContent, bytes]:
    """Parses and validates an exported file. Returns its content and its canonical bytes. Raises InvalidReportError."""
    content, body = parse_report(data)
    validate_content(content)
    return content, body


def validate_content(content: ReportContent) -> None:
    """Raises InvalidReportError if the content exceeds a limit or contradicts itself."""
    _check_heading(content)
    if content.experiment is not None:
        _check_experiment(content.experiment)
    _limit(len(content.measurements), MAX_RUNS, "measurements", ONE_BY_ONE)
    _limit(sum(len(measurement.blocks) for measurement in content.measurements), MAX_BLOCKS, "blocks", ONE_BY_ONE)
    for run in content.measurements:
        _check_run(run)
    _limit(len(content.claims), MAX_CLAIMS, "claims")
    _limit(sum(len(claim.evidence) for claim in content.claims), MAX_LINES, "lines of evidence")


def _limit(count: int, most: int, items: str, advice: str = "Save a smaller report.") -> None:
    if count > most:
        raise InvalidReportError(f"The report has {count:,} {items}; the limit is {most:,}. {advice}")


def _check_heading(content: ReportContent) -> None:
    for text, most, name in (
        (content.title, MAX_TITLE, "title"),
        (content.author, MAX_AUTHOR, "author's name"),
        (content.notes, MAX_NOTES, "text of the notes"),
        (content.installation, MAX_INSTALLATION, "name of the installation"),
        (content.version, MAX_VERSION, "version"),
    ):
        if len(text) > most:
            raise InvalidReportError(f"The {name} has {len(text):,} characters; the limit is {most:,}. Shorten it.")
        if most != MAX_NOTES and _has_control_characters(text):
            raise InvalidReportError(f"The {name} contains control characters. Remove them.")
    if not content.title.strip():
        raise InvalidReportError("The report has no title. Enter one.")
    if normalise_tags(content.tags) != content.tags or any(map(_has_control_characters, content.tags)):
        raise InvalidReportError("Use at most 12 different tags in lower case, each of at most 40 characters.")
    _check_times(content.saved_at)
    missing = {
        Origin.EXPERIMENT: content.experiment is None,
        Origin.MEASUREMENT: not content.measurements,
        Origin.CLAIMS: not content.claims,
    }
    if missing[content.origin]:
        raise InvalidReportError(
            f"The origin of the report is “{content.origin}”, but it has no {content.origin}. Save it again."
        )


def _has_control_characters(text: str) -> bool:
    return any(ord(char) < 32 for char in text)


def _check_times(*times: float | None) -> None:
    if any(time is not None and not 0 <= time <= LATEST_S for time in times):
        raise InvalidReportError("A time is before 1970 or after 9999. Export the report again.")


def _check_experiment(experiment: FrozenExperiment) -> None:
    _limit(len(experiment.spec.arms), MAX_COLUMNS, "arms")
    _limit(len(experiment.journal), MAX_ENTRIES, "journal entries")
    last = 0
    for entry in experiment.journal:
        if entry.seq <= last:
            raise InvalidReportError(f"Journal entry {entry.seq} follows entry {last}. Export the report again.")
        last = entry.seq
        _check_times(entry.at)
    if not 0 <= experiment.shown_seq <= last:
        raise InvalidReportError(
            f"The report shows entry {experiment.shown_seq}, but the last one is {last}. Export it again."
        )
    head = experiment.head
    _check_times(head.created_at, head.started_at, head.stopped_at, head.problem_since, head.as_it_was)
    _check_replay(experiment)


def _size(state: NamespaceState) -> int:
    addresses = sum(len(interface.addresses) for interface in state.interfaces)
    lists = (state.interfaces, state.routes, state.listeners, state.hosts, state.sysctls, state.lookups)
    return 1 + addresses + _rules_of(state) + sum(len(one) for one in lists)


def _cost(state: NamespaceState, changes: Changes) -> int:
    """Returns the cost of applying the changes: the number of items in the lists that are sorted again."""
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
    if isinstance(changes.firewall, FirewallChanges):
        rules = changes.firewall
        cost += _rules_of(state) + sum(map(len, (rules.added, rules.removed, rules.drops_added, rules.drops_removed)))
    return cost


def _rules_of(state: NamespaceState) -> int:
    rules = FirewallRules() if isinstance(state.firewall, UnsetType) else state.firewall
    return len(rules.translations) + len(rules.direct_drops)


def _replay_bounded(entries: Iterable[Entry], shown_seq: int) -> tuple[View, View]:
    """Returns the view after entry ``shown_seq``, and the view after the last entry. Raises InvalidReportError if the
    replay needs too much work: a change may sort whole lists, and the table has a cell for each item and column."""
    view = shown = View()
    sizes: dict[str, int] = {}
    steps = 0
    for entry in entries:
        facts = entry.facts
        steps += 1 + len(view.columns) + len(view.states)
        steps += sum(_cost(view.states[key], one) for key, one in facts.changes.items() if key in view.states)
        _limit(steps, MAX_STEPS, "steps to replay")
        if not isinstance(facts.trial, UnsetType):
            _limit(len(facts.trial.attempts), MAX_ATTEMPTS, "requests in one run of “Try”")
            _check_times(facts.trial.at)
            if any(one.time_us is not None and not 0 <= one.time_us <= MAX_TIME_US for one in facts.trial.attempts):
                raise InvalidReportError("The time of a request is negative or too long. Export the report again.")
        view = advance(view, entry)
        sizes.update({key: _size(view.states[key]) for key in (*facts.states, *facts.changes) if key in view.states})
        columns = max(len(view.states), len(view.columns))
        _limit(columns, MAX_COLUMNS, "columns")
        items = sum(sizes[key] for key in view.states)
        items += sum(1 + len(column.asked) + len(column.published) for column in view.columns)
        _limit(items * columns, MAX_CELLS, "cells in the comparison")
        if entry.seq <= shown_seq:
            shown = view
    return shown, view


def _check_replay(experiment: FrozenExperiment) -> None:
    """Raises InvalidReportError if the journal cannot be replayed, or if rows and diagrams cannot be computed. They are
    computed for two entries: the one that readers see when they open the report, and the last one."""
    try:
        for view in _replay_bounded(experiment.journal, experiment.shown_seq):
            draw(view.columns, view.states)
            compare(view.columns, view.states)
        for entry in experiment.journal:
            timeline_item(entry, experiment.journal[0].at)
    except InvalidReportError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever fails on a foreign state, the file is refused
        raise InvalidReportError(
            f"The journal cannot be replayed ({type(error).__name__}: {str(error)[:100]}). Export the report again."
        ) from None


def _check_run(run: FrozenRun) -> None:
    keys = {one.key for one in run.series}
    _limit(len(run.series), MAX_SERIES, "series")
    _limit(len(run.measurement.series), MAX_SERIES, "series")
    _limit(len(run.measurement.comparisons), MAX_SERIES, "comparisons")
    if len(keys) != len(run.series):
        raise InvalidReportError("Two series of a measurement have the same key. Export the report again.")
    for one in run.measurement.series:
        if one.n and one.unavailable:
            raise InvalidReportError(
                f"The series “{one.key[:60]}” has figures, but could not be measured. Export the report again."
            )
    summarised = {one.key for one in run.measurement.series}
    compared = {key for comparison in run.measurement.comparisons for key in (comparison.baseline, comparison.other)}
    if unknown := (compared - summarised) | ({one.series for one in run.blocks} - keys):
        raise InvalidReportError(f"The measurement has no series “{min(unknown)[:60]}”. Export the report again.")
    if len({(one.series, one.round) for one in run.blocks}) != len(run.blocks):
        raise InvalidReportError("A series has two blocks of the same round. Export the report again.")
    for block in run.blocks:
        if not all(0 <= getattr(block, name) <= MAX_TIME_US for name in _FIGURES):
            raise InvalidReportError(
                f"A figure of “{block.series[:60]}” is negative or too large. Export the report again."
            )
        if any(0 < getattr(block, name) < MIN_TIME_US for name in _TIMES):
            raise InvalidReportError(
                f"A time of “{block.series[:60]}” is less than a nanosecond. Export the report again."
            )
        try:
            if block.histogram:
                check_histogram(block.histogram)
        except BadHistogram:
            raise InvalidReportError(
                f"A histogram of “{block.series[:60]}” cannot be read. Export the report again."
            ) from None
