"""The programs of the benchmark ``stalls``: ``python -m dashboard.bench.measurements.stalling_server WHAT [PORT]``.

``serve`` is a server that stalls, ``ask`` a client as plain as can be that counts as wrk2 does: from when a request was
due. ``exact`` asks with our own loop, and reckons the same requests in that way too.
"""

from __future__ import annotations

import json
import socket
import statistics
import sys
import time
from collections.abc import Callable, Sequence

from dashboard.core.measurements.histogram import encode_times, summarise_histograms
from dashboard.latency.client import Taken, ask_at_rate, describe_times
from dashboard.latency.exchanges import HttpGet

RATE, SECONDS = 1000.0, 8.0
STALL_S, PERIOD_S = 0.1, 0.4
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
REQUEST = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
ADDRESS = "127.0.0.1"
TAILS = ("p90_us", "p99_us", "p999_us")


def serve() -> None:
    """One connection at a time; rests for ``STALL_S`` whenever it has answered for ``PERIOD_S``."""
    with socket.create_server((ADDRESS, 0)) as listener:
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        rested = time.monotonic()
        while True:
            connection, _ = listener.accept()
            with connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                while connection.recv(65536):
                    if time.monotonic() - rested > PERIOD_S:
                        time.sleep(STALL_S)
                        rested = time.monotonic()
                    connection.sendall(ANSWER)


def ask(port: int) -> list[float]:
    """Latencies in µs of ``RATE`` requests a second for ``SECONDS``, each from when it was due."""
    found = []
    with socket.create_connection((ADDRESS, port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        start = time.monotonic()
        for number in range(int(RATE * SECONDS)):
            due = start + number / RATE
            while time.monotonic() < due:
                pass
            connection.sendall(REQUEST)
            connection.recv(65536)
            found.append((time.monotonic() - due) * 1e6)
    return found


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """By the standard library, which shares nothing with ours: 50, 90, 99 and 99.9, interpolated linearly."""
    cuts = statistics.quantiles(values, n=1000, method="inclusive")
    return {"p50_us": cuts[499], "p90_us": cuts[899], "p99_us": cuts[989], "p999_us": cuts[998]}


class _Noted(HttpGet):
    """Notes for itself when each answer had come."""

    def __init__(self, port: int) -> None:
        super().__init__(ADDRESS, port, "/", "")
        self.came_ns: list[int] = []

    def _make_ask(self, opened: socket.socket) -> Callable[[], bool]:
        inner, clock, note = super()._make_ask(opened), time.perf_counter_ns, self.came_ns.append

        def ask() -> bool:
            ends = inner()
            note(clock())
            return ends

        return ask


def same_requests(port: int) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    """Of the same requests: what a block tells, what its histogram tells, and what follows from due times and
    answers alone, in µs."""
    total = int(RATE * SECONDS)
    taken, exchange = Taken(total), _Noted(port)
    exchange.connect()
    first = time.perf_counter_ns() + 1_000_000
    ask_at_rate(exchange, taken, first, RATE, total)
    exchange.close()
    times = list(taken.times[: taken.number])
    summary = summarise_histograms([encode_times(times)])
    if summary is None:
        raise RuntimeError("no request was answered")
    reckoned = [(came - first) / 1000 - number * 1e6 / RATE for number, came in enumerate(exchange.came_ns)]
    names = ("p50_us", *TAILS)
    told = describe_times(times, SECONDS)
    return (
        {name: told[name] for name in names},
        {name: float(getattr(summary, name)) for name in names},
        percentiles(reckoned),
    )


def distance(one: dict[str, float], other: dict[str, float]) -> float:
    """The greatest distance of a tail's percentiles, in per cent."""
    return max(abs(one[name] / other[name] - 1) * 100 for name in TAILS)


def main() -> None:
    """The program."""
    what = sys.argv[1]
    if what == "serve":
        serve()
    elif what == "ask":
        sys.stdout.write(json.dumps(ask(int(sys.argv[2]))))
    else:
        sys.stdout.write(json.dumps(same_requests(int(sys.argv[2]))))


if __name__ == "__main__":
    main()
