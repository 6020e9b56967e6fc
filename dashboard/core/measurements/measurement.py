"""What is measured, the options, and the public shape ``measurement/1``.

Times are microseconds from ``time.perf_counter_ns`` (CLOCK_MONOTONIC), so a stepped wall clock has no effect.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from msgspec import UNSET, UnsetType

from dashboard.core.experiments.engine_kind import EngineKind
from dashboard.core.measurements.conditions import Conditions
from dashboard.core.namespaces.visibility import MACHINE_TITLE
from dashboard.core.paths.model import without_network

DEFAULT_PAYLOAD_BYTES = 64
STREAM_PAYLOAD_BYTES = 65_536
MAX_PAYLOAD_BYTES = 1_048_576
MAX_DATAGRAM_BYTES = 65_507  # 65,535 less the IPv4 and UDP headers (RFC 768, RFC 791)
MIN_SECONDS, MAX_SECONDS = 0.5, 3600.0
MIN_RATE, MAX_RATE = 1.0, 100_000.0
MAX_SERIES = 64
MAX_REASONS = 3


class Probe(StrEnum):
    """The kinds of requests that are timed on a path."""

    TCP_RR = "tcp-rr"  # request and response on one connection
    TCP_CRR = "tcp-crr"  # connect, request, response, close
    UDP_RR = "udp-rr"
    HTTP = "http"  # GET on a kept connection, to the container's own server
    DNS = "dns"  # a lookup through the column's own resolver
    TCP_STREAM = "tcp-stream"  # throughput; the time is that for one payload


#: Probes that our responder answers in the server's namespace.
ANSWERED_BY_US = frozenset({Probe.TCP_RR, Probe.TCP_CRR, Probe.UDP_RR, Probe.TCP_STREAM})


class Stop(StrEnum):
    """Why a run ended."""

    NARROW = "narrow"  # every interval is as narrow as requested
    TIME = "time"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Options:
    """How to measure. ``payload_bytes`` each way, 0 for the probe's default. With ``rate``, in requests per second,
    times count from the moment when a request was due; None sends the next request after each answer. ``width_us`` ends
    the run once every interval is that narrow; ``same_within_us`` is the size below which a difference does not matter,
    None for ``core.measurements.verdicts.default_margin``; ``dns`` looks up ``lookup_name``."""

    seconds: float = 10.0
    payload_bytes: int = 0
    rate: float | None = None
    under_load: bool = False
    width_us: float | None = None
    same_within_us: float | None = None
    timeout_s: float = 1.0
    lookup_name: str = "localhost"
    http_path: str = "/"
    conditions: Conditions = Conditions.QUIET

    def payload_of(self, probe: Probe) -> int:
        """The payload of one request in bytes."""
        return self.payload_bytes or (STREAM_PAYLOAD_BYTES if probe is Probe.TCP_STREAM else DEFAULT_PAYLOAD_BYTES)


def check_options(options: Options, probes: Sequence[Probe], series: int = 2) -> tuple[str, ...]:
    """The problems of the options, one sentence each. Accepts any numbers, including NaN."""
    found: list[str] = []
    asked = set(probes)
    if not MIN_SECONDS <= options.seconds <= MAX_SECONDS:
        found.append(f"A run takes {MIN_SECONDS:g} to {MAX_SECONDS:g} seconds, not {options.seconds:g}.")
    if not 0 <= options.payload_bytes <= MAX_PAYLOAD_BYTES:
        found.append(f"A payload has 1 to {MAX_PAYLOAD_BYTES} bytes, not {options.payload_bytes}.")
    elif Probe.UDP_RR in asked and options.payload_bytes > MAX_DATAGRAM_BYTES:
        found.append(f"A datagram carries at most {MAX_DATAGRAM_BYTES} bytes, not {options.payload_bytes}.")
    if options.rate is not None:
        found += _check_rate(options, asked)
    if options.under_load and (beside := asked - {Probe.TCP_RR, Probe.TCP_CRR, Probe.UDP_RR}):
        names = ", ".join(sorted(beside))
        found.append(f"Under load works with tcp-rr, tcp-crr and udp-rr, not with {names}.")
    for name, value in (("interval", options.width_us), ("margin", options.same_within_us)):
        if value is not None and not (math.isfinite(value) and value > 0):
            found.append(f"The {name} must be a positive number of microseconds, not {value:g}.")
    if not 0.05 <= options.timeout_s <= 30:
        found.append(f"A request may wait 0.05 to 30 seconds, not {options.timeout_s:g}.")
    if not 1 <= series <= MAX_SERIES:
        found.append("There is no path to measure." if series < 1 else f"At most {MAX_SERIES} series, not {series}.")
    return tuple(found)


def no_path_sentence(reasons: Sequence[str], invisible: str = "") -> str:
    """Why there is nothing to measure, from the reasons of the missing paths, and what to do. ``invisible`` is the
    reason if no network stack of the engine can be entered from here."""
    if invisible:
        return f"Nothing can be measured from here: {invisible}. Run Netmodes on the engine's machine."
    why = "; ".join(list(dict.fromkeys(reasons))[:MAX_REASONS]) or "no arm runs"
    return f"There is no path to measure: {why}. Add an arm in host or bridge mode."


def _check_rate(options: Options, asked: set[Probe]) -> list[str]:
    rate = options.rate or 0.0
    if not MIN_RATE <= rate <= MAX_RATE:
        return [f"A rate is {MIN_RATE:g} to {MAX_RATE:,.0f} requests per second, not {rate:,g}."]
    if Probe.TCP_STREAM in asked:
        return ["tcp-stream sends as fast as it can: it has no rate."]
    return []


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive requests of one series. ``round`` pairs it with the other series' blocks.

    ``center_us`` is the compared value: the median, or for tcp-stream the mean time of one payload. ``histogram`` is
    compressed HdrHistogram V2, in nanoseconds. ``error`` is a sentence: the block ended early; it is kept and excluded
    from comparisons. ``note`` is a remark on a valid block.
    """

    series: str
    round: int
    started_s: float
    duration_s: float
    n: int = 0
    center_us: float = 0.0
    p50_us: float = 0.0
    p90_us: float = 0.0
    p99_us: float = 0.0
    p999_us: float = 0.0
    max_us: float = 0.0
    mean_us: float = 0.0
    bytes_per_s: float | None = None
    reconnects: int = 0
    histogram: bytes = b""
    error: str = ""
    note: str = ""

    @property
    def counts(self) -> bool:
        """Whether the block is valid for comparisons."""
        return not self.error and self.n > 0


@dataclass(frozen=True, slots=True)
class Environment:
    """A measurement's environment. Values that could not be read are empty or None. ``cores_awake``: idle cores were
    kept from sleeping, so that no time includes the exit from an idle state. ``conditions`` is None without a
    measurement, and in measurements of versions that had only quiet conditions. ``machine_title`` is the title of the
    machine's column, which is RootlessKit's namespace on a rootless engine."""

    kernel: str = ""
    machine: str = ""
    cpu_model: str = ""
    cores: int = 0
    client_core: int | None = None
    responder_core: int | None = None
    governor: str = ""
    cores_awake: bool | None = None
    virtualisation: str = ""
    python: str = ""
    engine: str = ""
    engine_api: str = ""
    userland_proxy: bool | None = None
    firewall_backend: str = ""
    mtu: dict[str, int] = field(default_factory=dict)
    offloads: dict[str, tuple[str, ...]] = field(default_factory=dict)
    load_before: tuple[float, float, float] | None = None
    load_after: tuple[float, float, float] | None = None
    engine_kind: EngineKind = EngineKind.DOCKER
    conditions: Conditions | None = None
    machine_title: str = MACHINE_TITLE

    @property
    def measured_in(self) -> Conditions | None:
        """The conditions of the measurement: quiet if none were recorded, None without a measurement (the load was not
        read)."""
        return self.conditions or (Conditions.QUIET if self.load_before is not None else None)


@dataclass(frozen=True, slots=True)
class SeriesResult:
    """All blocks of one path and probe. ``key`` is ``COLUMN/PATH``, or ``COLUMN/PATH/PROBE`` in a run with
    several probes. A path that does not exist has ``n`` 0 and ``unavailable``."""

    column: str
    path: str
    probe: Probe
    n: int
    p50_us: float | None
    p90_us: float | None
    p99_us: float | None
    p999_us: float | None
    max_us: float | None
    mean_us: float | None
    key: str = ""
    title: str = ""
    client: str = ""
    target: str = ""
    hops: tuple[str, ...] = ()
    blocks: int = 0
    failed_blocks: int = 0
    errors: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    bytes_per_s: float | None = None
    unavailable: str = ""

    @property
    def mark(self) -> str:
        """The symbol of the path in charts."""
        return without_network(self.path)


@dataclass(frozen=True, slots=True)
class ComparisonResult:
    """The comparison of ``other`` with ``baseline`` (keys of series), paired by round. ``verdict`` is slower, faster,
    same or inconclusive; ``cause`` is one line if the state proves it."""

    baseline: str
    other: str
    probe: Probe
    delta_us: float | None
    ci95_us: tuple[float, float] | None
    verdict: str
    reason: str
    rounds: int = 0
    within_us: float | None = None
    p99_delta_us: float | None = None
    p99_ci95_us: tuple[float, float] | None = None
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Measurement:
    """The document ``measurement/1``. ``complete`` is False for a run that was cancelled or killed."""

    environment: Environment
    series: tuple[SeriesResult, ...]
    comparisons: tuple[ComparisonResult, ...]
    schema: str = "measurement/1"
    options: Options = field(default_factory=Options)
    seed: int = 0
    started_at: str = ""
    elapsed_s: float = 0.0
    stopped: Stop | None = None
    stop_reason: str = ""
    complete: bool = True


@dataclass(frozen=True, slots=True)
class MeasurementDocument(Measurement):
    """The document ``measurement/1`` as it is printed. ``report``, only with ``--save``, is the id of the saved report;
    None if it could not be saved."""

    report: str | UnsetType | None = UNSET
