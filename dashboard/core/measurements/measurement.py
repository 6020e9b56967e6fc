"""The options of a measurement, and its result: the JSON document ``measurement/1``.

Times are in microseconds and read from ``time.perf_counter_ns`` (CLOCK_MONOTONIC), so they do not depend on changes of
the wall clock.
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
#: The maximum number of series of a run, with those that cannot be measured. A report may have no more.
MAX_SERIES = 256
#: The maximum number of blocks of a run. A report may have no more.
MAX_BLOCKS = 20_000
MAX_REASONS = 3


class Probe(StrEnum):
    """The kind of request that is timed on a path."""

    TCP_RR = "tcp-rr"  # request and response on one connection
    TCP_CRR = "tcp-crr"  # connect, request, response, close
    UDP_RR = "udp-rr"
    HTTP = "http"  # GET on a kept connection, to the container's own server
    DNS = "dns"  # a lookup through the column's own resolver
    TCP_STREAM = "tcp-stream"  # throughput; the time is that for one payload


#: Probes that our responder answers in the server's namespace.
ANSWERED_BY_US = frozenset({Probe.TCP_RR, Probe.TCP_CRR, Probe.UDP_RR, Probe.TCP_STREAM})


class Stop(StrEnum):
    """Why a measurement ended."""

    NARROW = "narrow"  # every interval is as narrow as requested
    TIME = "time"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Options:
    """How to measure.

    ``seconds`` is the time limit of the run. ``payload_bytes`` is the size of a request and of its response, 0 for the
    default of the probe. ``rate`` is in requests per second. With a rate, times count from the moment when a request
    was due. If ``rate`` is None, the next request is sent after each response.

    ``width_us`` ends the run as soon as no interval is wider; None if only the time limit ends it. ``same_within_us``
    is the size below which a difference does not matter, None for ``core.measurements.verdicts.default_margin``.
    ``lookup_name`` is the name that the probe dns looks up.
    """

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
        """Returns the size of one request in bytes."""
        return self.payload_bytes or (STREAM_PAYLOAD_BYTES if probe is Probe.TCP_STREAM else DEFAULT_PAYLOAD_BYTES)


def check_options(options: Options, probes: Sequence[Probe]) -> tuple[str, ...]:
    """Returns the problems of the options as messages for the user; empty if they are valid. NaN is reported like any
    number that is out of range."""
    found: list[str] = []
    asked = set(probes)
    if not MIN_SECONDS <= options.seconds <= MAX_SECONDS:
        found.append(f"The time limit must be {MIN_SECONDS:g} to {MAX_SECONDS:g} seconds, not {options.seconds:g}.")
    if not 0 <= options.payload_bytes <= MAX_PAYLOAD_BYTES:
        found.append(f"The payload must be 1 to {MAX_PAYLOAD_BYTES} bytes, not {options.payload_bytes}.")
    elif Probe.UDP_RR in asked and options.payload_bytes > MAX_DATAGRAM_BYTES:
        found.append(f"A datagram carries at most {MAX_DATAGRAM_BYTES} bytes, not {options.payload_bytes}.")
    if options.rate is not None:
        found += _check_rate(options, asked)
    if options.under_load and (beside := asked - {Probe.TCP_RR, Probe.TCP_CRR, Probe.UDP_RR}):
        names = ", ".join(sorted(beside))
        found.append(f"“Under load” is available for tcp-rr, tcp-crr and udp-rr only, not for {names}.")
    if Probe.HTTP in asked and asked & ANSWERED_BY_US:
        found.append(
            "The probe http is answered by the container's own program, the others by a responder of Netmodes: "
            "measure them separately."
        )
    for name, value in (("interval width", options.width_us), ("margin", options.same_within_us)):
        if value is not None and not (math.isfinite(value) and value > 0):
            found.append(f"The {name} must be a positive number of microseconds, not {value:g}.")
    if not 0.05 <= options.timeout_s <= 30:
        found.append(f"The timeout must be 0.05 to 30 seconds, not {options.timeout_s:g}.")
    return tuple(found)


def check_series(series: int) -> str:
    """Returns a message for the user if ``series``, the number of series of a run with those that cannot be measured,
    exceeds the limit; otherwise empty."""
    if series <= MAX_SERIES:
        return ""
    return (
        f"The run would have {series} series; the limit is {MAX_SERIES}. Measure fewer probes at once, or launch fewer "
        "arms."
    )


def no_path_sentence(reasons: Sequence[str], invisible: str = "") -> str:
    """Returns a message for the user on why there is nothing to measure and what to do. ``reasons`` are the reasons why
    paths are missing. ``invisible`` is the reason if none of the engine's network namespaces can be entered, otherwise
    empty."""
    if invisible:
        return f"Nothing can be measured from here: {invisible}. Run Netmodes on the engine's machine."
    why = "; ".join(list(dict.fromkeys(reasons))[:MAX_REASONS]) or "no arm runs"
    return f"There is no path to measure: {why}. Add an arm in host or bridge mode."


def _check_rate(options: Options, asked: set[Probe]) -> list[str]:
    rate = options.rate or 0.0
    if not MIN_RATE <= rate <= MAX_RATE:
        return [f"The rate must be {MIN_RATE:g} to {MAX_RATE:,.0f} requests per second, not {rate:,g}."]
    if Probe.TCP_STREAM in asked:
        return ["tcp-stream sends as fast as it can. Omit the rate or tcp-stream."]
    return []


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive requests of one series. Blocks of different series with the same ``round`` are compared in pairs.

    ``started_s`` is in seconds since the start of the run. ``center_us`` is the value that is compared: the median, or
    for tcp-stream the mean time of one payload. ``histogram`` is a compressed HdrHistogram V2 in nanoseconds. ``error``
    is a sentence if the block ended early; such a block is kept but excluded from comparisons. ``note`` is a remark on
    a valid block.
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
        """Whether the block is valid and takes part in comparisons."""
        return not self.error and self.n > 0


@dataclass(frozen=True, slots=True)
class Environment:
    """The machine and the engine on which a measurement ran. Values that could not be read are empty or None.

    ``cores_awake`` is true if idle cores were kept from sleeping, so that no time includes the exit from an idle state.
    ``conditions`` is None if nothing was measured, or if an older version of Netmodes measured, in which the conditions
    were always quiet. ``machine_title`` is the title of the machine's column, which names RootlessKit's namespace on a
    rootless engine.
    """

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
        """The conditions of the measurement: ``conditions``, or quiet if they were not recorded. None if nothing was
        measured in this environment: ``load_before`` is then None, too."""
        return self.conditions or (Conditions.QUIET if self.load_before is not None else None)


@dataclass(frozen=True, slots=True)
class SeriesResult:
    """The result of one path and probe over all blocks. ``key`` is ``COLUMN/PATH``, or ``COLUMN/PATH/PROBE`` if the run
    has several probes. If the path was not measured, ``n`` is 0 and ``unavailable`` is the reason."""

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
        """The name that selects the colour and the shape of the series in charts, such as ``bridge-address-ipv6``. It
        is the name of the path without the number of a network and without the machine of a client."""
        return without_network(self.path)


@dataclass(frozen=True, slots=True)
class ComparisonResult:
    """The comparison of two series, paired by round.

    ``other`` is the key of the series that is compared with the series ``baseline``. ``rounds`` is the number of pairs.
    ``verdict`` is slower, faster, same or inconclusive; ``reason`` explains it. ``cause`` is the cause of the
    difference in one line, empty if the paths do not prove one.
    """

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
    """The document ``measurement/1``. ``complete`` is false if the run was cancelled, failed, was killed or still
    runs."""

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
    """The document ``measurement/1`` as the command prints it. With ``--save`` it also has ``report``, the id of the
    saved report; None if the report could not be saved."""

    report: str | UnsetType | None = UNSET
