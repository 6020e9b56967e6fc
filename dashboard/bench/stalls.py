"""Whether a stalled server is told in full at a fixed rate: our percentiles beside those reckoned from the due times.

As a program, ``python -m dashboard.bench.stalls serve`` is the server that stalls, and ``… ask PORT`` a second client,
as plain as can be, that counts as wrk2 does: from when a request was due.
"""

from __future__ import annotations

import asyncio
import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from dashboard.bench.arena import KINDS, arena
from dashboard.bench.children import run, running
from dashboard.bench.figures import Figure, Of, Promise, Result, compared, figure
from dashboard.core.histogram import encode_times, summarise_histograms
from dashboard.core.measurement import Options, Probe
from dashboard.core.path_kinds import Path as Way
from dashboard.core.path_kinds import PathKind
from dashboard.core.schedule import Series
from dashboard.latency.client import Taken, ask_at_rate, describe_times
from dashboard.latency.exchanges import HttpGet

LIMIT_S = 300.0
RATE, SECONDS = 1000.0, 8.0
STALL_S, PERIOD_S = 0.1, 0.4
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
REQUEST = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
#: A histogram of three digits is right to 0.1 %.
EXACT = Promise(Of.VALUE, 0.1)
ALIKE = Promise(Of.APART, 1.05)
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


async def benchmark(folder: Path, say: Callable[[str], None], *, quick: bool) -> Result:
    """All of it."""
    rounds = 2 if quick else 6
    exact: list[tuple[float, float]] = []
    pooled: list[tuple[dict[str, float], dict[str, float]]] = []
    middle: list[float] = []
    me = [sys.executable, "-m", "dashboard.bench.stalls"]
    async with arena(folder / "lab") as place:
        machine = place.namespaces[place.paths[KINDS[0]].client]
        enter = ["nsenter", f"--net=/proc/self/fd/{machine}", "--"]
        with running([*enter, *me, "serve"], inherited=(machine,)) as server:
            port = int(await asyncio.to_thread(_first_line, server))
            way = Way(PathKind.LOOPBACK, "a server that stalls", "machine", "machine", address=ADDRESS, port=port)
            series = Series("stalls", way, Probe.HTTP)
            for number in range(rounds):
                say(f"stalls: round {number + 1} of {rounds}")
                answer = await run(*enter, *me, "exact", str(port), inherited=(machine,))
                block, histogram, reckoned = json.loads(answer)
                exact.append((distance(block, reckoned), distance(histogram, reckoned)))
                middle.append(abs(block["p50_us"] - reckoned["p50_us"]))
                taken = await place.measure([series], Options(seconds=SECONDS, rate=RATE), seed=number)
                ours = summarise_histograms(one.histogram for one in taken.blocks["stalls"])
                theirs = json.loads(await run(*enter, *me, "ask", str(port), inherited=(machine,)))
                if ours is not None:
                    told = {name: float(getattr(ours, name)) for name in TAILS}
                    pooled.append((told, percentiles(theirs)))
    figures: list[Figure] = [
        figure("a block's percentiles, from those reckoned", "%", [one for one, _ in exact], promise=EXACT),
        figure("the histogram's percentiles, from those reckoned", "%", [one for _, one in exact], promise=EXACT),
    ]
    for name, title in (("p99_us", "p99"), ("p999_us", "p99.9")):
        pairs = [(one[name] / 1000, other[name] / 1000) for one, other in pooled]
        figures.append(compared(f"a run's {title}", "ms", pairs, "a plain client of its own", promise=ALIKE))
    return Result(
        "stalls",
        f"Stalls: {RATE:g} requests a second to a server that rests for {STALL_S * 1000:g} ms twice a second",
        "percentiles as reckoned from the due times, to the histogram's 0.1 %; a second client within 5 %",
        tuple(figures),
        (
            "Reckoned: answers less due times, percentiles by the standard library; the farthest of p90, p99, p99.9.",
            f"p50 differs by {max(middle):.2f} µs at most: the clock is read once more.",
            "The second client asks in turn with ours, so its stalls are others of the same kind.",
        ),
    )


def _first_line(process: subprocess.Popen[bytes]) -> bytes:
    if process.stdout is None:
        raise RuntimeError("no pipe")
    line: bytes = process.stdout.readline()
    return line


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
