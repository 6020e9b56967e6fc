"""Filters and tags of the measurement pages: ``{% load measurements %}``."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django import template
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from dashboard.core.measurements import axes, formatting
from dashboard.core.measurements import charts as measurement_charts
from dashboard.core.measurements.conditions import Conditions
from dashboard.core.measurements.measurement import ANSWERED_BY_US, Environment, Measurement, Probe
from dashboard.core.measurements.schedule import describe_share
from dashboard.core.measurements.series_labels import label_signatures
from dashboard.core.reports.charts import MAX_BANDS
from dashboard.core.reports.facts import environment_facts
from dashboard.templatetags.words import WORDS
from dashboard.web.measurements import presenters as measurement_presenters

register = template.Library()

LIVE = frozenset({"waiting", "running"})


@dataclass(frozen=True, slots=True)
class ChoiceView:
    """One choice of the measurement form: a probe, or the conditions (quiet or ordinary). ``ours`` tells whether
    Netmodes' own responder answers the probe."""

    name: str
    about: str | Promise
    checked: bool
    ours: bool = False


@dataclass(frozen=True, slots=True)
class FormView:
    """The measurement form with its values. If ``unusual`` is true, the form shows the rarely used options: one of them
    is not at its default, or the probe ``dns`` is chosen."""

    probes: tuple[ChoiceView, ...]
    conditions: tuple[ChoiceView, ...]
    values: dict[str, str]
    under_load: bool
    unusual: bool
    machines: tuple[str, ...] = ()


@register.simple_tag
def measure_form(values: Any = None) -> FormView:
    """Returns the measurement form with the submitted values, or with the defaults if ``values`` is empty."""
    typed: Mapping[str, Any] = values or {}
    chosen = set(typed.get("probe") or [Probe.TCP_RR])
    ranked = [one for one in Probe if one in ANSWERED_BY_US] + [one for one in Probe if one not in ANSWERED_BY_US]
    texts = {"seconds": "10", "payload": "", "rate": "", "width": "", "name": "localhost"}
    texts |= {name: str(typed[name]) for name in texts if name in typed and typed[name] is not None}
    under_load = bool(typed.get("under_load"))
    conditions = str(typed.get("conditions") or Conditions.QUIET)
    return FormView(
        tuple(ChoiceView(one, WORDS["probe"][one], one in chosen, one in ANSWERED_BY_US) for one in ranked),
        tuple(ChoiceView(one, WORDS["conditions"][one], one == conditions) for one in Conditions),
        texts,
        under_load,
        under_load or any(texts[name] for name in ("payload", "rate", "width")) or Probe.DNS in chosen,
        tuple(typed.get("from_machine") or ()),
    )


@register.simple_tag
def share_of_time(measurement: Measurement) -> str:
    """Returns a sentence that tells how much of the time limit each measured series gets."""
    measured = sum(not series.unavailable for series in measurement.series)
    return describe_share(measurement.options.seconds, measured)


@register.filter
def is_live(state: str) -> bool:
    """Whether the run has not ended."""
    return state in LIVE


@register.filter
def time_us(value: float | None) -> str:
    """Formats microseconds without their unit."""
    return formatting.micros(value)


@register.filter
def seconds_text(value: float | None) -> str:
    """Formats seconds without their unit, such as ``3.2``; empty if the value is unknown."""
    return "" if value is None else formatting.fixed(max(0.0, value), 1)


@register.filter
def dot(value: float | None) -> str:
    """Formats a number for an attribute with three decimals, independent of the locale; None becomes ``0``."""
    return "0" if value is None else f"{value:.3f}"


@register.filter
def plain(value: float) -> str:
    """Formats a number for an attribute with all its digits, independent of the locale."""
    return repr(float(value))


@register.filter
def mode_of(column: str, modes: Any = None) -> str:
    """Returns the mode of the column with the key ``column``. ``modes`` maps such keys to modes; without it, the mode
    is inferred from the key."""
    return formatting.mode_of(column, modes or None)


@register.simple_tag
def view_measurement(found: Measurement, modes: Any = None) -> measurement_presenters.MeasurementView:
    """Prepares the measurement ``found`` for the page. ``modes`` is as for ``mode_of``."""
    return measurement_presenters.view_measurement(found, modes or None)


@register.simple_tag
def align_blocks(found: Measurement, blocks: Any, modes: Any = None) -> measurement_charts.Columns:
    """Arranges the blocks of the run ``found`` by round, for the chart and for the browser. ``modes`` is as for
    ``mode_of``."""
    return measurement_charts.align_blocks(found, blocks or (), modes or None)


@register.filter
def length_is_small(series: Sequence[Any]) -> bool:
    """Whether there are so few series that one chart can show their bands from p50 to p99."""
    return len(series) <= MAX_BANDS


@register.filter
def as_data(value: Any) -> dict[str, Any]:
    """Converts a dataclass to a dictionary, to be output as JSON."""
    return asdict(value)


@register.simple_tag
def draw_blocks(columns: measurement_charts.Columns) -> measurement_charts.ChartView:
    """Draws the chart of the blocks' medians over the time of the run."""
    return measurement_charts.draw_times(columns.x, columns.series, banded=length_is_small(columns.series))


@register.simple_tag
def count_blocks(found: Measurement, blocks: Any, modes: Any = None) -> tuple[measurement_charts.BlocksView, ...]:
    """Returns the rows of the table of blocks, one for each series. ``modes`` is as for ``mode_of``."""
    return measurement_charts.count_blocks(found, blocks or (), modes or None)


@register.simple_tag
def draw_history(points: Sequence[Mapping[str, Any]], signature: str = "") -> measurement_charts.ChartView:
    """Draws a chart of the medians of one series in several runs, by date. ``points`` are the figures of the series in
    each run, and ``signature`` identifies the series."""
    dated = [(one["at"], one) for one in points if isinstance(one["at"], datetime)]
    if not dated:
        return measurement_charts.ChartView((), (), ())
    moments = [at.timestamp() for at, _one in dated]
    first, width = moments[0], (moments[-1] - moments[0]) or 1.0
    wanted = sorted({0, len(dated) // 3, 2 * len(dated) // 3, len(dated) - 1})
    date_format = "%Y-%m-%d" if width > 2 * 86_400 else "%m-%d %H:%M"
    ticks: list[axes.Tick] = []
    for number in wanted:
        at = (moments[number] - first) / width
        if not ticks or at - float(ticks[-1].at.rstrip("%")) / 100 > 0.2:
            ticks.append(axes.Tick(axes.place(at), dated[number][0].strftime(date_format)))
    column, _space, _rest = signature.partition(" ")
    look = label_signatures([signature])[signature]
    one = measurement_charts.Times(
        "history",
        signature,
        formatting.mode_of(column),
        "",
        tuple(point["p50_us"] for _at, point in dated),
        tuple(point["p99_us"] for _at, point in dated),
        look.mark,
        look.words,
        look.short,
    )
    return measurement_charts.draw_times(moments, [one], ticks)


@register.filter
def environment_rows(environment: Environment) -> list[tuple[str, str]]:
    """Returns the known facts of the environment as pairs of label and text."""
    return [(_(fact.label), fact.text) for fact in environment_facts(environment)]


@register.simple_tag
def measure_words() -> dict[str, Any]:
    """Returns the translated texts for the scripts of the measurement pages. The scripts fill in the placeholders
    ``{…}``."""
    return {
        "states": WORDS["run"],
        "left": _("{elapsed} s of {seconds} s · at most {left} s left"),
        "waiting": _("Waiting to start…"),
        "ending": _("Ending…"),
        "ended": _("The measurement has ended: {state}. {headline}"),
        "begun": _("The measurement has started."),
        "soFar": _("so far"),
        "measuring": _("Measuring: intervals and verdicts appear when the run ends."),
        "loading": _("Reading the histograms…"),
        "noDistribution": _("The distribution could not be read: {reason}"),
        "nothing": _("Nothing has been measured yet."),
    }
