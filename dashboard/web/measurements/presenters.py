"""Prepares the results of a measurement for its page: texts and positions, which the browser uses unchanged.

Positions along an axis are percentages, so that a chart fits every width and its texts keep their size.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from django.utils.translation import gettext as _

from dashboard.core.measurements.axes import DifferenceAxis, Tick, lay_out_differences
from dashboard.core.measurements.formatting import NOTHING, format_interval, format_rate, micros, mode_of, signed
from dashboard.core.measurements.headline import Headline, describe_options, label_of, probes_of, write_headline
from dashboard.core.measurements.measurement import ComparisonResult, Measurement, Probe, SeriesResult
from dashboard.core.measurements.series_labels import label_series


@dataclass(frozen=True, slots=True)
class RowView:
    """The results of one path, as texts.

    ``n`` is the number of requests. ``against`` is the difference from the baseline, ``tail`` the difference at p99.
    ``at`` is the position of the difference on the axis, ``low`` and ``high`` are those of its confidence interval's
    ends. All three are empty if the path has no difference. ``cut`` names the ends that the axis cuts off
    (``DifferenceAxis.cut``). ``missing`` is the reason why the path was not measured. ``mark``, ``words`` and ``dash``
    come from the path's ``SeriesLabel``.
    """

    key: str
    label: str
    title: str
    mode: str
    p50: str
    p90: str
    p99: str
    p999: str
    most: str
    mean: str
    n: str
    rate: str
    against: str
    interval: str
    tail: str
    verdict: str
    why: str
    missing: str
    remarks: tuple[str, ...]
    low: str = ""
    at: str = ""
    high: str = ""
    difference: str = ""
    mark: str = ""
    words: str = ""
    dash: str = ""
    cut: str = ""


@dataclass(frozen=True, slots=True)
class GroupView:
    """The results of all paths with one probe, as a page shows them. ``about`` describes the options.

    ``baseline`` names the path with which the others are compared, ``baseline_key`` is its key; both are empty if there
    is no comparison. ``rated`` is true if at least one path has a transfer rate.
    """

    probe: str
    headline: Headline
    about: str
    baseline: str
    baseline_key: str
    rows: tuple[RowView, ...]
    ticks: tuple[Tick, ...]
    zero: str
    rated: bool


@dataclass(frozen=True, slots=True)
class MeasurementView:
    """The results of a measurement as a page shows them, one group per probe."""

    groups: tuple[GroupView, ...]


def _why(one: ComparisonResult | None) -> str:
    if one is None:
        return ""
    return one.cause or (one.reason if one.verdict == "inconclusive" else "")


def _series_row(
    result: SeriesResult, compared: ComparisonResult | None, baseline: bool, modes: Mapping[str, str] | None
) -> RowView:
    delta = signed(compared.delta_us) if compared is not None and compared.delta_us is not None else ""
    interval = format_interval(compared.ci95_us) if compared is not None else ""
    tail = ""
    if compared is not None and compared.p99_delta_us is not None:
        tail = f"{signed(compared.p99_delta_us)} {format_interval(compared.p99_ci95_us)}".strip()
    difference = (
        _("%(delta)s µs, 95 %% interval %(interval)s") % {"delta": delta, "interval": interval} if interval else ""
    )
    missing = result.unavailable or ("" if result.n else "; ".join(result.errors))
    return RowView(
        key=result.key,
        label=label_of(result),
        title=result.title,
        mode=mode_of(result.column, modes),
        p50=micros(result.p50_us),
        p90=micros(result.p90_us),
        p99=micros(result.p99_us),
        p999=micros(result.p999_us),
        most=micros(result.max_us),
        mean=micros(result.mean_us),
        n=f"{result.n:,}".replace(",", "\u202f") if result.n else NOTHING,
        rate=format_rate(result.bytes_per_s),
        against=_("baseline") if baseline else delta,
        interval=interval,
        tail=tail,
        verdict=compared.verdict if compared is not None else "",
        why=_why(compared),
        missing=missing,
        remarks=(*(result.errors if result.n else ()), *result.notes),
        difference=difference,
    )


def view_group(measurement: Measurement, probe: Probe, modes: Mapping[str, str] | None = None) -> GroupView:
    """Returns the results of one probe, with the differences from the baseline placed on one axis, which contains zero.
    ``modes``: the mode of each column, by key."""
    compared = {comparison.other: comparison for comparison in measurement.comparisons if comparison.probe is probe}
    baseline = next((one.baseline for one in compared.values()), "")
    own = [one for one in measurement.series if one.probe is probe]
    known = [one for one in own if not one.unavailable]
    labels = label_series((one.key, one.column, one.path, one.probe) for one in known)
    labels |= label_series((one.key, one.column, one.path, one.probe) for one in own if one.unavailable)
    rows = [_series_row(one, compared.get(one.key), one.key == baseline, modes) for one in own]
    rows = [
        replace(row, mark=look.mark, words=look.words, dash=look.dash) for row in rows for look in [labels[row.key]]
    ]
    known_differences = [
        (one.delta_us, one.ci95_us) for one in compared.values() if one.delta_us is not None and one.ci95_us is not None
    ]
    ticks: tuple[Tick, ...] = ()
    zero = ""
    if known_differences:
        axis = lay_out_differences(*zip(*known_differences, strict=True))
        zero, ticks = axis.zero, axis.ticks
        rows = [_placed(row, compared.get(row.key), row.key == baseline, axis) for row in rows]
    return GroupView(
        str(probe),
        write_headline(measurement, probe),
        describe_options(measurement, probe, _),
        labels[baseline].words if baseline in labels else "",
        baseline,
        tuple(rows),
        ticks,
        zero,
        any(row.rate for row in rows),
    )


def _placed(row: RowView, one: ComparisonResult | None, baseline: bool, axis: DifferenceAxis) -> RowView:
    at = axis.at
    if baseline:
        return replace(row, low=at(0.0), at=at(0.0), high=at(0.0), difference=_("the baseline"))
    if one is None or one.ci95_us is None or one.delta_us is None:
        return row
    return replace(row, low=at(one.ci95_us[0]), at=at(one.delta_us), high=at(one.ci95_us[1]), cut=axis.cut(one.ci95_us))


def view_measurement(measurement: Measurement, modes: Mapping[str, str] | None = None) -> MeasurementView:
    """Returns all figures that change during a run, as texts and positions. ``modes``: the mode of each column, by
    key."""
    return MeasurementView(tuple(view_group(measurement, probe, modes) for probe in probes_of(measurement)))
