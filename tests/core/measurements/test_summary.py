"""dashboard.core.measurements.summary."""

from __future__ import annotations

import random
from dataclasses import replace

import msgspec

from dashboard.core.experiments.messages import encode
from dashboard.core.measurements.histogram import encode_times
from dashboard.core.measurements.measurement import Block, Environment, Measurement, Options, Probe, Stop
from dashboard.core.measurements.schedule import Series, make_series, missing_paths
from dashboard.core.measurements.summary import build_measurement
from dashboard.core.paths.finder import measured_paths
from tests.core.scenes import make_scene

PATHS = measured_paths(*make_scene(("host", "bridge", "none")))
SERIES = make_series(PATHS, [Probe.TCP_RR])
SHIFTS = {"bridge/published-proxy": 25.0, "bridge/published-dnat": 3.0}


def make_blocks(one: Series, count: int = 30) -> list[Block]:
    """Blocks of 300 requests around 18 µs, plus the cost of the path."""
    source = random.Random(one.key)
    blocks = []
    for number in range(count):
        middle = 18 + SHIFTS.get(one.key, 0.0) + source.gauss(0, 0.3)
        times = [int(1000 * max(1.0, source.gauss(middle, 2))) for _ in range(300)]
        blocks.append(
            Block(one.key, number, number * 0.1, 0.05, 300, middle, middle, histogram=encode_times(times), p99_us=25)
        )
    return blocks


def make_measurement(stopped: Stop | None = Stop.TIME, count: int = 30) -> Measurement:
    return build_measurement(
        SERIES,
        {one.key: make_blocks(one, count) for one in SERIES},
        Environment(kernel="6.18"),
        Options(),
        seed=7,
        missing=missing_paths(PATHS, [Probe.TCP_RR]),
        stopped=stopped,
    )


def test_each_path_has_its_figures_and_each_missing_one_its_reason() -> None:
    told = {f"{one.column}/{one.path}": one for one in make_measurement().series}
    assert len(told) == len(PATHS)
    proxy = told["bridge/published-proxy"]
    assert proxy.n == 9000
    assert proxy.p50_us is not None
    assert 40 < proxy.p50_us < 46
    assert told["none/bridge-address"].unavailable.startswith("none has loopback only")
    assert told["none/bridge-address"].p50_us is None


def test_the_proxy_is_slower_and_the_cause_is_named() -> None:
    told = {one.other: one for one in make_measurement().comparisons}
    assert "host/loopback" not in told
    proxy = told["bridge/published-proxy"]
    assert (proxy.baseline, proxy.verdict) == ("host/loopback", "slower")
    assert "docker-proxy copies each byte" in proxy.cause
    assert proxy.ci95_us is not None
    assert proxy.ci95_us[0] < 25 < proxy.ci95_us[1]
    assert told["host/loopback-ipv6"].verdict in {"same", "inconclusive"}
    assert told["host/loopback-ipv6"].cause == ""


def test_the_same_blocks_and_seed_make_the_same_document() -> None:
    assert encode(make_measurement()) == encode(make_measurement())
    assert msgspec.json.decode(encode(make_measurement()), type=Measurement) == make_measurement()


def test_a_run_that_was_cancelled_or_killed_is_incomplete() -> None:
    assert make_measurement(Stop.TIME).complete
    assert make_measurement(Stop.NARROW).complete
    assert not make_measurement(Stop.CANCELLED).complete
    assert not make_measurement(None).complete


def test_a_run_without_any_block_still_names_everything() -> None:
    empty = build_measurement(SERIES, {}, Environment(), Options(), seed=1, refused={"host/loopback": "Port taken."})
    assert {one.verdict for one in empty.comparisons} == {"inconclusive"}
    assert empty.series[0].errors == ("Port taken.",)
    assert {one.n for one in empty.series} == {0}


def test_failed_blocks_are_counted_and_quoted_but_not_in_the_figures() -> None:
    one = SERIES[0]
    bad = [Block(one.key, 30 + number, 9.0, 0.1, n=3, error="It was reset.") for number in range(3)]
    found = build_measurement(SERIES, {one.key: make_blocks(one) + bad}, Environment(), Options(), seed=1).series[0]
    assert (found.n, found.blocks, found.failed_blocks) == (9000, 33, 3)
    assert found.errors == ("It was reset. (3 times)",)


def test_sentences_are_listed_by_how_often_they_occur() -> None:
    one = SERIES[0]
    texts = ["once", *["twice"] * 2, *["three times"] * 3, "fourth", "fifth", "sixth"]
    blocks = [Block(one.key, n, 0.0, 0.1, n=3, error=text, note=text) for n, text in enumerate(texts)]
    found = build_measurement(SERIES, {one.key: blocks}, Environment(), Options(), seed=1).series[0]
    assert found.errors[:3] == ("three times (3 times)", "twice (2 times)", "once")
    assert found.notes == found.errors
    assert len(found.errors) == 5
    refused = build_measurement(SERIES, {one.key: blocks}, Environment(), Options(), seed=1, refused={one.key: "No."})
    assert refused.series[0].errors[:2] == ("No.", "three times (3 times)")


def test_the_rate_of_a_stream_is_the_median_of_its_blocks() -> None:
    one = SERIES[0]
    blocks = [
        replace(block, bytes_per_s=rate) for block, rate in zip(make_blocks(one, 4), (1e9, 3e9, 2e9, None), strict=True)
    ]
    found = build_measurement(SERIES, {one.key: blocks}, Environment(), Options(), seed=1)
    assert found.series[0].bytes_per_s == 2e9
    assert make_measurement().series[0].bytes_per_s is None


def test_the_margin_of_a_comparison_is_the_given_one_or_follows_from_the_baseline() -> None:
    blocks = {one.key: make_blocks(one) for one in SERIES}

    def within(options: Options, count: int = 30) -> set[float | None]:
        own = {key: found[:count] for key, found in blocks.items()}
        comparisons = build_measurement(SERIES, own, Environment(), options, seed=7).comparisons
        return {one.within_us for one in comparisons if one.verdict != "same"}

    assert within(Options(same_within_us=0.7)) == {0.7}
    assert within(Options()) == {0.2}
    assert within(Options(), 0) == {None}
    same = build_measurement(SERIES, blocks, Environment(), Options(same_within_us=99.0), seed=7).comparisons
    assert {one.verdict for one in same} == {"same"}
    assert all(one.within_us is not None and one.within_us < 30 for one in same)


def test_series_keep_what_is_known_of_their_path() -> None:
    series = make_measurement().series
    paths = {path.key: path for path in PATHS}
    for one in series:
        path = paths[one.key]
        assert (one.title, one.client, one.hops) == (path.title, path.client, path.hops)
        assert one.target == path.target
    assert series[0].target == "127.0.0.1:80"
