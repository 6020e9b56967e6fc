"""What stands first in a report: what was compared, the differences that matter, verdicts and warnings, in sentences.

Every sentence follows from what the report holds; where it does not say it, it is not said.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dashboard.core.experiments.messages import ArmStatus, Column
from dashboard.core.experiments.stream import Snapshot
from dashboard.core.measurements.headline import label_of
from dashboard.core.measurements.measurement import ComparisonResult, Environment, Measurement, SeriesResult
from dashboard.core.modes import MACHINE
from dashboard.core.reports.differences import Difference, list_differences, name_list
from dashboard.core.reports.model import ClaimResult, ClaimVerdict, FrozenRun, ReportContent

#: A load average of so many running processes per core may disturb a measurement.
BUSY_PER_CORE = 0.5
MOST_WARNINGS = 40


@dataclass(frozen=True, slots=True)
class Verdict:
    """One latency verdict in words. ``other`` and ``baseline`` are keys of series of the run ``run``."""

    run: str
    other: str
    baseline: str
    verdict: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Summary:
    """The head of a report. ``compared`` is one sentence; ``verdicts`` in the order of the runs."""

    compared: str
    differences: tuple[Difference, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    warnings: tuple[str, ...] = ()


def _stopped(text: str) -> str:
    """With its full stop."""
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def _where(content: ReportContent) -> str:
    environment, experiment = content.environment, content.experiment
    version = experiment.engine.version if experiment is not None else environment.engine
    kernel = (experiment.engine.kernel if experiment is not None else "") or environment.kernel
    parts = [f"on Docker Engine {version}" if version else "", f"kernel {kernel}" if kernel else ""]
    said = ", ".join(part for part in parts if part)
    private = experiment is not None and experiment.engine.private
    return said + (", on a private host" if private and said else "")


def say_compared(content: ReportContent, columns: Sequence[Column] = ()) -> str:
    """What was compared, in one sentence."""
    parts = []
    experiment = content.experiment
    if experiment is not None:
        arms = name_list(one.title for one in columns if one.key != MACHINE) or name_list(
            arm.key for arm in experiment.spec.arms
        )
        many = "side by side in the network modes" if len(experiment.spec.arms) > 1 else "in the network mode"
        parts.append(f"{experiment.spec.image} (port {experiment.spec.port}) {many} {arms}")
    if content.measurements:
        runs = [run.measurement for run in content.measurements]
        paths = len({(one.column, one.path, one.probe) for run in runs for one in run.series if one.n})
        probes = name_list(one.probe for run in runs for one in run.series if one.n)
        parts.append(f"what {_count(paths, 'path')} of it cost{'s' if paths == 1 else ''} ({probes})" if paths else "")
    if content.claims:
        parts.append(f"{_count(len(content.claims), 'claim')} executed")
    said = "; ".join(part for part in parts if part) or "Nothing was compared"
    where = _where(content)
    return _stopped(f"{said}, {where}" if where else said)


def say_verdict(run: FrozenRun, one: ComparisonResult) -> str:
    """The verdict with its interval in words."""
    series = {found.key: found for found in run.measurement.series}
    other, baseline = (_named(series.get(key), key) for key in (one.other, one.baseline))
    probe = f"{one.probe}, {_count(one.rounds, 'paired block')}"
    if one.delta_us is None or one.ci95_us is None:
        return _stopped(f"{other} against {baseline} is not decided ({probe}): {one.reason}")
    low, high = one.ci95_us
    interval = f"95 % interval {_signed(low)} to {_signed(high)} µs"
    if one.verdict in {"slower", "faster"}:
        by = f"{abs(one.delta_us):.1f} µs at the median"
        cause = f" The reason: {_stopped(one.cause)}" if one.cause else ""
        return f"{other} is {one.verdict} than {baseline} by {by} ({interval}; {probe}).{cause}"
    if one.verdict == "same":
        within = one.within_us if one.within_us is not None else max(abs(low), abs(high))
        return f"{other} does not differ from {baseline} by more than {within:.1f} µs ({interval}; {probe})."
    return _stopped(f"{other} against {baseline} is not decided ({interval}; {probe}): {one.reason}")


def _named(one: SeriesResult | None, key: str) -> str:
    return label_of(one) if one is not None else key


def _signed(value: float) -> str:
    text = f"{abs(value):.1f}"
    return text if float(text) == 0 else f"{'+' if value > 0 else '\N{MINUS SIGN}'}{text}"


def list_verdicts(runs: Sequence[FrozenRun]) -> tuple[Verdict, ...]:
    """Every comparison of every run."""
    return tuple(
        Verdict(run.id, one.other, one.baseline, one.verdict, say_verdict(run, one))
        for run in runs
        for one in run.measurement.comparisons
    )


def column_warnings(columns: Sequence[Column]) -> list[str]:
    """What the Engine warned of, refused or lost."""
    found = []
    for one in columns:
        found += [f"{one.title}: the Engine warned: {_stopped(text)}" for text in one.warnings]
        if one.status is ArmStatus.REFUSED:
            found.append(f"{one.title} was refused. Docker said: {_stopped(one.error or 'nothing')}")
        elif one.status is ArmStatus.EXITED:
            code = "" if one.exit_code is None else f" with code {one.exit_code}"
            found.append(f"{one.title}: the program exited{code}.")
        elif one.status is ArmStatus.LOST:
            found.append(f"{one.title} was removed by somebody else.")
        elif one.error:
            found.append(f"{one.title}: {_stopped(one.error)}")
    return found


def environment_warnings(environment: Environment) -> list[str]:
    """What about the machine makes its times less sure."""
    found = []
    if environment.governor and environment.governor != "performance":
        found.append(
            f"The processor's frequency governor is {environment.governor}, not performance: "
            "times depend on how busy the processor was before."
        )
    if environment.virtualisation and environment.virtualisation != "none":
        found.append(
            f"The machine is virtual ({environment.virtualisation}): its host may take time away from it unseen."
        )
    loads = [load[0] for load in (environment.load_before,) if load is not None]
    if environment.cores and loads and max(loads) > BUSY_PER_CORE * environment.cores:
        found.append(
            f"The machine was busy: a load of {max(loads):.1f} on {_count(environment.cores, 'core')} "
            "before the measurement began."
        )
    return found


def run_warnings(title: str, found: Measurement) -> list[str]:
    """An incomplete run, blocks that failed, paths that are not there."""
    said = []
    if not found.complete:
        said.append(f"The measurement “{title}” is incomplete: {_stopped(found.stop_reason or 'it was ended early')}")
    for one in found.series:
        name = f"{label_of(one)} ({one.probe})"
        if one.failed_blocks:
            error = f": {_stopped(one.errors[0])}" if one.errors else "."
            said.append(f"{one.failed_blocks} of {_count(one.blocks, 'block')} of {name} failed{error}")
        elif one.errors:
            said.append(f"{name}: {_stopped(one.errors[0])}")
    return said


def claim_warnings(claims: Sequence[ClaimResult]) -> list[str]:
    """Claims that did not come out as stated."""
    said = {ClaimVerdict.DIFFERS: "does not hold here", ClaimVerdict.NOT_TESTABLE: "could not be tested"}
    return [
        _stopped(f"The claim “{one.statement}” {said[one.verdict]}{f': {one.reason}' if one.reason else ''}")
        for one in claims
        if one.verdict in said
    ]


def list_warnings(content: ReportContent, columns: Sequence[Column]) -> tuple[str, ...]:
    """Everything that a reader must know before the figures, each once."""
    found: list[str] = []
    experiment = content.experiment
    if experiment is not None and experiment.head.problem:
        found.append(_stopped(experiment.head.problem))
    found += column_warnings(columns)
    if content.measurements:
        environments: Iterable[Environment] = (run.measurement.environment for run in content.measurements)
        found += [text for one in environments for text in environment_warnings(one)]
        found += [text for run in content.measurements for text in run_warnings(run.title, run.measurement)]
    found += claim_warnings(content.claims)
    unique = tuple(dict.fromkeys(found))
    if len(unique) > MOST_WARNINGS:
        left = len(unique) - MOST_WARNINGS
        return (*unique[:MOST_WARNINGS], f"{left} more warnings stand with what they are about.")
    return unique


def summarise(content: ReportContent, snapshot: Snapshot | None) -> Summary:
    """The head of the report. ``snapshot`` is what the report shows first, None without an experiment."""
    columns = snapshot.columns if snapshot is not None else ()
    rows = snapshot.rows if snapshot is not None else ()
    return Summary(
        say_compared(content, columns),
        list_differences(columns, rows),
        list_verdicts(content.measurements),
        list_warnings(content, columns),
    )
