"""dashboard.core.measurements.schedule."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.measurements.measurement import Options, Probe
from dashboard.core.measurements.schedule import (
    MAX_BLOCK_S,
    MAX_CONNECTIONS,
    MIN_BLOCK_S,
    MIN_REQUESTS,
    OVERHEAD_S,
    ROUNDS_WANTED,
    TRACKED_S,
    choose_baselines,
    choose_cores,
    describe_share,
    make_series,
    missing_paths,
    needs_responder,
    order_of_rounds,
    plan_blocks,
    probe_problem,
    remaining_s,
    round_interval_s,
)
from dashboard.core.paths.finder import measured_paths, resolver_paths
from tests.core.scenes import make_scene

SCENE = make_scene(("host", "bridge", "none"))
PATHS = measured_paths(*SCENE) + resolver_paths(*SCENE)


def test_every_round_has_every_series_once_in_an_order_of_its_own() -> None:
    keys = tuple("abcde")
    rounds = list(islice(order_of_rounds(keys, 7), 200))
    assert all(sorted(one) == list(keys) for one in rounds)
    assert len(set(rounds)) > 60
    firsts = Counter(one[0] for one in rounds)
    assert min(firsts.values()) > 20


def test_the_recorded_seed_reproduces_the_order() -> None:
    first, again, other = (list(islice(order_of_rounds("abcdef", seed), 20)) for seed in (3, 3, 4))
    assert first == again != other


def test_only_probes_that_suit_a_path_become_series() -> None:
    keys = {one.key for one in make_series(PATHS, [Probe.TCP_RR])}
    assert keys == {path.key for path in PATHS if not path.unavailable and path.kind != "resolver"}
    udp = {one.key for one in make_series(PATHS, [Probe.UDP_RR])}
    assert udp == {"host/loopback", "host/loopback-ipv6", "bridge/bridge-address"}
    dns = make_series(PATHS, [Probe.DNS, Probe.DNS])
    assert {one.path.kind for one in dns} == {"resolver"}


def test_several_probes_have_keys_of_their_own_and_baselines_of_their_own() -> None:
    series = make_series(PATHS, [Probe.TCP_RR, Probe.TCP_CRR])
    assert len({one.key for one in series}) == len(series)
    baselines = choose_baselines(series)
    assert baselines["bridge/published-proxy/tcp-rr"] == "host/loopback/tcp-rr"
    assert baselines["bridge/published-proxy/tcp-crr"] == "host/loopback/tcp-crr"
    assert baselines["host/loopback/tcp-rr"] == "host/loopback/tcp-rr"


def test_without_loopback_the_next_shortest_path_is_the_baseline() -> None:
    series = make_series(measured_paths(*make_scene(("bridge",))), [Probe.TCP_RR])
    assert set(choose_baselines(tuple(reversed(series))).values()) == {"bridge/bridge-address"}


def test_missing_paths_are_named_with_their_reasons() -> None:
    missing = {path.key: reason for path, _, reason in missing_paths(PATHS, [Probe.UDP_RR])}
    assert missing["none/bridge-address"] == "none has loopback only: no interface leads to it"
    assert missing["bridge/published-dnat"] == "port 80/udp is not published, only tcp"
    assert not any("resolver" in key for key in missing)
    resolver = next(path for path in PATHS if path.kind == "resolver")
    assert probe_problem(resolver, Probe.TCP_RR) == "only the probe dns measures a resolver"
    assert probe_problem(PATHS[0], Probe.DNS) == "the probe dns needs a path to a resolver"


@given(st.floats(0.5, 3600), st.integers(1, 64), st.none() | st.floats(1, 100_000))
def test_blocks_are_short_but_have_enough_requests(seconds: float, count: int, rate: float | None) -> None:
    series = [replace(make_series(PATHS, [Probe.TCP_RR])[0], key=str(number)) for number in range(count)]
    plans = plan_blocks(series, Options(seconds=seconds, rate=rate))
    assert len(plans) == count
    for plan in plans.values():
        least = max(MIN_BLOCK_S, MIN_REQUESTS / rate if rate else 0)
        assert least <= plan.seconds <= max(MAX_BLOCK_S, least)
        assert 0 < plan.warmup_s <= 0.02


def test_three_seconds_hold_about_thirty_rounds_of_two_series() -> None:
    series = make_series(PATHS, [Probe.TCP_RR])[:2]
    plan = plan_blocks(series, Options(seconds=3))[series[0].key]
    assert 0.03 < plan.seconds < 0.05


@given(st.floats(0.5, 3600), st.integers(1, 256), st.none() | st.floats(1, 100_000))
def test_connections_do_not_fill_the_tracking_table(seconds: float, count: int, rate: float | None) -> None:
    base = make_series(PATHS, [Probe.TCP_CRR])[0]
    series = [replace(base, key=str(number)) for number in range(count)]
    plans = plan_blocks(series, Options(seconds=seconds, rate=rate))
    rounds = min(seconds, TRACKED_S) / round_interval_s(series, seconds)
    for plan in plans.values():
        assert plan.most >= MIN_REQUESTS
        assert rate is None or plan.seconds * rate <= plan.most + 1e-6
    assert sum(plan.most for plan in plans.values()) * rounds <= MAX_CONNECTIONS * (1 + 1e-9)


def test_rounds_wait_only_if_a_series_opens_connections() -> None:
    resting, connecting = (make_series(PATHS, [probe])[0] for probe in (Probe.TCP_RR, Probe.TCP_CRR))
    assert round_interval_s([resting], 10.0) == 0
    assert round_interval_s([resting, connecting], 15.0) == pytest.approx(15 / ROUNDS_WANTED, rel=0.01)
    assert round_interval_s([connecting], 3600.0) == round_interval_s([connecting], TRACKED_S)


@pytest.mark.parametrize(
    ("allowed", "siblings", "expected"),
    [
        ([0], {}, (None, None)),
        ([0, 1], {}, (0, 1)),
        ([2, 5], {}, (2, 5)),
        ([0, 1, 2, 3], {1: frozenset({3})}, (1, 2)),
        ([0, 1, 2], {1: frozenset({2})}, (1, 0)),
        ([0, 1], {0: frozenset({1})}, (0, 1)),
    ],
)
def test_client_and_responder_get_cores_that_share_nothing_if_possible(
    allowed: list[int], siblings: dict[int, frozenset[int]], expected: tuple[int | None, int | None]
) -> None:
    assert choose_cores(allowed, siblings) == expected


def test_the_remaining_time_is_never_negative() -> None:
    assert remaining_s(Options(seconds=3), 1) == 2
    assert remaining_s(Options(seconds=3), 9) == 0


@pytest.mark.parametrize(
    ("seconds", "count", "rate", "block", "warmup"),
    [
        (3.0, 2, None, 0.05 - OVERHEAD_S, (0.05 - OVERHEAD_S) / 10),
        (0.5, 64, None, MIN_BLOCK_S, 0.002),
        (3600.0, 1, None, MAX_BLOCK_S, MAX_BLOCK_S / 10),
        (3600.0, 1, 1.0, MIN_REQUESTS, 0.02),
        (3.0, 2, 100_000.0, 0.05 - OVERHEAD_S, (0.05 - OVERHEAD_S) / 10),
    ],
)
def test_a_plan_divides_the_time_by_series_and_rounds(
    seconds: float, count: int, rate: float | None, block: float, warmup: float
) -> None:
    series = [replace(make_series(PATHS, [Probe.TCP_RR])[0], key=str(number)) for number in range(count)]
    for plan in plan_blocks(series, Options(seconds=seconds, rate=rate)).values():
        assert plan.seconds == pytest.approx(block)
        assert plan.warmup_s == pytest.approx(max(0.002, min(0.02, warmup)))


def test_connections_are_shared_among_the_series_that_open_them() -> None:
    base = make_series(PATHS, [Probe.TCP_CRR])[0]
    closed = replace(make_series(PATHS, [Probe.TCP_RR])[0], key="closed")
    for count in (1, 3):
        series = [*(replace(base, key=str(number)) for number in range(count)), closed]
        plans = plan_blocks(series, Options(seconds=60))
        assert plans["0"].most == max(MIN_REQUESTS, MAX_CONNECTIONS // (count * ROUNDS_WANTED))
        assert plans["closed"].most > MAX_CONNECTIONS
    crowd = [replace(base, key=str(number)) for number in range(10_000)]
    assert plan_blocks(crowd, Options(seconds=60))["0"].most == MIN_REQUESTS


def test_dns_and_http_need_no_responder() -> None:
    assert {probe for probe in Probe if not needs_responder(probe)} == {Probe.DNS, Probe.HTTP}


LONGER = "A longer time limit gives narrower intervals."


@pytest.mark.parametrize(
    ("seconds", "series", "sentence"),
    [
        (10.0, 1, ""),
        (10.0, 4, "4 series share the time limit of 10 s: about 2.5 s for each."),
        (
            10.0,
            16,
            f"16 series share the time limit of 10 s: about 0.62 s for each. {LONGER}",
        ),
    ],
)
def test_the_share_of_each_series_is_stated(seconds: float, series: int, sentence: str) -> None:
    assert describe_share(seconds, series) == sentence
