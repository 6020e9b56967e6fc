"""Defines the metric families of ``/metrics``, which docs/operating.md describes."""

import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

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
from dashboard.core.operations.heartbeat import Distribution, Heartbeat, Part
from dashboard.core.operations.storage import DiskUsage, Journals
from dashboard.core.reports.model import ClaimVerdict
from dashboard.core.training.host_plan import HostStage

UP = "1 if the lab's Docker Engine answers."
LabelledValues = Iterable[tuple[Sequence[str], float]]


@dataclass(frozen=True, slots=True)
class HubMetrics:
    """The counters of one websocket hub of this process (``FeedHub``), and the number of connected browsers.
    ``page`` is the value of the label ``page``."""

    page: str
    browsers: int
    encoded: int
    delivered: int
    sent_bytes: int
    slow: int
    woken: int
    missed: int
    lag: Distribution


@dataclass(frozen=True, slots=True)
class DatabaseMetrics:
    """The size, latency and numbers of rows of the database. ``latency_s`` is the time to read one row."""

    vendor: str
    latency_s: float
    size_bytes: int
    journals: Journals = field(default_factory=lambda: Journals(0, 0, 0))
    disk: DiskUsage = field(default_factory=lambda: DiskUsage(0, 0))
    experiments: Mapping[str, int] = field(default_factory=dict)
    hosts: Mapping[str, int] = field(default_factory=dict)
    sessions_open: int = 0


@dataclass(frozen=True, slots=True)
class Scrape:
    """The values of all metrics at one time.

    ``heartbeat`` is the heartbeat of the installation's lab; None if no lab responds. ``database`` is None if the
    database does not answer. ``machines`` contains a tuple for each machine that has joined the installation: its name,
    whether its lab is connected, whether its engine answers, and the seconds since its last heartbeat.
    """

    at: float
    role: str
    missing: tuple[Part, ...]
    heartbeat: Heartbeat | None
    database: DatabaseMetrics | None
    hubs: tuple[HubMetrics, ...]
    participants_present: int
    wakeups_dropped: int = 0
    machines: tuple[tuple[str, bool, bool, float], ...] = ()


def _histogram(
    name: str, text: str, labels: Sequence[str], values: Iterable[tuple[Sequence[str], Distribution]]
) -> Metric:
    family = HistogramMetricFamily(name, text, labels=labels)
    for label_values, distribution in values:
        below, buckets = 0, []
        for bound, count in zip((*distribution.bounds, float("inf")), distribution.counts, strict=True):
            below += count
            le = str(floatToGoString(bound))  # type: ignore[no-untyped-call]  # as Prometheus writes it
            buckets.append((le, float(below)))
        family.add_metric(label_values, buckets, distribution.total)
    return family


def _simple(
    family_type: type[GaugeMetricFamily | CounterMetricFamily],
    name: str,
    text: str,
    values: LabelledValues | float,
    *labels: str,
) -> Metric:
    """Returns a metric family. ``values`` contains a value for each combination of label values.

    If the family has no labels, ``values`` may be a number. ``labels`` are the names of the labels. ``text`` describes
    the metric.
    """
    family = family_type(name, text, labels=labels)
    for label_values, value in [([], values)] if isinstance(values, int | float) else values:
        family.add_metric(label_values, float(value))
    return family


_gauge, _counter = partial(_simple, GaugeMetricFamily), partial(_simple, CounterMetricFamily)


def _with_zeros(names: Iterable[str], values: Mapping[str, int]) -> LabelledValues:
    """Returns ``values``, and 0 for each of ``names`` that has no value, because alerts need series that exist."""
    return [([name], values.get(name, 0)) for name in dict.fromkeys((*names, *sorted(values)))]


def families(scrape: Scrape) -> Iterator[Metric]:
    """Yields all metric families with the values of ``scrape``."""
    yield InfoMetricFamily(
        "netmodes_build",
        "Version of Netmodes and of what it runs on.",
        value={
            "version": __version__,
            "python": platform.python_version(),
            "django": django.get_version(),
            "database": scrape.database.vendor if scrape.database is not None else "",
            "role": scrape.role,
        },
    )
    ready = [([str(part)], float(part not in scrape.missing)) for part in Part]
    yield _gauge("netmodes_part_ready", "1 if this part is ready, as in /readyz.", ready, "part")
    if scrape.heartbeat is not None:
        yield from _lab_families(scrape.heartbeat, scrape.at)
    else:
        yield _gauge("netmodes_engine_up", UP, 0)
    connected = [([name], float(is_connected)) for name, is_connected, _, _ in scrape.machines]
    engines = [([name], float(answers)) for name, _, answers, _ in scrape.machines]
    ages = [([name], age_s) for name, _, _, age_s in scrape.machines]
    yield _gauge("netmodes_machine_up", "1 if the lab of this machine sends heartbeats.", connected, "machine")
    yield _gauge("netmodes_machine_engine_up", "1 if the engine of this machine answers.", engines, "machine")
    yield _gauge("netmodes_machine_heartbeat_age_seconds", "Time since the machine's last heartbeat.", ages, "machine")
    yield from _hub_families(scrape.hubs)
    present, dropped = scrape.participants_present, scrape.wakeups_dropped
    yield _gauge("netmodes_seats_present", "Participants of training sessions connected to this process.", present)
    yield _counter("netmodes_wakeups_dropped", "Wake-ups of other processes that could not be sent.", dropped)
    if scrape.database is not None:
        yield from _database_families(scrape.database)


def _lab_families(heartbeat: Heartbeat, now: float) -> Iterator[Metric]:
    status, metrics = heartbeat.status, heartbeat.metrics
    for name, text, value in (
        ("netmodes_engine_up", UP, float(status.engine_answers)),
        (
            "netmodes_engine_since_seconds",
            "Time since the engine started or stopped answering.",
            now - status.engine_since,
        ),
        ("netmodes_lab_heartbeat_age_seconds", "Time since the lab's last heartbeat.", now - heartbeat.at),
        ("netmodes_lab_pass_age_seconds", "Time since the reconciler's last pass.", now - status.passed_at),
        ("netmodes_journal_entries_waiting", "Journal entries that are not committed yet.", metrics.entries_waiting),
    ):
        yield _gauge(name, text, max(0.0, value))
    yield _counter("netmodes_journal_entries", "Journal entries written.", metrics.entries_written)
    yield _counter("netmodes_journal_write_failures", "Failed writes of journal entries.", metrics.write_failures)
    for name, text, distribution in (
        ("netmodes_journal_commit_seconds", "Time from a journal entry until its commit.", metrics.commit_s),
        ("netmodes_database_call_seconds", "Duration of the lab's database calls, with queueing.", metrics.database_s),
    ):
        yield _histogram(name, text, [], [([], distribution)])
    launches = [([launch.mode, launch.outcome], launch.seconds) for launch in metrics.launches]
    yield _histogram("netmodes_launch_seconds", "Duration of launches of arms.", ["mode", "outcome"], launches)
    blocks = _with_zeros(("measured", "failed"), dict(metrics.blocks))
    yield _counter("netmodes_measurement_blocks", "Measured blocks.", blocks, "outcome")
    claims = _with_zeros(map(str, ClaimVerdict), dict(metrics.claims))
    yield _counter("netmodes_claims", "Claims executed.", claims, "verdict")
    wakeups = _with_zeros(("woken", "missed", "dropped"), dict(metrics.wakeups))
    text = "Wake-ups of the lab; missed: a pass found a change without a wake-up."
    yield _counter("netmodes_lab_wakeups", text, wakeups, "outcome")


def _hub_families(hubs: Sequence[HubMetrics]) -> Iterator[Metric]:
    yield _gauge("netmodes_browsers", "Browsers connected.", [([hub.page], hub.browsers) for hub in hubs], "page")
    for name, text, values in (
        ("netmodes_patches", "Changes encoded, once for all browsers.", [hub.encoded for hub in hubs]),
        ("netmodes_messages_delivered", "Messages sent to browsers.", [hub.delivered for hub in hubs]),
        ("netmodes_delivered_bytes", "Bytes of the messages sent to browsers.", [hub.sent_bytes for hub in hubs]),
        ("netmodes_slow_browsers_closed", "Connections of slow browsers closed (1013).", [hub.slow for hub in hubs]),
    ):
        yield _counter(name, text, [([hub.page], value) for hub, value in zip(hubs, values, strict=True)], "page")
    wakeups = [([hub.page, "woken"], hub.woken) for hub in hubs] + [([hub.page, "missed"], hub.missed) for hub in hubs]
    text = "Wake-ups of pages; missed: polling found a change without a wake-up."
    yield _counter("netmodes_page_wakeups", text, wakeups, "page", "outcome")
    lag: list[tuple[Sequence[str], Distribution]] = [([], hub.lag) for hub in hubs if hub.page == "experiment"]
    yield _histogram("netmodes_watch_lag_seconds", "From a change in the kernel until all browsers have it.", [], lag)


def _database_families(database: DatabaseMetrics) -> Iterator[Metric]:
    yield _gauge("netmodes_database_size_bytes", "Size of the database.", database.size_bytes)
    yield _gauge("netmodes_journals_bytes", "Size of the journals of all experiments.", database.journals.size)
    yield _gauge("netmodes_journal_entries_stored", "Entries of the journals.", database.journals.entries)
    yield _gauge("netmodes_disk_used_ratio", "Used part of the disk of the data folder.", database.disk.share)
    yield _gauge("netmodes_database_answer_seconds", "Duration of a query of one row.", database.latency_s)
    experiments = _with_zeros(map(str, Phase), database.experiments)
    yield _gauge("netmodes_experiments", "Experiments by phase.", experiments, "phase")
    hosts = _with_zeros((str(stage) for stage in HostStage if stage is not HostStage.UNREACHABLE), database.hosts)
    yield _gauge("netmodes_private_hosts", "Private hosts of training sessions by stage.", hosts, "stage")
    yield _gauge("netmodes_sessions_open", "Open training sessions.", database.sessions_open)


class _FamilyCollector(Collector):
    def __init__(self, given: Iterable[Metric]) -> None:
        self._families = tuple(given)

    def collect(self) -> Iterable[Metric]:
        return self._families


def exposition(scrape: Scrape) -> bytes:
    """Returns all metrics in the text format of Prometheus.

    They include the metrics of this process: memory, processor time, descriptors.
    """
    registry = CollectorRegistry()
    registry.register(_FamilyCollector(families(scrape)))
    ProcessCollector(registry=registry)
    return generate_latest(registry)
