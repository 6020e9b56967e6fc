"""Two or more reports beside each other: what changed, what flipped, what became slower, and what could explain it.

The first report is what the others are compared with. Times of different runs are unpaired (``core.measurements.between_runs``), and no
verdict stands without its caveat where the processors are not known to be the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.core.measurements.between_runs import DRIFT_SENTENCE, Between, compare_blocks
from dashboard.core.measurements.formatting import NOTHING, micros, say_interval, signed
from dashboard.core.measurements.statistics import median
from dashboard.core.measurements.verdicts import Inconclusive, name_of
from dashboard.core.reports.charts import ChartTable, IntervalChart, draw_intervals
from dashboard.core.reports.environment import EnvironmentRow, compare_places, processor_caveat, suspects
from dashboard.core.reports.figures import LightReport, Measured, series_of
from dashboard.core.reports.model import Origin
from dashboard.core.reports.row_diff import ArmMatch, ChangedRow, list_changes, match_arms
from dashboard.core.reports.view import ReportView

MOST_REPORTS = 8
LETTERS = "ABCDEFGH"
NOT_EXECUTED = "not executed"


@dataclass(frozen=True, slots=True)
class Compared:
    """A report to be compared: how it is read, and its figures."""

    view: ReportView
    light: LightReport


@dataclass(frozen=True, slots=True)
class Named:
    """A report by its letter."""

    letter: str
    title: str
    saved_at: float
    origin: Origin


@dataclass(frozen=True, slots=True)
class ClaimRow:
    """A claim with its verdict in each report; ``flipped`` where two that executed it disagree."""

    id: str
    statement: str
    verdicts: tuple[str, ...]
    flipped: bool


@dataclass(frozen=True, slots=True)
class Later:
    """One report's times of a series beside those of the first. ``suspects`` are the labels of what differs and could
    explain it; ``caveat`` must stand beside the verdict."""

    letter: str
    found: Between
    verdict: str
    said: str
    suspects: tuple[str, ...]
    caveat: str


@dataclass(frozen=True, slots=True)
class LatencyRow:
    """A series that two reports measured alike; ``medians`` of each report, None where it did not."""

    signature: str
    label: str
    mode: str
    medians: tuple[float | None, ...]
    later: tuple[Later, ...]


@dataclass(frozen=True, slots=True)
class ReportComparison:
    """Everything that the page of a comparison shows. ``same_rows`` counts facts that are the same in all;
    ``unmatched`` the series that only one report has."""

    reports: tuple[Named, ...]
    caveats: tuple[str, ...]
    environment: tuple[EnvironmentRow, ...]
    arms: tuple[ArmMatch, ...] = ()
    changes: tuple[ChangedRow, ...] = ()
    same_rows: int = 0
    claims: tuple[ClaimRow, ...] = ()
    latency: tuple[LatencyRow, ...] = ()
    charts: tuple[IntervalChart, ...] = ()
    unmatched: tuple[str, ...] = ()


def say_between(found: Between) -> str:
    """The difference with its interval, or why there is none."""
    if isinstance(found.verdict, Inconclusive) and (found.delta_us is None or found.ci95_us is None):
        return found.verdict.reason
    ends = None if found.ci95_us is None else (found.ci95_us.low, found.ci95_us.high)
    said = f"{signed(found.delta_us or 0.0)} µs, 95 % interval {say_interval(ends)}"
    return f"{said}: {found.verdict.reason}" if isinstance(found.verdict, Inconclusive) else said


def _later(letter: str, first: Compared, other: Compared, one: Measured, two: Measured) -> Later:
    found = compare_blocks(one.blocks, two.blocks, margin_us=one.options.same_within_us)
    verdict = name_of(found.verdict)
    could = (
        suspects(first.light.place, other.light.place, one.path, one.probe) if verdict in {"slower", "faster"} else ()
    )
    caveat = processor_caveat(first.light.place, other.light.place)
    return Later(letter, found, verdict, say_between(found), could, caveat)


def _latency(given: Sequence[Compared]) -> tuple[tuple[LatencyRow, ...], tuple[str, ...]]:
    measured = [series_of(one.light) for one in given]
    rows, alone = [], []
    for signature in dict.fromkeys(name for one in measured for name in one):
        own = [one.get(signature) for one in measured]
        first, present = own[0], [one for one in own if one is not None]
        if len(present) < 2 or first is None:
            alone.append(signature)
            continue
        later = tuple(
            _later(LETTERS[number], given[0], given[number], first, one)
            for number, one in enumerate(own)
            if number and one is not None
        )
        medians = tuple(
            median(block.center_us for block in one.blocks if block.counts) if one is not None else None for one in own
        )
        rows.append(LatencyRow(signature, first.label, first.mode, medians, later))
    return tuple(rows), tuple(alone)


def _chart(letter: str, rows: Sequence[LatencyRow]) -> IntervalChart | None:
    """The differences of one report to the first, on one axis."""
    drawn, lines = [], []
    for row in rows:
        for one in row.later:
            if one.letter != letter:
                continue
            before, after = row.medians[0], row.medians[LETTERS.index(letter)]
            found = one.found
            ends = None if found.ci95_us is None else (found.ci95_us.low, found.ci95_us.high)
            tail = NOTHING if found.p99_delta_us is None else signed(found.p99_delta_us)
            tail_ends = None if found.p99_ci95_us is None else (found.p99_ci95_us.low, found.p99_ci95_us.high)
            delta = NOTHING if found.delta_us is None else signed(found.delta_us)
            cells = (
                row.label,
                micros(before),
                micros(after),
                delta,
                say_interval(ends) or NOTHING,
                tail,
                say_interval(tail_ends) or NOTHING,
            )
            lines.append((*cells, micros(found.drift_us), one.verdict))
            if found.delta_us is not None and ends is not None:
                drawn.append((row.signature, row.label, row.mode, found.delta_us, ends, one.verdict))
    head = (
        "series", "A p50", f"{letter} p50", "difference", "95 % interval", "of p99", "95 % interval of p99",
        "moved inside a run", "verdict",
    )  # fmt: skip
    table = ChartTable(f"Medians of A and {letter} in microseconds, and their unpaired difference", head, tuple(lines))
    return draw_intervals(f"Difference of the medians, {letter} against A (unpaired)", drawn, table)


def _claims(views: Sequence[ReportView]) -> tuple[ClaimRow, ...]:
    verdicts = [{one.id: str(one.verdict) for one in view.claims} for view in views]
    statements = {one.id: one.statement for view in reversed(views) for one in view.claims}
    rows = []
    for identity in dict.fromkeys(one.id for view in views for one in view.claims):
        said = tuple(one.get(identity, NOT_EXECUTED) for one in verdicts)
        flipped = len({one for one in said if one != NOT_EXECUTED}) > 1
        rows.append(ClaimRow(identity, statements[identity], said, flipped))
    return tuple(sorted(rows, key=lambda row: not row.flipped))


def _caveats(given: Sequence[Compared], *, times: bool) -> tuple[str, ...]:
    found = [DRIFT_SENTENCE] if times else []
    for number, one in enumerate(given[1:], 1):
        caveat = processor_caveat(given[0].light.place, one.light.place)
        if caveat and times:
            found.append(f"A and {LETTERS[number]}: {caveat}")
    return tuple(dict.fromkeys(found))


def compare_reports(given: Sequence[Compared]) -> ReportComparison:
    """Two to ``MOST_REPORTS`` reports; ValueError for fewer or more."""
    if not 2 <= len(given) <= MOST_REPORTS:
        raise ValueError(f"{len(given)} reports cannot be compared")
    views = [one.view for one in given]
    snapshots = [view.snapshot for view in views if view.snapshot is not None]
    whole = len(snapshots) == len(views)
    arms = match_arms(snapshots) if whole else ()
    changes, same = list_changes(snapshots, arms) if whole else ((), 0)
    latency, alone = _latency(given)
    charts = [_chart(LETTERS[number], latency) for number in range(1, len(given))]
    return ReportComparison(
        tuple(
            Named(letter, view.title, view.saved_at, view.origin) for letter, view in zip(LETTERS, views, strict=False)
        ),
        _caveats(given, times=bool(latency)),
        compare_places([one.light.place for one in given]),
        arms,
        changes,
        same,
        _claims(views),
        latency,
        tuple(one for one in charts if one is not None),
        alone,
    )
