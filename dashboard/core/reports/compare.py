"""Compares two or more reports: facts that changed, claims whose verdict or statement changed, latency, and what
could explain differences in latency.

The first report is the baseline. Times of different runs are unpaired (``core.measurements.between_runs``), and every
verdict has a caveat unless the processors are known to be the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.core.measurements.between_runs import DRIFT_SENTENCE, Between, compare_blocks
from dashboard.core.measurements.formatting import NOTHING, format_interval, micros, signed
from dashboard.core.measurements.series_labels import SeriesLabel, label_signatures
from dashboard.core.measurements.statistics import ends_of, median
from dashboard.core.measurements.verdicts import Inconclusive, name_of
from dashboard.core.paths.words import describe_path
from dashboard.core.reports.charts import ChartTable, IntervalChart, draw_intervals
from dashboard.core.reports.environment import EnvironmentRow, compare_environments, list_suspects, processor_caveat
from dashboard.core.reports.figures import ReportFigures, SeriesFigures, series_by_signature
from dashboard.core.reports.model import Origin
from dashboard.core.reports.row_diff import ArmMatch, ChangedRow, RowDiff, compare_rows, match_arms
from dashboard.core.reports.view import ReportView

MAX_REPORTS = 8
LETTERS = "ABCDEFGH"
NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class ComparedReport:
    """A report to compare."""

    view: ReportView
    figures: ReportFigures


@dataclass(frozen=True, slots=True)
class LetteredReport:
    """A report with the letter that stands for it in the comparison: A for the baseline, then B, C and so on."""

    letter: str
    title: str
    saved_at: float
    origin: Origin


@dataclass(frozen=True, slots=True)
class ClaimRow:
    """A claim and its verdict in each report (``NOT_RUN`` in a report that did not test it).

    ``flipped`` is true if the reports that tested the claim have different verdicts, or verdicts on different
    statements: a claim states something else about engines that behave differently. ``statements`` then has the
    statement of each report; otherwise it is empty.
    """

    id: str
    statement: str
    verdicts: tuple[str, ...]
    flipped: bool
    statements: tuple[str, ...] = ()

    @property
    def compared(self) -> bool:
        """Whether at least two reports tested the claim."""
        return sum(verdict != NOT_RUN for verdict in self.verdicts) > 1


@dataclass(frozen=True, slots=True)
class LatencyChange:
    """The comparison of a series in one report with the same series in the baseline. ``letter`` stands for the report
    (``LetteredReport``). ``text`` is the difference in words. ``suspects`` are the labels of the facts that could
    explain the difference. ``caveat`` is a sentence that qualifies the verdict; empty if the processors are known to be
    the same."""

    letter: str
    difference: Between
    verdict: str
    text: str
    suspects: tuple[str, ...]
    caveat: str


@dataclass(frozen=True, slots=True)
class LatencyRow:
    """A series that the baseline and at least one other report measured. ``look`` is how charts and tables show it.
    ``medians`` has the median of each report in µs, None for a report that did not measure the series."""

    signature: str
    label: str
    look: SeriesLabel
    mode: str
    medians: tuple[float | None, ...]
    changes: tuple[LatencyChange, ...]


@dataclass(frozen=True, slots=True)
class ReportComparison:
    """Everything that the page of a comparison shows.

    ``caveats`` apply to all figures of latency. ``same`` are the facts that are equal in all reports. A fact that
    several arms share is listed once in ``same``, but counted for each arm in ``same_count``. ``unmatched`` describes
    the series that cannot be compared. If any report has no experiment, ``arms``, ``changes`` and ``same`` are empty.
    """

    reports: tuple[LetteredReport, ...]
    caveats: tuple[str, ...]
    environment: tuple[EnvironmentRow, ...]
    arms: tuple[ArmMatch, ...] = ()
    changes: tuple[ChangedRow, ...] = ()
    same: tuple[ChangedRow, ...] = ()
    same_count: int = 0
    claims: tuple[ClaimRow, ...] = ()
    latency: tuple[LatencyRow, ...] = ()
    charts: tuple[IntervalChart, ...] = ()
    unmatched: tuple[str, ...] = ()


def describe_between(difference: Between) -> str:
    """Returns the difference with its interval as text, followed by the reason if the verdict is inconclusive. If there
    is no interval, returns only the reason."""
    if isinstance(difference.verdict, Inconclusive) and (difference.delta_us is None or difference.ci95_us is None):
        return difference.verdict.reason
    text = f"{signed(difference.delta_us or 0.0)} µs, 95 % interval {format_interval(ends_of(difference.ci95_us))}"
    return f"{text}: {difference.verdict.reason}" if isinstance(difference.verdict, Inconclusive) else text


def _compare_series(
    letter: str, first: ComparedReport, other: ComparedReport, before: SeriesFigures, after: SeriesFigures
) -> LatencyChange:
    difference = compare_blocks(before.blocks, after.blocks, margin_us=before.options.same_within_us)
    verdict = name_of(difference.verdict)
    environments = first.figures.report_environment, other.figures.report_environment
    suspects = list_suspects(*environments, before.path, before.probe) if verdict in {"slower", "faster"} else ()
    caveat = processor_caveat(*environments)
    return LatencyChange(letter, difference, verdict, describe_between(difference), suspects, caveat)


def _compare_latency(reports: Sequence[ComparedReport]) -> tuple[tuple[LatencyRow, ...], tuple[str, ...]]:
    """Returns a row for each series that the first report and at least one more report measured, and descriptions of
    the remaining series."""
    series_of = [series_by_signature(report.figures) for report in reports]
    compared, unmatched = [], []
    for signature in dict.fromkeys(signature for series in series_of for signature in series):
        measured = [series.get(signature) for series in series_of]
        first = measured[0]
        changes = tuple(
            _compare_series(letter, reports[0], report, first, one)
            for letter, report, one in list(zip(LETTERS, reports, measured, strict=False))[1:]
            if first is not None and one is not None
        )
        if first is None or not changes:
            unmatched.append(_describe_unmatched(signature))
            continue
        medians = tuple(
            median(block.center_us for block in one.blocks if block.counts) if one is not None else None
            for one in measured
        )
        compared.append((signature, first, medians, changes))
    looks = label_signatures(signature for signature, *_rest in compared)
    rows = tuple(
        LatencyRow(signature, first.label, looks[signature], first.mode, medians, changes)
        for signature, first, medians, changes in compared
    )
    return rows, tuple(unmatched)


def _describe_unmatched(signature: str) -> str:
    """Returns the mode, the path in words, the probe and the options of a series that cannot be compared."""
    mode, path, options = signature.split(" ", 2)
    return f"{mode}, {describe_path(path)}, {options}"


def _chart(letter: str, rows: Sequence[LatencyRow]) -> IntervalChart | None:
    """Returns the chart of the differences between the first report and the one with this letter; None if no difference
    has an interval. ``rows`` may also contain differences of other reports, which are ignored."""
    drawn, lines = [], []
    changes = [(row, change) for row in rows for change in row.changes if change.letter == letter]
    for row, change in changes:
        difference = change.difference
        ends, tail_ends = ends_of(difference.ci95_us), ends_of(difference.p99_ci95_us)
        lines.append(
            (
                row.look.words,
                micros(row.medians[0]),
                micros(row.medians[LETTERS.index(letter)]),
                NOTHING if difference.delta_us is None else signed(difference.delta_us),
                format_interval(ends) or NOTHING,
                NOTHING if difference.p99_delta_us is None else signed(difference.p99_delta_us),
                format_interval(tail_ends) or NOTHING,
                micros(difference.drift_us),
                change.verdict,
            )
        )
        if difference.delta_us is not None and ends is not None:
            drawn.append((row.signature, row.label, row.mode, difference.delta_us, ends, change.verdict))
    head = (
        "series", "median of A", f"median of {letter}", "difference", "95 % interval", "difference of p99",
        "95 % interval of p99", "drift within a run", "verdict",
    )  # fmt: skip
    table = ChartTable(f"Medians of A and {letter} in microseconds, and their unpaired difference", head, tuple(lines))
    labels = {row.signature: row.look for row in rows}
    return draw_intervals(f"Difference of the medians, {letter} to A (unpaired)", drawn, table, labels=labels)


def _compare_claims(views: Sequence[ReportView]) -> tuple[ClaimRow, ...]:
    tested = [{claim.id: claim for claim in view.claims} for view in views]
    rows = []
    for identity in dict.fromkeys(claim.id for view in views for claim in view.claims):
        results = [of_report.get(identity) for of_report in tested]
        run = [result for result in results if result is not None]
        verdicts = tuple(NOT_RUN if result is None else str(result.verdict) for result in results)
        statements: tuple[str, ...] = ()
        if len({result.statement for result in run}) > 1:
            statements = tuple("" if result is None else result.sentence for result in results)
        flipped = bool(statements) or len({result.verdict for result in run}) > 1
        rows.append(ClaimRow(identity, run[0].statement, verdicts, flipped, statements))
    return tuple(sorted(rows, key=lambda row: not row.flipped))


def _list_caveats(reports: Sequence[ComparedReport]) -> tuple[str, ...]:
    caveats = [DRIFT_SENTENCE]
    for letter, report in zip(LETTERS[1:], reports[1:], strict=False):
        caveat = processor_caveat(reports[0].figures.report_environment, report.figures.report_environment)
        if caveat:
            caveats.append(f"A and {letter}: {caveat}")
    return tuple(caveats)


def compare_reports(reports: Sequence[ComparedReport]) -> ReportComparison:
    """Compares the reports with the first one. Raises ValueError unless there are 2 to ``MAX_REPORTS``."""
    if not 2 <= len(reports) <= MAX_REPORTS:
        raise ValueError(f"{len(reports)} reports cannot be compared")
    views = [report.view for report in reports]
    snapshots = [view.snapshot for view in views if view.snapshot is not None]
    complete = len(snapshots) == len(views)
    arms = match_arms(snapshots) if complete else ()
    rows = compare_rows(snapshots, arms) if complete else RowDiff()
    latency, unmatched = _compare_latency(reports)
    charts = [_chart(letter, latency) for letter in LETTERS[1 : len(reports)]]
    return ReportComparison(
        tuple(
            LetteredReport(letter, view.title, view.saved_at, view.origin)
            for letter, view in zip(LETTERS, views, strict=False)
        ),
        _list_caveats(reports) if latency else (),
        compare_environments([report.figures.report_environment for report in reports]),
        arms,
        rows.changes,
        rows.same,
        rows.same_count,
        _compare_claims(views),
        latency,
        tuple(chart for chart in charts if chart is not None),
        unmatched,
    )
