"""The texts above the figures of a measurement: the headline, one sentence that states what the intervals prove, and
the line that states how they were measured.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dashboard.core.measurements.conditions import Conditions
from dashboard.core.measurements.formatting import format_difference, format_lower_bound, format_upper_bound
from dashboard.core.measurements.measurement import ComparisonResult, Measurement, Probe, SeriesResult
from dashboard.core.measurements.series_labels import name_series
from dashboard.core.paths.model import FILTERED_KINDS, PathKind, kind_of

_CROSSES_BRIDGE = frozenset({PathKind.BRIDGE_ADDRESS, PathKind.PUBLISHED_DNAT})


@dataclass(frozen=True, slots=True)
class Headline:
    """What a measurement proves. ``sentence`` ends with a full stop. ``evidence`` has the figures behind it, and may be
    empty. ``decided`` is false if nothing was proved."""

    sentence: str
    evidence: str = ""
    decided: bool = False


@dataclass(frozen=True, slots=True)
class _Compared:
    name: str
    kind: str
    result: ComparisonResult
    low: float
    high: float


def label_of(result: SeriesResult) -> str:
    """Returns a name that is unique among the series of a probe: ``bridge/published-proxy``."""
    return f"{result.column}/{result.path}"


def probes_of(measurement: Measurement) -> tuple[Probe, ...]:
    """Returns the probes of a measurement, each once, in the order of its series."""
    return tuple(dict.fromkeys(one.probe for one in measurement.series))


def describe_options(measurement: Measurement, probe: Probe, gettext: Callable[[str], str] = str) -> str:
    """Describes how a probe was measured, as in ``tcp-rr, 64 B, quiet conditions, 60 paired blocks, 95 % intervals``.

    The rate and the load are named only if they are set. Pages pass the function that translates texts as ``gettext``;
    without it, the description is in English.
    """
    options = measurement.options
    parts = [str(probe)]
    if probe not in {Probe.HTTP, Probe.DNS}:
        parts.append(f"{options.payload_of(probe)} B")
    if probe is Probe.DNS:
        parts.append(options.lookup_name)
    if options.rate is not None:
        rate = gettext("%(rate)s requests per second, timed from their scheduled starts")
        parts.append(rate % {"rate": f"{options.rate:g}"})
    if options.under_load:
        parts.append(gettext("while a stream saturates the same path"))
    quiet = options.conditions is Conditions.QUIET
    parts.append(gettext("quiet conditions") if quiet else gettext("ordinary conditions"))
    pairs = max((one.rounds for one in measurement.comparisons if one.probe is probe), default=0)
    if pairs:
        parts.append(gettext("%(count)d paired blocks") % {"count": pairs})
        parts.append(gettext("95 %% intervals") % {})
    return ", ".join(parts)


def write_headline(measurement: Measurement, probe: Probe | None = None) -> Headline:
    """Returns the headline from the comparisons of ``probe``. If ``probe`` is None, the first probe that proves
    something is used, or the first of all if none does."""
    if probe is None:
        found = [write_headline(measurement, one) for one in probes_of(measurement)]
        return next((one for one in found if one.decided), found[0] if found else _of_nothing(measurement))
    series = {one.key: one for one in measurement.series if one.probe is probe and one.n}
    names = name_series(measurement, probe)
    if not series:
        return _of_nothing(measurement)
    if len(series) == 1:
        return Headline(f"Only {names[next(iter(series))]} was measured: there is nothing to compare with.")
    compared = [
        _Compared(names[one.other], kind_of(series[one.other].path), one, *one.ci95_us)
        for one in measurement.comparisons
        if one.probe is probe and one.other in series and one.baseline in series and one.ci95_us is not None
    ]
    if not compared:
        return Headline("Too few blocks: an interval needs ten pairs.")
    baseline = series[compared[0].result.baseline]
    return _of_proxy(baseline, compared) or _of_bridge(baseline, compared) or _of_order(names[baseline.key], compared)


def _of_nothing(measurement: Measurement) -> Headline:
    over = measurement.stopped is not None or measurement.stop_reason
    return Headline("Nothing could be measured." if over else "Nothing has been measured yet.")


def _span(low: float, high: float) -> str:
    return f"{format_difference(low)} to {format_difference(high)} µs"


def _of_proxy(baseline: SeriesResult, compared: Sequence[_Compared]) -> Headline | None:
    """Returns the headline that docker-proxy is the main cost; None if that is not proved. The proof has two parts.
    Every path through docker-proxy is slower than the baseline. The lower end of its interval is more than twice the
    upper end of the interval of every other path over the bridge."""
    proxied = [one for one in compared if one.kind == PathKind.PUBLISHED_PROXY]
    others = [one for one in compared if one.kind in _CROSSES_BRIDGE]
    if not proxied or any(one.result.verdict != "slower" for one in proxied):
        return None
    least = min(one.low for one in proxied)
    most = max(0.0, *(other.high for other in others)) if others else 0.0
    if least <= 2 * most:
        return None
    adds = f"docker-proxy adds at least {format_lower_bound(least)} µs to the median"
    kind = kind_of(baseline.path)
    if kind == PathKind.LOOPBACK and any(other.kind == PathKind.BRIDGE_ADDRESS for other in others):
        evidence = f"{adds}, the path over the bridge without it at most {format_upper_bound(most)} µs."
        return Headline("docker-proxy is the cost, not the bridge.", evidence, decided=True)
    if kind == PathKind.BRIDGE_ADDRESS and any(other.kind == PathKind.PUBLISHED_DNAT for other in others):
        evidence = f"{adds}, address translation (DNAT) at most {format_upper_bound(most)} µs."
        return Headline("docker-proxy is the cost, not DNAT.", evidence, decided=True)
    if kind in _CROSSES_BRIDGE:
        return Headline("docker-proxy is the cost.", f"{adds}: the baseline crosses the same bridge.", decided=True)
    return None


def _of_bridge(baseline: SeriesResult, compared: Sequence[_Compared]) -> Headline | None:
    """Returns the headline with the cost of the bridge; None if it is not proved. It is proved if the baseline is
    loopback, and every other path leads from the machine to a container's own address and is slower. Paths of
    ``FILTERED_KINDS`` are ignored."""
    if kind_of(baseline.path) != PathKind.LOOPBACK:
        return None
    rest = [one for one in compared if one.kind not in {PathKind.LOOPBACK, *FILTERED_KINDS}]
    if not rest or any(one.kind != PathKind.BRIDGE_ADDRESS or one.result.verdict != "slower" for one in rest):
        return None
    span = _span(min(one.low for one in rest), max(one.high for one in rest))
    return Headline(f"The bridge costs {span} at the median.", "Every interval lies above zero.", decided=True)


def _of_order(name: str, compared: Sequence[_Compared]) -> Headline:
    counts = {word: sum(one.result.verdict == word for one in compared) for word in ("slower", "faster", "same")}
    open_ones = len(compared) - sum(counts.values())
    if counts["same"] == len(compared):
        within = format_upper_bound(max(max(abs(one.low), abs(one.high)) for one in compared))
        many = "No path differs" if len(compared) > 1 else f"{compared[0].name} does not differ"
        return Headline(f"{many} from {name} by more than {within} µs.", "95 % intervals.", decided=True)
    moved = [one for one in compared if one.result.verdict in {"slower", "faster"}]
    if not moved:
        paths = "these paths" if len(compared) > 1 else "the two paths"
        return Headline(f"This measurement cannot tell {paths} apart.")
    if len(moved) == 1:
        one = moved[0]
        low, high = sorted((abs(one.low), abs(one.high)))
        sentence = f"{one.name} is {one.result.verdict} than {name} by {_span(low, high)}."
        return Headline(sentence, f"{one.result.cause[:1].upper()}{one.result.cause[1:]}.".lstrip("."), decided=True)
    parts = [f"{counts[word]} {word}" for word in ("slower", "faster", "same") if counts[word]]
    parts += [f"{open_ones} inconclusive"] if open_ones else []
    slowest = max(compared, key=lambda one: one.low)
    apart = all(one is slowest or one.high < slowest.low for one in compared)
    evidence = ""
    if apart and slowest.result.verdict == "slower":
        evidence = f"The slowest is {slowest.name}, by {_span(slowest.low, slowest.high)}."
    return Headline(f"Of {len(compared)} paths against {name}: {', '.join(parts)}.", evidence, decided=True)
