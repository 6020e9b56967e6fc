"""A measurement in the database: two series, and one path that is missing."""

from __future__ import annotations

from dashboard.core.measurements.histogram import encode_times
from dashboard.core.measurements.measurement import Block, Environment, Options, Probe
from dashboard.core.measurements.schedule import Series
from dashboard.core.paths.model import Path, PathKind
from dashboard.store import experiments as experiment_store
from dashboard.store.measurements import blocks as block_store
from dashboard.store.measurements import runs as measurement_store
from tests.support.specs import make_spec

LOOPBACK = Series(
    "host/loopback", Path(PathKind.LOOPBACK, "loopback", "machine", "host", address="127.0.0.1"), Probe.TCP_RR
)
PROXY = Series(
    "bridge/published-proxy",
    Path(PathKind.PUBLISHED_PROXY, "proxy", "machine", "bridge", address="127.0.0.1"),
    Probe.TCP_RR,
)
MISSING = (
    (Path(PathKind.PUBLISHED_DNAT, "dnat", "machine", "host", unavailable="discarded"), Probe.TCP_RR, "discarded"),
)
MODES = {"host": "host", "bridge": "bridge"}


def block(series: str, number: int, us: float) -> Block:
    times = [round(us * 1000)] * 50
    return Block(
        series,
        number,
        float(number),
        0.1,
        50,
        center_us=us,
        p50_us=us,
        p90_us=us,
        p99_us=us,
        p999_us=us,
        max_us=us,
        mean_us=us,
        histogram=encode_times(times),
    )


def begun(options: Options | None = None) -> str:
    experiment = experiment_store.create_experiment(make_spec("host", "bridge"))
    run = measurement_store.create_run(experiment, "a run", [Probe.TCP_RR], options or Options(), 7)
    measurement_store.begin_run(run, (LOOPBACK, PROXY), MISSING, Environment(kernel="6.18"), MODES)
    return run


def measured(rounds: int = 12) -> str:
    run = begun()
    for number in range(rounds):
        block_store.add_block(run, block("host/loopback", number, 10 + number % 3))
        block_store.add_block(run, block("bridge/published-proxy", number, 40 + number % 3))
    return run
