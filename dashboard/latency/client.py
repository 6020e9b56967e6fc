"""The process that sends requests and times them. The command ``block`` runs one block. Its answer has the figures and
the histogram of the block.

During a block the process only sends and receives. Times are written to a preallocated array, and become a histogram
after the block.
"""

import base64
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from dashboard.core.measurements.histogram import encode_times
from dashboard.core.measurements.measurement import Probe
from dashboard.core.namespaces.addresses import format_endpoint
from dashboard.latency.exchanges import ConnectEachTime, Datagrams, DnsLookup, Exchange, HttpGet, SameSize, open_socket
from dashboard.latency.loops import SPIN_NS, RoundTrips, ask_at_once, ask_at_rate
from dashboard.latency.process import Control, Overdue, Places, overdue_after, reset_priority, run_main
from dashboard.latency.refusals import Refusal, describe_error

_FASTEST_PER_S = 200_000
_LOAD_BYTES = 65_536
#: The number of connections that a warm-up of ``tcp-crr`` may open even if that is more than a tenth of the block.
_MIN_WARMING = 10


def make_exchange(probe: Probe, command: dict[str, Any]) -> Exchange:
    """Returns the exchange for a probe. ``command`` contains the address, the port and what the probe sends. Raises
    Refusal if the name to look up is not valid in DNS."""
    address, port = command["address"], command["port"]
    match probe:
        case Probe.TCP_RR:
            return SameSize(address, port, command["payload"])
        case Probe.TCP_CRR:
            return ConnectEachTime(address, port, command["payload"])
        case Probe.UDP_RR:
            return Datagrams(address, port, command["payload"])
        case Probe.HTTP:
            return HttpGet(address, port, command["http_path"], command["host"])
        case Probe.DNS:
            try:
                return DnsLookup(address, port, command["name"])
            except (UnicodeError, ValueError) as error:
                raise Refusal(f"{command['name']!r} is not a valid DNS name.") from error
        case Probe.TCP_STREAM:
            raise ValueError(probe)


def _run_requests(command: dict[str, Any], probe: Probe) -> dict[str, Any]:
    seconds, rate, timeout = command["seconds"], command["rate"], command["timeout_s"]
    total = max(1, int(seconds * rate)) if rate else 0
    trips = RoundTrips(total or min(command["most"], int(seconds * _FASTEST_PER_S) + 1000))
    # The warm-up of ``tcp-crr`` opens connections, too.
    most_warming = max(_MIN_WARMING, trips.most // 10) if probe is Probe.TCP_CRR else trips.most
    warming = RoundTrips(min(most_warming, int(command["warmup_s"] * _FASTEST_PER_S) + 100))
    where = format_endpoint(command["address"], command["port"])
    error = ""
    exchange: Exchange | None = None
    began = time.perf_counter_ns()

    def warm_up() -> None:
        nonlocal exchange
        exchange = make_exchange(probe, command)
        exchange.connect()
        ask_at_once(exchange, warming, time.perf_counter_ns() + int(command["warmup_s"] * 1e9))
        exchange.reconnects = 0

    def measure(exchange: Exchange) -> None:
        nonlocal began
        began = time.perf_counter_ns()
        if rate:
            # Requests that cannot be sent in time wait in a queue, at most as long as the timeout.
            end_ns = began + int((seconds + timeout) * 1e9)
            ask_at_rate(exchange, trips, began + SPIN_NS, rate, total, end_ns)
        else:
            ask_at_once(exchange, trips, began + int(seconds * 1e9))

    try:
        error = _guard(warm_up, where, command["warmup_s"] + timeout)
        if exchange is not None and not error:
            error = _guard(partial(measure, exchange), where, seconds + timeout * (2 if rate else 1))
    finally:
        if exchange is not None:
            exchange.close()
    lasted_s = (time.perf_counter_ns() - began) / 1e9
    note = "" if exchange is None else exchange.note
    reconnects = 0 if exchange is None else exchange.reconnects
    if reconnects and reconnects >= trips.number > 1:
        note = f"{note} {where} closes the connection after each answer.".strip()
    if rate:
        usual_s = sorted(warming.times[: warming.number])[warming.number // 2] / 1e9 if warming.number else 0.0
        omitted = not error and trips.number < total
        if omitted or (usual_s * rate > 1 and lasted_s > seconds * 1.1):
            warning = f"{where} cannot keep up with {rate:,g} requests per second: the times include queueing"
            warning += ", and the last requests of the block were not sent." if omitted else "."
            note = f"{warning} {note}".strip()
        if error and warming.number and trips.number < total:
            error = f"{error} {trips.number} of {total} requests were answered."
    answer = describe_times(list(trips.times[: trips.number]), lasted_s)
    return answer | {"error": error, "note": note, "reconnects": reconnects}


def _guard(work: Callable[[], None], where: str, limit_s: float) -> str:
    """Calls ``work`` for at most ``limit_s`` seconds. Returns an empty text, or a sentence that describes why it
    failed. The sentence contains ``where``, the server's address and port."""
    try:
        with overdue_after(limit_s):
            work()
    except Overdue:
        return f"No answer from {where} within the time limit: a firewall drops the packets, or the program hangs."
    except Refusal as refusal:
        return str(refusal)
    except OSError as failure:
        return describe_error(failure, where)
    return ""


def describe_times(times: list[int], lasted_s: float) -> dict[str, Any]:
    """Returns the figures of a block as fields of the answer. They are the number of ``times`` and the duration
    ``lasted_s``. Unless ``times`` is empty, they are also percentiles, mean and maximum in microseconds, and the
    histogram. ``times`` are in nanoseconds and are sorted in place."""
    found: dict[str, Any] = {"n": len(times), "duration_s": lasted_s}
    if not times:
        return found
    histogram = base64.b64encode(encode_times(times)).decode()
    times.sort()
    last = len(times) - 1
    for name, share in (("p50_us", 0.5), ("p90_us", 0.9), ("p99_us", 0.99), ("p999_us", 0.999)):
        place = last * share
        low = int(place)
        high = min(low + 1, last)
        found[name] = (times[low] + (times[high] - times[low]) * (place - low)) / 1000
    mean = sum(times) / len(times) / 1000
    return found | {"center_us": found["p50_us"], "max_us": times[-1] / 1000, "mean_us": mean, "histogram": histogram}


def _run_stream(command: dict[str, Any]) -> dict[str, Any]:
    """Sends data to the server for the number of seconds in the command, and returns the answer with the figures of the
    block. The duration of the block includes the time until the server confirms that it has read everything."""
    address, port, size = command["address"], command["port"], command["payload"]
    where = format_endpoint(address, port)
    chunk = bytes(size)
    trips = RoundTrips(int(command["seconds"] * _FASTEST_PER_S) + 1000)
    clock = time.perf_counter_ns
    lasted_ns = 0

    def whole() -> None:
        nonlocal lasted_ns
        with open_socket(address, socket.SOCK_STREAM) as opened:
            opened.connect((address, port))
            send, times, most, number = opened.sendall, trips.times, trips.most, 0
            began = before = clock()
            end = began + int(command["seconds"] * 1e9)
            while before < end and number < most:
                send(chunk)
                now = clock()
                times[number] = now - before
                before = now
                number += 1
            opened.shutdown(socket.SHUT_WR)
            header = b""
            while len(header) < 8 and (part := opened.recv(8)):
                header += part
            lasted_ns = clock() - began
        if int.from_bytes(header, "big") != number * size or len(header) != 8:
            raise Refusal(f"{where} did not read the whole stream.")
        trips.number = number

    error = _guard(whole, where, command["seconds"] + command["timeout_s"])
    answer = describe_times(list(trips.times[: trips.number]), lasted_ns / 1e9)
    if trips.number and lasted_ns:
        answer["center_us"] = lasted_ns / trips.number / 1000
        answer["bytes_per_s"] = trips.number * size / (lasted_ns / 1e9)
    return answer | {"error": error}


class Client:
    """Runs blocks, or generates load while another client runs blocks."""

    def __init__(self, control: Control, places: Places) -> None:
        self._control = control
        self._places = places

    def serve(self) -> None:
        """Executes commands until the parent closes the connection."""
        for command in self._control.commands():
            getattr(self, f"do_{command.pop('do')}")(command)

    def do_block(self, command: dict[str, Any]) -> None:
        """Runs one block and answers with its figures. If the block fails, the answer has a sentence in ``error`` and
        the figures of the requests before the failure."""
        probe = Probe(command["probe"])
        try:
            self._places.enter(command["place"])
        except OSError as error:
            self._control.answer(n=0, duration_s=0.0, error=f"The namespace cannot be entered: {error.strerror}.")
            return
        self._control.answer(**(_run_stream(command) if probe is Probe.TCP_STREAM else _run_requests(command, probe)))

    def do_load(self, command: dict[str, Any]) -> None:
        """Sends data on one connection until the next command. The process has a low priority meanwhile, because the
        load should fill the path, not the core."""
        reset_priority()
        where = format_endpoint(command["address"], command["port"])
        chunk = bytes(_LOAD_BYTES)
        connected: list[socket.socket] = []

        def connect() -> None:
            self._places.enter(command["place"])
            connected.append(open_socket(command["address"], socket.SOCK_STREAM))
            connected[0].connect((command["address"], command["port"]))

        if error := _guard(connect, where, command["timeout_s"]):
            self._control.answer(error=error)
        else:
            self._control.answer()
            self._control.run_until_command(lambda: _guard(lambda: _send_forever(connected[0], chunk), where, 86_400))
        for opened in connected:
            opened.close()

    def do_rest(self, _command: dict[str, Any]) -> None:
        """Answers without doing anything: the load ended when this command arrived."""
        self._control.answer()


def _send_forever(opened: socket.socket, chunk: bytes) -> None:
    while True:
        opened.sendall(chunk)


def serve(control: Control, places: Places) -> None:
    """Runs the client until the parent closes the connection."""
    Client(control, places).serve()


def main() -> None:
    """Runs the client process. ``children`` starts it."""
    run_main(serve)


if __name__ == "__main__":
    main()
