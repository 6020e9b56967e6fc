"""The summary at the top of a report, in sentences: what was compared, the most important differences, verdicts and
warnings.

It is derived from the content of the report alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.core.comparison.answer.answer import describe_refused
from dashboard.core.comparison.answer.differences import list_differences
from dashboard.core.comparison.phrases import join_names, with_full_stop
from dashboard.core.experiments.engine_kind import describe_engine
from dashboard.core.experiments.messages import ArmStatus, Column, Difference
from dashboard.core.experiments.stream import Snapshot
from dashboard.core.measurements.conditions import Conditions, with_conditions
from dashboard.core.measurements.formatting import format_difference, format_upper_bound, signed
from dashboard.core.measurements.headline import write_headline
from dashboard.core.measurements.measurement import ComparisonResult, Environment, Measurement
from dashboard.core.measurements.series_labels import name_series
from dashboard.core.modes import is_observer
from dashboard.core.namespaces.state import NamespaceState
from dashboard.core.paths.words import describe_path
from dashboard.core.reports.facts import describe_machines
from dashboard.core.reports.model import ClaimResult, ClaimVerdict, FrozenRun, ReportContent

#: A higher load average per core may disturb a measurement.
BUSY_PER_CORE = 0.5
MAX_WARNINGS = 40


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on two series of the measurement ``run``. ``other`` and ``baseline`` are the keys of the series."""

    run: str
    other: str
    baseline: str
    verdict: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Summary:
    """The summary of a report. ``compared`` is one sentence. ``headlines`` are those of the measurements, without
    headlines that prove nothing. ``verdicts`` are in the order of the measurements, with inconclusive ones last."""

    compared: str
    differences: tuple[Difference, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    warnings: tuple[str, ...] = ()
    headlines: tuple[str, ...] = ()


def _format_count(number: int, one: str) -> str:
    return f"{number} {one}{'' if number == 1 else 's'}"


def _describe_engine(content: ReportContent, columns: Sequence[Column]) -> str:
    if machines := describe_machines(columns):
        return "on " + join_names(f"{name} ({text})" if text else name for name, text in machines.items())
    environment, experiment = content.environment, content.experiment
    version = experiment.engine.version if experiment is not None else environment.engine
    kernel = (experiment.engine.kernel if experiment is not None else "") or environment.kernel
    kind = experiment.engine.kind if experiment is not None else environment.engine_kind
    parts = [f"on {describe_engine(kind, version)}" if version else "", f"kernel {kernel}" if kernel else ""]
    text = ", ".join(part for part in parts if part)
    private = experiment is not None and experiment.engine.private
    return text + (", on a private host" if private and text else "")


def describe_comparison(content: ReportContent, columns: Sequence[Column] = ()) -> str:
    """Returns a sentence on what the report compares: image, modes, measured paths, claims, and the engine. ``columns``
    are those that the opened report shows. Their titles name the arms; without ``columns``, the keys of the arms do."""
    parts = []
    experiment = content.experiment
    if experiment is not None:
        arms = join_names(column.title for column in columns if not is_observer(column.key)) or join_names(
            arm.key for arm in experiment.spec.arms
        )
        many = "side by side in the network modes" if len(experiment.spec.arms) > 1 else "in the network mode"
        parts.append(f"{experiment.spec.image} (port {experiment.spec.port}) {many} {arms}")
    if content.measurements:
        runs = [run.measurement for run in content.measurements]
        paths = len({(one.column, one.path, one.probe) for run in runs for one in run.series if one.n})
        probes = join_names(one.probe for run in runs for one in run.series if one.n)
        parts.append(f"latency of {_format_count(paths, 'path')} ({probes})" if paths else "")
    if content.claims:
        parts.append(_format_count(len(content.claims), "tested claim"))
    text = "; ".join(part for part in parts if part) or "Nothing was compared"
    engine = _describe_engine(content, columns)
    return with_full_stop(f"{text}, {engine}" if engine else text)


def describe_verdict(run: FrozenRun, result: ComparisonResult) -> str:
    """Returns a sentence with the verdict of a comparison in ``run`` and its interval."""
    names = name_series(run.measurement, result.probe)
    other, baseline = (names.get(key, key) for key in (result.other, result.baseline))
    conditions = run.measurement.options.conditions
    where = "" if conditions is Conditions.QUIET else f", {conditions} conditions"
    probe = f"{result.probe}, {_format_count(result.rounds, 'paired block')}{where}"
    if result.delta_us is None or result.ci95_us is None:
        return with_full_stop(f"{other} against {baseline} is inconclusive ({probe}): {result.reason}")
    low, high = result.ci95_us
    interval = f"95 % interval {signed(low)} to {signed(high)} µs"
    if result.verdict in {"slower", "faster"}:
        by = f"{format_difference(abs(result.delta_us))} µs at the median"
        cause = f" Reason: {with_full_stop(result.cause)}" if result.cause else ""
        return f"{other} is {result.verdict} than {baseline} by {by} ({interval}; {probe}).{cause}"
    if result.verdict == "same":
        within = result.within_us if result.within_us is not None else max(abs(low), abs(high))
        most = format_upper_bound(within)
        return f"{other} does not differ from {baseline} by more than {most} µs ({interval}; {probe})."
    return with_full_stop(f"{other} against {baseline} is inconclusive ({interval}; {probe}): {result.reason}")


def list_verdicts(runs: Sequence[FrozenRun]) -> tuple[Verdict, ...]:
    """Returns the verdicts of all comparisons in all measurements, inconclusive ones last."""
    verdicts = (
        Verdict(run.id, comparison.other, comparison.baseline, comparison.verdict, describe_verdict(run, comparison))
        for run in runs
        for comparison in run.measurement.comparisons
    )
    return tuple(sorted(verdicts, key=lambda one: one.verdict == "inconclusive"))


def list_headlines(runs: Sequence[FrozenRun]) -> tuple[str, ...]:
    """Returns the headlines of the measurements, without duplicates and without headlines that prove nothing."""
    headlines = ((write_headline(run.measurement), run.measurement.options.conditions) for run in runs)
    return tuple(dict.fromkeys(with_conditions(one.sentence, where) for one, where in headlines if one.decided))


def column_warnings(columns: Sequence[Column]) -> list[str]:
    """Returns the Engine's warnings, and sentences on containers that were refused, exited, were removed outside
    Netmodes or have an error."""
    warnings = []
    refused: dict[str, list[str]] = {}
    for one in columns:
        if one.status is ArmStatus.REFUSED:
            refused.setdefault(one.error or "", []).append(one.title)
    for one in columns:
        warnings += [f"{one.title}: warning of the Engine: {with_full_stop(text)}" for text in one.warnings]
        if one.status is ArmStatus.REFUSED:
            titles = refused.pop(one.error or "", [])
            warnings += [describe_refused(titles, one.error)] if titles else []
        elif one.status is ArmStatus.EXITED:
            code = "" if one.exit_code is None else f" with code {one.exit_code}"
            warnings.append(f"{one.title}: the program exited{code}.")
        elif one.status is ArmStatus.LOST:
            warnings.append(f"{one.title}: the container was removed outside Netmodes.")
        elif one.error:
            warnings.append(f"{one.title}: {with_full_stop(one.error)}")
    return warnings


def environment_warnings(environment: Environment) -> list[str]:
    """Returns warnings about properties of the machine that make measured times less reliable."""
    warnings = []
    if environment.governor and environment.governor != "performance":
        warnings.append(
            f"The processor's frequency governor is {environment.governor}, not performance: "
            "times depend on how busy the processor was before."
        )
    if environment.virtualisation and environment.virtualisation != "none":
        warnings.append(
            f"The machine is virtual ({environment.virtualisation}): its host may take processor time from it."
        )
    load = environment.load_before[0] if environment.load_before is not None else 0.0
    if environment.cores and load > BUSY_PER_CORE * environment.cores:
        warnings.append(
            f"The machine was busy: a load of {load:.1f} on {_format_count(environment.cores, 'core')} "
            "before the measurement began."
        )
    return warnings


def run_warnings(title: str, measurement: Measurement) -> list[str]:
    """Returns warnings about a measurement: it is incomplete, blocks failed, or a series has errors."""
    warnings = []
    if not measurement.complete:
        reason = with_full_stop(measurement.stop_reason or "it was ended early")
        warnings.append(f"The measurement “{title}” is incomplete: {reason}")
    for one in measurement.series:
        name = f"{describe_path(one.path)}, {one.column} ({one.probe})"
        if one.failed_blocks:
            error = f": {with_full_stop(one.errors[0])}" if one.errors else "."
            warnings.append(f"{one.failed_blocks} of {_format_count(one.blocks, 'block')} of {name} failed{error}")
        elif one.errors:
            warnings.append(f"{name}: {with_full_stop(one.errors[0])}")
    return warnings


def claim_warnings(claims: Sequence[ClaimResult]) -> list[str]:
    """Returns a sentence for each claim that was not confirmed."""
    results = {ClaimVerdict.DIFFERS: "is not confirmed here", ClaimVerdict.NOT_TESTABLE: "could not be tested"}
    return [
        with_full_stop(f"The claim “{one.statement}” {results[one.verdict]}{f': {one.reason}' if one.reason else ''}")
        for one in claims
        if one.verdict in results
    ]


def list_warnings(content: ReportContent, columns: Sequence[Column]) -> tuple[str, ...]:
    """Returns all warnings of a report without duplicates: at most ``MAX_WARNINGS``, then a sentence with the number of
    further ones."""
    experiment = content.experiment
    warnings = [with_full_stop(experiment.head.problem)] if experiment is not None and experiment.head.problem else []
    warnings += column_warnings(columns)
    warnings += [text for run in content.measurements for text in environment_warnings(run.measurement.environment)]
    warnings += [text for run in content.measurements for text in run_warnings(run.title, run.measurement)]
    unique = tuple(dict.fromkeys([*warnings, *claim_warnings(content.claims)]))
    if len(unique) > MAX_WARNINGS:
        more = f"{len(unique) - MAX_WARNINGS} more warnings are listed with the results that they apply to."
        return (*unique[:MAX_WARNINGS], more)
    return unique


def summarise(content: ReportContent, snapshot: Snapshot | None, machine: NamespaceState | None = None) -> Summary:
    """Returns the summary of a report. ``snapshot`` is what the opened report shows, None if the report has no
    experiment. ``machine`` is the machine's state at the moment of the snapshot."""
    columns = snapshot.columns if snapshot is not None else ()
    rows = snapshot.rows if snapshot is not None else ()
    return Summary(
        describe_comparison(content, columns),
        list_differences(columns, rows, machine),
        list_verdicts(content.measurements),
        list_warnings(content, columns),
        list_headlines(content.measurements),
    )
