"""Formats a report of benchmarks as text for a terminal."""

from collections.abc import Iterator

from dashboard.bench.statistics import Figure, LimitedValue, Report, Result


def format_amount(value: float, unit: str = "") -> str:
    """A number as text with the unit. Numbers below 100 have three significant digits, others are rounded to whole
    numbers."""
    text = f"{value:,.0f}" if abs(value) >= 99.95 else f"{value:#.3g}"
    return f"{text} {unit}".rstrip()


def format_interval(interval: tuple[float, float]) -> str:
    """An interval as text, with both ends."""
    return f"[{format_amount(interval[0])} … {format_amount(interval[1])}]"


def describe_promise(figure: Figure) -> str:
    """The promised limits of a figure and whether it keeps them, as text; empty if the figure has no promise."""
    if figure.promise is None:
        return ""
    least = "" if figure.promise.least is None else f"{figure.promise.least:.3g} ≤ "
    what, unit = ("ratio", "") if figure.promise.of is LimitedValue.RATIO else (figure.statistic, figure.unit)
    return f"{least}{what} ≤ {f'{figure.promise.limit:g} {unit}'.rstrip()}: {figure.verdict}"


def figure_lines(figure: Figure) -> Iterator[str]:
    """Yields the lines of one figure: its value, its reference and its promise."""
    interval = format_interval(figure.ci95) if figure.n > 1 else ""
    statistic = f"    {figure.statistic} of {figure.n}".ljust(24)
    yield f"  {figure.name}"
    yield f"{statistic}{format_amount(figure.value, figure.unit)}  {interval}".rstrip()
    if figure.reference_value is not None and figure.ratio is not None and figure.ratio_ci95 is not None:
        yield f"    {figure.reference}".ljust(46) + "  " + format_amount(figure.reference_value, figure.unit)
        yield "    ratio".ljust(24) + f"{format_amount(figure.ratio)}  {format_interval(figure.ratio_ci95)}"
    if promise := describe_promise(figure):
        yield "    promise".ljust(24) + promise


def result_lines(result: Result) -> Iterator[str]:
    """Yields the lines of the result of one benchmark."""
    judged = any(figure.verdict is not None for figure in result.figures)
    yield result.title
    yield f"  Promise: {result.promise}. {'NOT KEPT.' if not result.kept else 'Kept.' if judged else 'Not judged.'}"
    yield ""
    for figure in result.figures:
        yield from figure_lines(figure)
    yield from (f"  · {note}" for note in result.notes)
    yield ""


def report_text(report: Report) -> str:
    """The whole report as text for a terminal."""
    lines = [f"Netmodes bench, {report.date}{', quick' if report.quick else ''}"]
    lines += [f"  {name:<12} {value}" for name, value in report.machine.items()]
    lines.append("")
    for result in report.results:
        lines += result_lines(result)
    lines += [f"{name} could not be measured: {reason}" for name, reason in report.failed.items()]
    lines.append("In brackets: 95 % bootstrap intervals. Each figure and its reference are measured in turn.")
    lines.append("Every promise is kept." if report.kept else "NOT every promise is kept.")
    return "\n".join(lines) + "\n"
