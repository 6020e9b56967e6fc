"""dashboard.latency.client: the measuring loops, with exchanges that take no time."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import Any

import pytest

from dashboard.core.measurements.histogram import summarise_histograms
from dashboard.core.measurements.measurement import Probe
from dashboard.latency import client
from dashboard.latency.client import make_exchange
from dashboard.latency.loops import RoundTrips, ask_at_once, ask_at_rate
from dashboard.latency.refusals import Refusal

#: A moment that no loop reaches.
NEVER = 2**63


class Instant:
    """An exchange that completes at once or takes ``takes_s``, but stalls for ``stall_s``, fails or requests a new
    connection at a given request."""

    def __init__(
        self,
        *,
        stall_at: int = -1,
        fail_at: int = -1,
        renew_at: int = -1,
        takes_s: float = 0.0,
        stall_s: float = 0.02,
    ) -> None:
        self.takes_s, self.stall_s = takes_s, stall_s
        self.reconnects = 0
        self.note = ""
        self.asked = 0
        self._plan = (stall_at, fail_at, renew_at)

    @property
    def ask(self) -> Callable[[], bool]:
        return self._ask

    def _ask(self) -> bool:
        number, self.asked = self.asked, self.asked + 1
        stall_at, fail_at, renew_at = self._plan
        if number == fail_at:
            raise Refusal("It was closed.")
        end = time.perf_counter_ns() + int((self.stall_s if number == stall_at else self.takes_s) * 1e9)
        while time.perf_counter_ns() < end:
            pass
        return number == renew_at

    def connect(self) -> None:
        self.reconnects += 1

    def close(self) -> None:
        """Does nothing."""


class Connections:
    """Stands for the connection to the parent and for the namespaces: keeps the answer."""

    def __init__(self) -> None:
        self.answers: list[dict[str, Any]] = []

    def answer(self, **fields: Any) -> None:
        self.answers.append(fields)

    def enter(self, _number: int) -> None:
        """Does nothing."""


def run_block(monkeypatch: pytest.MonkeyPatch, exchange: Instant, **command: Any) -> dict[str, Any]:
    """Runs a block with this exchange; returns the answer of the client."""
    monkeypatch.setattr(client, "make_exchange", lambda _probe, _command: exchange)
    ends: Any = Connections()
    fields = {"probe": "http", "place": 0, "address": "10.77.0.2", "port": 80, "warmup_s": 0.002, "most": 1000}
    client.Client(ends, ends).do_block(fields | command)
    (answer,) = ends.answers
    return dict(answer)


def test_at_a_rate_every_request_behind_a_stall_has_waited() -> None:
    trips = RoundTrips(100)
    ask_at_rate(Instant(stall_at=10), trips, time.perf_counter_ns() + 1_000_000, 2000.0, 100, NEVER)
    late = [one for one in trips.times if one > 1_000_000]
    assert trips.number == 100
    assert len(late) >= 37  # 20 ms at 2,000 per second are 40 requests
    assert max(late) >= 20_000_000


def test_at_a_rate_requests_that_cannot_be_sent_in_time_are_omitted() -> None:
    trips = RoundTrips(100)
    now = time.perf_counter_ns()
    ask_at_rate(Instant(stall_at=10, stall_s=0.3), trips, now + 1_000_000, 2000.0, 100, now + 200_000_000)
    assert trips.number == 11  # the stall began after 6 ms and took 300


def test_a_server_that_is_too_slow_for_the_rate_gives_a_valid_block(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = run_block(monkeypatch, Instant(takes_s=0.03), seconds=0.05, rate=1000.0, timeout_s=0.5)
    assert answer["error"] == ""
    assert 0 < answer["n"] < 50
    assert answer["note"] == (
        "10.77.0.2:80 cannot keep up with 1,000 requests per second: the times include queueing, and the last requests "
        "of the block were not sent."
    )
    assert answer["max_us"] > 300_000


def test_a_server_that_hangs_at_a_rate_fails_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    # The warm-up has as many requests as the block.
    hangs = Instant(stall_at=60, stall_s=30.0)
    answer = run_block(monkeypatch, hangs, seconds=0.05, rate=1000.0, timeout_s=0.5, warmup_s=5.0)
    assert answer["error"].startswith("No answer from 10.77.0.2:80 within the time limit")
    assert answer["error"].endswith(" 10 of 50 requests were answered.")
    assert answer["note"] == ""


def test_a_server_that_answers_within_the_timeout_gives_a_valid_block(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = run_block(monkeypatch, Instant(takes_s=0.6), seconds=0.01, rate=None, timeout_s=1.0)
    assert (answer["error"], answer["n"]) == ("", 1)
    assert answer["p50_us"] > 600_000


def test_in_a_closed_loop_a_stall_is_one_slow_answer() -> None:
    trips = RoundTrips(100)
    ask_at_once(Instant(stall_at=10), trips, time.perf_counter_ns() + 5_000_000_000)
    assert trips.number == 100
    assert trips.times[10] >= 20_000_000


def test_a_failure_keeps_what_was_measured_before() -> None:
    trips = RoundTrips(100)
    with pytest.raises(Refusal):
        ask_at_once(Instant(fail_at=7), trips, time.perf_counter_ns() + 5_000_000_000)
    assert trips.number == 7
    other = RoundTrips(100)
    with pytest.raises(Refusal):
        ask_at_rate(Instant(fail_at=7), other, time.perf_counter_ns(), 100_000.0, 100, NEVER)
    assert other.number == 7


def test_connections_are_renewed_between_requests() -> None:
    one = Instant(renew_at=3)
    trips = RoundTrips(10)
    ask_at_once(one, trips, time.perf_counter_ns() + 5_000_000_000)
    ask_at_rate(one, trips, time.perf_counter_ns(), 100_000.0, 5, NEVER)
    assert one.reconnects == 1


def test_an_expired_block_measures_nothing() -> None:
    trips = RoundTrips(10)
    ask_at_once(Instant(), trips, time.perf_counter_ns() - 1)
    assert trips.number == 0


def test_figures_are_exact_and_the_histogram_goes_with_them() -> None:
    told = client.describe_times([number * 1000 for number in range(1, 1002)], 0.5)
    assert (told["n"], told["p50_us"], told["p99_us"], told["max_us"], told["mean_us"]) == (1001, 501, 991, 1001, 501)
    whole = summarise_histograms([base64.b64decode(told["histogram"])])
    assert whole is not None
    assert whole.n == 1001
    assert client.describe_times([], 0.5) == {"n": 0, "duration_s": 0.5}


@pytest.mark.parametrize("name", ["a" * 300, "a..b", "é" * 70])
def test_a_name_that_dns_cannot_carry_is_refused(name: str) -> None:
    with pytest.raises(Refusal, match="not a valid DNS name"):
        make_exchange(Probe.DNS, {"address": "127.0.0.11", "port": 53, "name": name})
