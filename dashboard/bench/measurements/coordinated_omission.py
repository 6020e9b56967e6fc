"""``stalls``: measures whether latencies that are recorded at a fixed request rate show the full length of a server's
stalls. The recorded latencies are compared with latencies computed from the times at which the requests were due.

As a program (``python -m dashboard.bench.measurements.coordinated_omission``) it is the server that stalls, and prints
its port.
"""

import asyncio
import socket
import statistics
import time
from collections.abc import Callable, Sequence

from dashboard.bench.benchmark import BenchmarkRun
from dashboard.bench.processes import print_line, program
from dashboard.bench.statistics import Result, at_most, figure
from dashboard.core.measurements.histogram import encode_times, summarise_histograms
from dashboard.latency.client import describe_times
from dashboard.latency.exchanges import HttpGet
from dashboard.latency.loops import RoundTrips, ask_at_rate

RATE, SECONDS = 1000.0, 8.0
STALL_S, PERIOD_S = 0.1, 0.4
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
ADDRESS = "127.0.0.1"
MIDDLE, TAILS = "p50_us", ("p90_us", "p99_us", "p999_us")
#: A histogram with three significant digits is accurate to 0.1 %.
EXACT = at_most(0.1)


def serve() -> None:
    """Serves one connection at a time. Stalls for ``STALL_S`` after each ``PERIOD_S`` of work."""
    with socket.create_server((ADDRESS, 0)) as listener:
        print_line(str(listener.getsockname()[1]))
        stalled = time.monotonic()
        while True:
            connection, _ = listener.accept()
            with connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                while connection.recv(65536):
                    if time.monotonic() - stalled > PERIOD_S:
                        time.sleep(STALL_S)
                        stalled = time.monotonic()
                    connection.sendall(ANSWER)


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """The 50th, 90th, 99th and 99.9th percentile by name. They are computed by the standard library, without code of
    Netmodes."""
    cuts = statistics.quantiles(values, n=1000, method="inclusive")
    return {MIDDLE: cuts[499], "p90_us": cuts[899], "p99_us": cuts[989], "p999_us": cuts[998]}


class _TimedExchange(HttpGet):
    """An exchange over HTTP that also records the arrival time of each answer."""

    def __init__(self, port: int) -> None:
        super().__init__(ADDRESS, port, "/", "")
        self.arrived_ns: list[int] = []

    def _make_ask(self, opened: socket.socket) -> Callable[[], bool]:
        inner, clock, record = super()._make_ask(opened), time.perf_counter_ns, self.arrived_ns.append

        def ask() -> bool:
            ends = inner()
            record(clock())
            return ends

        return ask


def compare(port: int) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    """Sends ``RATE`` requests a second for ``SECONDS``, and returns the percentiles of their latencies in µs three
    times. The first percentiles are those of the block. The second are computed from its histogram. The third are
    computed only from the times at which the requests were due and the responses arrived."""
    total = int(RATE * SECONDS)
    trips, exchange = RoundTrips(total), _TimedExchange(port)
    exchange.connect()
    first = time.perf_counter_ns() + 1_000_000
    ask_at_rate(exchange, trips, first, RATE, total, first + int(2e9 * SECONDS))
    exchange.close()
    times = list(trips.times[: trips.number])
    summary = summarise_histograms([encode_times(times)])
    if summary is None:
        raise RuntimeError("no request was answered")
    latencies = [(arrived - first) / 1000 - number * 1e6 / RATE for number, arrived in enumerate(exchange.arrived_ns)]
    block, names = describe_times(times, SECONDS), (MIDDLE, *TAILS)
    return (
        {name: block[name] for name in names},
        {name: float(getattr(summary, name)) for name in names},
        percentiles(latencies),
    )


def distance(ours: dict[str, float], computed: dict[str, float]) -> float:
    """The greatest difference between ``ours`` and ``computed`` at any percentile in ``TAILS``, in per cent of
    ``computed``."""
    return max(abs(ours[name] / computed[name] - 1) * 100 for name in TAILS)


async def benchmark(run: BenchmarkRun) -> Result:
    """In each round, compares the latencies in a block and in its histogram with latencies that are computed from the
    due times of the same requests."""
    rounds = 2 if run.quick else 4
    blocks, histograms, middles = [], [], []
    async with program("measurements.coordinated_omission") as server:
        port = int(await server.read())
        for number in range(rounds):
            run.say(f"round {number + 1} of {rounds}")
            block, histogram, computed = await asyncio.to_thread(compare, port)
            blocks.append(distance(block, computed))
            histograms.append(distance(histogram, computed))
            middles.append(abs(block[MIDDLE] - computed[MIDDLE]))
    return Result(
        "stalls",
        f"Stalls: {RATE:g} requests a second to a server that stalls for {STALL_S * 1000:g} ms twice a second",
        "percentiles as computed from the due times, to the histogram's 0.1 %",
        (
            figure("difference of a block's percentiles from the computed ones", "%", blocks, promise=EXACT),
            figure("difference of the histogram's percentiles from the computed ones", "%", histograms, promise=EXACT),
        ),
        (
            "Computed: arrival minus due times, percentiles by the standard library; the worst of p90, p99, p99.9.",
            f"p50 differs by {max(middles):.2f} µs at most: the clock is read once more.",
        ),
    )


if __name__ == "__main__":
    serve()
