"""How charts distinguish the series of a measurement: a colour and a shape for each kind of path, and a label in
words."""

from collections.abc import Iterable
from dataclasses import dataclass

from dashboard.core.measurements.measurement import Measurement, Probe
from dashboard.core.paths.model import without_network
from dashboard.core.paths.words import IPV6_SUFFIX, describe_path, shorten_path

#: Dash patterns of further series over the same path: other columns, other probes.
_FURTHER = ("second", "third", "fourth")
#: The height of one label beside a chart, in pixels.
LABEL_PX = 18


@dataclass(frozen=True, slots=True)
class SeriesLabel:
    """How a series is drawn and named.

    ``mark``, the name of its path, selects the colour and the shape of the series. Over IPv6 the shape is hollow.
    ``dash`` selects the pattern of the line. It is empty for the first series over a path, or ``six`` if the path is
    over IPv6. It is ``second``, ``third`` or ``fourth`` for further series over the same path. ``words`` is the label,
    ``short`` the label for narrow charts.
    """

    mark: str
    dash: str
    words: str
    short: str


def label_series(series: Iterable[tuple[str, str, str, str]]) -> dict[str, SeriesLabel]:
    """Returns the labels of the series of one chart, by key. A series is (key, column, path, variant); the variant is a
    text such as the probe. If several series have the same path, their labels distinguish them. A label then has the
    column if the columns differ, and those words of the variant that the series do not all share."""
    listed = list(series)
    labels: dict[str, SeriesLabel] = {}
    seen: dict[str, int] = {}
    for key, column, path, variant in listed:
        like = [one for one in listed if one[2] == path]
        parts = [column] if len({one[1] for one in like}) > 1 else []
        common = set.intersection(*(set(one[3].split()) for one in like))
        parts += [word for word in variant.split() if word not in common]
        mark = without_network(path)
        place = seen.get(mark, 0)
        seen[mark] = place + 1
        dash = _FURTHER[min(place, len(_FURTHER)) - 1] if place else "six" if mark.endswith(IPV6_SUFFIX) else ""
        words, short = (", ".join((text, *parts)) for text in (describe_path(path), shorten_path(path)))
        labels[key] = SeriesLabel(mark, dash, words, short)
    return labels


def label_measured(measurement: Measurement, probe: Probe | None = None) -> dict[str, SeriesLabel]:
    """Returns the labels of the measured series, by key. If ``probe`` is given, only the series of this probe are
    labelled; otherwise those of all probes, for one chart."""
    return label_series(
        (one.key, one.column, one.path, one.probe)
        for one in measurement.series
        if not one.unavailable and probe in {None, one.probe}
    )


def name_series(measurement: Measurement, probe: Probe) -> dict[str, str]:
    """Returns the names of a probe's series as its charts show them, by key."""
    labels = label_measured(measurement, probe)
    series = (one for one in measurement.series if one.probe is probe)
    return {one.key: labels[one.key].words if one.key in labels else describe_path(one.path) for one in series}


def label_signatures(signatures: Iterable[str]) -> dict[str, SeriesLabel]:
    """Returns labels for series of several runs, by signature (``series_key.series_signature``)."""
    listed = []
    for signature in signatures:
        mode, path, *rest = [*signature.split(" ", 2), "", ""]
        listed.append((signature, mode, path, rest[0]))
    return label_series(listed)


def spread_labels(ends: Iterable[float], height: float) -> tuple[float, ...]:
    """Returns the positions of labels whose lines end at ``ends``, in the same order. Labels are at least ``LABEL_PX``
    apart and as near to the ends as that allows. They lie within ``height`` if all fit."""
    wanted = list(ends)
    ranked = sorted(range(len(wanted)), key=lambda number: wanted[number])
    placed: list[float] = []
    for rank, number in enumerate(ranked):
        placed.append(max(wanted[number], placed[-1] + LABEL_PX if rank else 0.0))
    limit = height
    for rank in reversed(range(len(placed))):
        placed[rank] = max(0.0, min(placed[rank], limit))
        limit = placed[rank] - LABEL_PX
    return tuple(placed[ranked.index(number)] for number in range(len(wanted)))
