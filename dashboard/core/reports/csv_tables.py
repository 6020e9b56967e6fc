"""The figures of a report as CSV for spreadsheets: percentiles with their intervals, and the histogram of every block.

RFC 4180, UTF-8, with a header line and decimal points. Times are in microseconds. A text that a spreadsheet would
evaluate as a formula gets an apostrophe in front.
"""

import csv
import io
from collections.abc import Iterator, Sequence

from dashboard.core.measurements.histogram import BadHistogram, recorded_counts
from dashboard.core.measurements.measurement import ANSWERED_BY_US, ComparisonResult, Probe, SeriesResult
from dashboard.core.reports.model import FrozenRun, ReportContent
from dashboard.core.reports.view import column_modes

PERCENTILES = (
    "run", "run_title", "column", "mode", "path", "probe", "client", "target", "hops", "payload_bytes", "n", "blocks",
    "failed_blocks", "p50_us", "p90_us", "p99_us", "p999_us", "max_us", "mean_us", "bytes_per_s", "baseline",
    "delta_us", "ci95_low_us", "ci95_high_us", "p99_delta_us", "p99_ci95_low_us", "p99_ci95_high_us", "paired_blocks",
    "verdict", "cause", "unavailable", "conditions", "rate_per_s", "under_load", "lookup_name",
)  # fmt: skip
HISTOGRAMS = ("run", "series", "round", "value_us", "count")
#: The characters that begin a formula in spreadsheets, with their full width forms (OWASP, "CSV Injection").
_FORMULA = frozenset("=+-@\t\r\n＝＋－＠")  # noqa: RUF001 - full width on purpose

Cell = str | int | float | None


def safe_cell(text: str) -> str:
    """Returns the text for a cell of CSV, without NUL characters. If its first character other than a blank begins a
    formula, the text gets an apostrophe in front."""
    text = text.replace("\0", "")
    return f"'{text}" if text.lstrip(" \u00a0")[:1] in _FORMULA else text


def safe_line(cells: Sequence[Cell]) -> list[Cell]:
    """Returns the cells of a line, each text made safe by ``safe_cell``."""
    return [safe_cell(cell) if isinstance(cell, str) else cell for cell in cells]


def _bounds(pair: tuple[float, float] | None) -> tuple[float | None, float | None]:
    return (None, None) if pair is None else pair


def _comparison_cells(one: ComparisonResult | None) -> tuple[Cell, ...]:
    if one is None:
        return ("", *(None,) * 7, "", "")
    return (
        one.baseline,
        one.delta_us,
        *_bounds(one.ci95_us),
        one.p99_delta_us,
        *_bounds(one.p99_ci95_us),
        one.rounds,
        one.verdict,
        one.cause,
    )


def _series_cells(run: FrozenRun, one: SeriesResult, compared: ComparisonResult | None, mode: str) -> tuple[Cell, ...]:
    options = run.measurement.options
    payload = options.payload_of(one.probe) if one.probe in ANSWERED_BY_US else None
    name = options.lookup_name if one.probe is Probe.DNS else ""
    return (
        run.id, run.title, one.column, mode, one.path, str(one.probe), one.client, one.target, " > ".join(one.hops),
        payload, one.n, one.blocks, one.failed_blocks, one.p50_us, one.p90_us,
        one.p99_us, one.p999_us, one.max_us, one.mean_us, one.bytes_per_s, *_comparison_cells(compared),
        one.unavailable, str(options.conditions), options.rate, "yes" if options.under_load else "no", name,
    )  # fmt: skip


def percentiles(content: ReportContent) -> str:
    """Returns CSV with one line for each series of each measurement, including series that could not be measured."""
    modes = column_modes(content)
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(PERCENTILES)
    for run in content.measurements:
        compared = {comparison.other: comparison for comparison in run.measurement.comparisons}
        for one in run.measurement.series:
            writer.writerow(safe_line(_series_cells(run, one, compared.get(one.key), modes.get(one.column, "machine"))))
    return text.getvalue()


def histogram_lines(content: ReportContent, at_once: int = 5000) -> Iterator[str]:
    """Yields the histograms as CSV, in pieces of about ``at_once`` lines, because a million requests need tens of
    megabytes. Histograms that cannot be read are skipped."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(HISTOGRAMS)
    pending = 0
    for run in content.measurements:
        for block in run.blocks:
            try:
                counted = recorded_counts(block.histogram) if block.histogram else ()
            except BadHistogram:
                continue
            names = (safe_cell(run.id), safe_cell(block.series), block.round)
            writer.writerows((*names, *one) for one in counted)
            pending += len(counted)
            if pending >= at_once:
                yield text.getvalue()
                text.seek(0)
                text.truncate()
                pending = 0
    yield text.getvalue()
