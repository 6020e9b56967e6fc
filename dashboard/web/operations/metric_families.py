"""The figures of ``/metrics`` by name, from what was gathered at one moment. docs/operating.md says what each means."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import django
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from dashboard import __version__
from dashboard.core.experiments.messages import Phase
from dashboard.core.operations.heartbeat import Distribution, Heartbeat, LabFigures, Part
from dashboard.core.reports.model import ClaimVerdict
from dashboard.core.training.host_plan import HostStage

UP = "1 if the lab's Docker Engine answers."
Labelled = Iterable[tuple[Sequence[str], float]]


@dataclass(frozen=True, slots=True)
class HubFigures:
    """What one hub of this process has counted, and how many browsers hang on it now."""

    page: str
    browsers: int
    encoded: int
    delivered: int
    characters: int
    slow: int
    woken: int
    missed: int
    lag: Distribution


@dataclass(frozen=True, slots=True)
class Stored:
    """What the database says of itself and of what is in it. ``answer_s``: how long one row took."""

    vendor: str
    answer_s: float
    size_bytes: int
    experiments: Mapping[str, int] = field(default_factory=dict)
    hosts: Mapping[str, int] = field(default_factory=dict)
    sessions_open: int = 0


@dataclass(frozen=True, slots=True)
class Scrape:
    """Everything at one moment; ``beat`` None without a lab, ``stored`` None without a database."""

    at: float
    role: str
    missing: tuple[Part, ...]
    beat: Heartbeat | None
    stored: Stored | None
    hubs: tuple[HubFigures, ...]
    seats_present: int
    wakeups_dropped: int = 0


def _le(bound: float) -> str:
    """A bucket's bound as Prometheus writes it."""
    return str(floatToGoString(bound))  # type: ignore[no-untyped-call]


def _histogram(
    name: str, text: str, labels: Sequence[str], found: Iterable[tuple[Sequence[str], Distribution]]
) -> Metric:
    family = HistogramMetricFamily(name, text, labels=labels)
    for values, one in found:
        below, buckets = 0, []
        for bound, count in zip((*one.bounds, float("inf")), one.counts, strict=True):
            below += count
            buckets.append((_le(bound), float(below)))
        family.add_metric(values, buckets, one.total)
    return family


def _gauge(name: str, text: str, labels: Sequence[str], found: Labelled) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, value in found:
        family.add_metric(values, value)
    return family


def _counter(name: str, text: str, labels: Sequence[str], found: Labelled) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for values, value in found:
        family.add_metric(values, value)
    return family


def _one(value: float) -> Labelled:
    """A figure without labels."""
    return [([], float(value))]


def _each(names: Iterable[str], found: Mapping[str, int]) -> Labelled:
    """Every name there is, also with 0: what does not exist yet cannot be watched."""
    return [([name], found.get(name, 0)) for name in dict.fromkeys((*names, *sorted(found)))]


def families(scrape: Scrape) -> Iterator[Metric]:
    """All of them, in the order in which they are read."""
    vendor = scrape.stored.vendor if scrape.stored is not None else ""
    yield InfoMetricFamily(
        "netmodes_build",
        "Which Netmodes this is.",
        value={
            "version": __version__,
            "python": platform.python_version(),
            "django": django.get_version(),
            "database": vendor,
            "role": scrape.role,
        },
    )
    ready = [([str(part)], float(part not in scrape.missing)) for part in Part]
    yield _gauge("netmodes_part_ready", "1 if this part is there and works, as /readyz says.", ["part"], ready)
    if scrape.beat is not None:
        yield from _of_lab(scrape.beat, scrape.at)
    else:
        yield _gauge("netmodes_engine_up", UP, [], _one(0.0))
    yield from _of_hubs(scrape.hubs)
    present, dropped = _one(scrape.seats_present), _one(scrape.wakeups_dropped)
    yield _gauge("netmodes_seats_present", "Seats of classes with a browser on this process.", [], present)
    yield _counter("netmodes_wakeups_dropped", "Wake-ups for others that could not be handed on.", [], dropped)
    if scrape.stored is not None:
        yield from _of_database(scrape.stored)


def _of_lab(beat: Heartbeat, now: float) -> Iterator[Metric]:
    vitals, figures = beat.vitals, beat.figures
    for name, text, value in (
        ("netmodes_engine_up", UP, float(vitals.engine_answers)),
        ("netmodes_engine_since_seconds", "How long it has answered, or has not.", now - vitals.engine_since),
        ("netmodes_lab_heartbeat_age_seconds", "How long ago the lab said that it is there.", now - beat.at),
        ("netmodes_lab_pass_age_seconds", "How long ago it last compared wanted with real.", now - vitals.passed_at),
        ("netmodes_journal_entries_waiting", "Entries in memory, not in the database yet.", figures.entries_waiting),
    ):
        yield _gauge(name, text, [], _one(max(0.0, value)))
    yield from _counted_by_lab(figures)


def _counted_by_lab(figures: LabFigures) -> Iterator[Metric]:
    for name, text, value in (
        ("netmodes_journal_entries", "Entries written to journals.", figures.entries_written),
        ("netmodes_journal_write_failures", "Times that a journal could not be written.", figures.write_failures),
    ):
        yield _counter(name, text, [], _one(value))
    yield _histogram(
        "netmodes_journal_commit_seconds",
        "From an entry's moment until it is in the database.",
        [],
        [([], figures.commit_s)],
    )
    yield _histogram(
        "netmodes_database_call_seconds",
        "The lab's calls of the database, with the wait for their turn.",
        [],
        [([], figures.database_s)],
    )
    yield _histogram(
        "netmodes_launch_seconds",
        "Arms launched, by mode and by what became of them.",
        ["mode", "outcome"],
        [([one.mode, one.outcome], one.seconds) for one in figures.launches],
    )
    blocks, claims, wakeups = dict(figures.blocks), dict(figures.claims), dict(figures.wakeups)
    yield _counter(
        "netmodes_measurement_blocks", "Blocks measured.", ["outcome"], _each(("measured", "failed"), blocks)
    )
    yield _counter("netmodes_claims", "Claims executed.", ["verdict"], _each(map(str, ClaimVerdict), claims))
    yield _counter(
        "netmodes_lab_wakeups",
        "Wake-ups of the lab; missed: a pass found what none had told of.",
        ["outcome"],
        _each(("woken", "missed", "dropped"), wakeups),
    )


def _of_hubs(hubs: Sequence[HubFigures]) -> Iterator[Metric]:
    yield _gauge("netmodes_browsers", "Browsers connected.", ["page"], [([hub.page], hub.browsers) for hub in hubs])
    for name, text, values in (
        ("netmodes_patches", "Changes encoded, once for all browsers.", [hub.encoded for hub in hubs]),
        ("netmodes_messages_delivered", "Messages given to browsers.", [hub.delivered for hub in hubs]),
        ("netmodes_delivered_bytes", "Their size; a letter counts as one.", [hub.characters for hub in hubs]),
        ("netmodes_slow_browsers_closed", "Browsers closed with 1013: they took nothing.", [hub.slow for hub in hubs]),
    ):
        found = [([hub.page], float(value)) for hub, value in zip(hubs, values, strict=True)]
        yield _counter(name, text, ["page"], found)
    woken = [([hub.page, "woken"], float(hub.woken)) for hub in hubs]
    missed = [([hub.page, "missed"], float(hub.missed)) for hub in hubs]
    yield _counter(
        "netmodes_page_wakeups",
        "Wake-ups of what is shown; missed: a look found what none had told of.",
        ["page", "outcome"],
        [*woken, *missed],
    )
    yield _histogram(
        "netmodes_watch_lag_seconds",
        "From a change of the kernel that was read until all browsers were written to.",
        [],
        [([], hub.lag) for hub in hubs if hub.page == "experiment"],
    )


def _of_database(stored: Stored) -> Iterator[Metric]:
    yield _gauge("netmodes_database_size_bytes", "Size of the database.", [], _one(stored.size_bytes))
    yield _gauge("netmodes_database_answer_seconds", "How long one row took just now.", [], _one(stored.answer_s))
    yield _gauge("netmodes_experiments", "Experiments by phase.", ["phase"], _each(map(str, Phase), stored.experiments))
    yield _gauge(
        "netmodes_private_hosts", "Hosts of classes by stage.", ["stage"], _each(map(str, HostStage), stored.hosts)
    )
    open_now = _one(stored.sessions_open)
    yield _gauge("netmodes_sessions_open", "Classes that are not closed and not expired.", [], open_now)


class _Gathered(Collector):
    """Families that are there already."""

    def __init__(self, found: Iterable[Metric]) -> None:
        self._found = tuple(found)

    def collect(self) -> Iterable[Metric]:
        """All of them."""
        return self._found


def exposition(scrape: Scrape) -> bytes:
    """Prometheus' text, with the figures of the process (memory, processor, descriptors) beside our own."""
    registry = CollectorRegistry()
    registry.register(_Gathered(families(scrape)))
    ProcessCollector(registry=registry)
    return generate_latest(registry)
