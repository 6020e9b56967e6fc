"""The timed loops of the client: a closed loop, and an open loop with a fixed rate."""

import array
import time
from collections.abc import MutableSequence

from dashboard.latency.exchanges import Datagrams, DirectCalls, Exchange, SameSize

SPIN_NS = 80_000  # spin before a due time: waking up takes tens of microseconds


class RoundTrips:
    """The times of the requests so far, in nanoseconds. They are the first ``number`` items of ``times``, an array of
    the length ``most``. ``number`` is correct even after an exception has ended the loop."""

    def __init__(self, most: int) -> None:
        self.times: MutableSequence[int] = array.array("q", bytes(8 * most))
        self.most = most
        self.number = 0


def ask_at_once(exchange: Exchange, trips: RoundTrips, end_ns: int) -> None:
    """Runs a closed loop until ``end_ns`` or until ``trips`` is full. As soon as a request is answered, sends the next
    one."""
    if isinstance(exchange, SameSize | Datagrams) and exchange.direct_calls is not None:
        _ask_directly(exchange.direct_calls, trips, end_ns)
        return
    clock, times, most = time.perf_counter_ns, trips.times, trips.most
    ask = exchange.ask
    number = trips.number
    try:
        while number < most:
            start = clock()
            if start >= end_ns:
                break
            renew = ask()
            times[number] = clock() - start
            number += 1
            if renew:
                exchange.connect()
                ask = exchange.ask
    finally:
        trips.number = number


def _ask_directly(calls: DirectCalls, trips: RoundTrips, end_ns: int) -> None:
    """Runs the closed loop with the system calls in ``calls``, without a function call for each request."""
    clock, times, most = time.perf_counter_ns, trips.times, trips.most
    send, request, receive, room, wanted, mend = calls
    number = trips.number
    try:
        while number < most:
            start = clock()
            if start >= end_ns:
                break
            send(request)
            response = receive(room)
            times[number] = clock() - start
            if len(response) != wanted:  # after reading the clock: len() takes 25 ns
                mend(len(response))
                times[number] = clock() - start
            number += 1
    finally:
        trips.number = number


def ask_at_rate(exchange: Exchange, trips: RoundTrips, first_ns: int, rate: float, total: int, end_ns: int) -> None:
    """Runs an open loop of ``total`` requests on one connection, ``rate`` of them a second. The first one is due at
    ``first_ns``. The time of each request is measured from the moment at which it was due. So a stall lengthens the
    times of all requests that it delays. Requests that could not be sent before ``end_ns`` are omitted."""
    clock, times = time.perf_counter_ns, trips.times
    interval = 1e9 / rate
    ask = exchange.ask
    number = 0
    try:
        while number < total:
            due = first_ns + int(number * interval)
            now = clock()
            if now >= end_ns:
                break
            early = due - now
            if early > 0:
                if early > SPIN_NS:
                    time.sleep((early - SPIN_NS) / 1e9)
                while clock() < due:
                    pass
            renew = ask()
            times[number] = clock() - due
            number += 1
            if renew:
                exchange.connect()
                ask = exchange.ask
    finally:
        trips.number = number
