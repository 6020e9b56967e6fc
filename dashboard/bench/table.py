"""A report as text for a terminal. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from dashboard.bench.statistics import Figure, Of, Report, Result

NAME_WIDTH = 46


def amount(value: float, unit: str = "") -> str:
    """Three digits that say something, whole from 100 on, with the unit."""
    text = f"{value:,.0f}" if abs(value) >= 99.95 else f"{value:#.3g}"
    return f"{text} {unit}".rstrip()


def between(interval: tuple[float, float]) -> str:
    """Both ends."""
    return f"[{amount(interval[0])} … {amount(interval[1])}]"


def promised(figure: Figure) -> str:
    """The promise and what became of it; empty where nothing was promised."""
    if figure.promise is None:
        return ""
    if figure.promise.of is Of.APART:
        return f"{1 / figure.promise.limit:.3g} ≤ ratio ≤ {figure.promise.limit:g}: {figure.verdict}"
    least = "" if figure.promise.least is None else f"{figure.promise.least:g} ≤ "
    what = "ratio" if figure.promise.of is Of.RATIO else figure.statistic
    unit = "" if figure.promise.of is Of.RATIO else figure.unit
    return f"{least}{what} ≤ {f'{figure.promise.limit:g} {unit}'.rstrip()}: {figure.verdict}"


def figure_lines(figure: Figure) -> Iterator[str]:
    """The figure, what it stands beside, and its promise."""
    interval = between(figure.ci95) if figure.n > 1 else ""
    yield f"  {figure.name}"
    yield (
        f"    {figure.statistic} of {figure.n}".ljust(24) + f"{amount(figure.value, figure.unit)}  {interval}".rstrip()
    )
    if figure.reference_value is not None and figure.ratio is not None and figure.ratio_ci95 is not None:
        yield f"    {figure.reference}".ljust(NAME_WIDTH) + "  " + amount(figure.reference_value, figure.unit)
        yield "    ratio".ljust(24) + f"{amount(figure.ratio)}  {between(figure.ratio_ci95)}"
    if said := promised(figure):
        yield "    promise".ljust(24) + said


def result_lines(result: Result) -> Iterator[str]:
    """One benchmark."""
    yield f"{result.title}"
    judged = any(one.verdict is not None for one in result.figures)
    yield f"  Promise: {result.promise}. {'NOT KEPT.' if not result.kept else 'Kept.' if judged else 'Not judged.'}"
    yield ""
    for one in result.figures:
        yield from figure_lines(one)
    for note in result.notes:
        yield f"  · {note}"
    yield ""


def report_text(report: Report) -> str:
    """The whole report; intervals are 95 % bootstrap intervals."""
    lines = [f"Netmodes bench, {report.date}{', quick' if report.quick else ''}"]
    lines += [f"  {name:<12} {value}" for name, value in report.machine.items()]
    lines.append("")
    for result in report.results:
        lines += result_lines(result)
    lines += [f"{name} could not be measured: {why}" for name, why in report.failed.items()]
    lines.append("In brackets: 95 % bootstrap intervals. Ours and the reference are measured in turn.")
    lines.append("Every promise is kept." if report.kept else "NOT every promise is kept.")
    return "\n".join(lines) + "\n"
