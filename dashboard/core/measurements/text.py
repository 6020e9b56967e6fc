"""A measurement as plain text for a terminal: a line with a bar for each series, then the verdicts."""

from collections.abc import Sequence

from dashboard.core.comparison.text_table import printable
from dashboard.core.measurements.conditions import describe_conditions
from dashboard.core.measurements.formatting import signed
from dashboard.core.measurements.measurement import ComparisonResult, Measurement, SeriesResult

BAR = 24
EIGHTHS = " ▏▎▍▌▋▊▉█"


def bar(value: float, largest: float, width: int = BAR) -> str:
    """Returns a bar for ``value``. A bar for ``largest`` is ``width`` characters long; lengths are rounded to an eighth
    of a character."""
    if largest <= 0:
        return ""
    eighths = round(max(0.0, min(1.0, value / largest)) * width * 8)
    full, rest = divmod(eighths, 8)
    return "█" * full + (EIGHTHS[rest] if rest else "")


def micros(value: float | None) -> str:
    """Formats microseconds with one decimal; a hyphen for None."""
    return "-" if value is None else f"{value:.1f}"


def _series_line(one: SeriesResult, width: int, largest: float) -> str:
    name = (one.key or f"{one.column}/{one.path}").ljust(width)
    if one.unavailable:
        return f"{name}  unavailable: {printable(one.unavailable)}"
    if not one.n:
        return f"{name}  nothing measured: {printable('; '.join(one.errors))}"
    figures = "".join(micros(value).rjust(10) for value in (one.p50_us, one.p90_us, one.p99_us, one.p999_us))
    return f"{name}{figures}{one.n:10}  {bar(one.p50_us or 0.0, largest)}"


def describe_comparison(result: ComparisonResult) -> str:
    """Returns a sentence with the difference, its interval and the verdict."""
    if result.delta_us is None or result.ci95_us is None:
        return f"{result.other} against {result.baseline}: {result.verdict}, {printable(result.reason)}."
    low, high = result.ci95_us
    interval = f"{signed(result.delta_us, 2)} µs, 95 % interval [{signed(low, 2)}, {signed(high, 2)}]"
    why = result.cause or printable(result.reason)
    return f"{result.other} against {result.baseline}: {interval}: {result.verdict}{f'; {why}' if why else ''}."


def measurement_text(found: Measurement) -> str:
    """Returns the measurement as text: the table, the verdicts, the conditions, and why the run ended."""
    names: Sequence[str] = [one.key or f"{one.column}/{one.path}" for one in found.series]
    width = max([len(name) for name in names], default=6) + 1
    largest = max([one.p50_us or 0.0 for one in found.series], default=0.0)
    heads = "".join(head.rjust(10) for head in ("p50 µs", "p90 µs", "p99 µs", "p99.9 µs", "n"))
    lines = [f"{'path'.ljust(width)}{heads}"]
    lines += [_series_line(one, width, largest) for one in found.series]
    lines.append("")
    lines += [describe_comparison(comparison) for comparison in found.comparisons]
    lines += ["", f"Conditions: {describe_conditions(found.options.conditions, found.environment.cores_awake)}."]
    lines.append(f"{found.stop_reason or 'Not finished.'} Seed {found.seed}, {found.elapsed_s:.1f} s.")
    return "\n".join(lines)
