"""dashboard.core.measurements.histogram."""

from __future__ import annotations

import base64
import gc
import random
import statistics
import zlib
from typing import Any

import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.measurements.histogram import (
    DIGITS,
    HIGHEST_NS,
    LOWEST_NS,
    BadHistogram,
    Summary,
    check_histogram,
    cumulative_shares,
    encode_times,
    merge_histograms,
    percentiles,
    recorded_counts,
    summarise_histograms,
)

new_histogram: Any = HdrHistogram  # it has no types
times = st.lists(st.integers(-10, HIGHEST_NS * 2), min_size=1, max_size=60)


@given(times)
def test_no_time_is_lost_and_each_keeps_three_digits(values: list[int]) -> None:
    found = summarise_histograms([encode_times(values)])
    assert found is not None
    kept = [min(max(one, 1), HIGHEST_NS) for one in values]
    assert found.n == len(values)
    assert found.max_us * 1000 == pytest.approx(max(kept), rel=0.001, abs=1)
    assert found.mean_us * 1000 == pytest.approx(statistics.fmean(kept), rel=0.001, abs=1)


@given(st.lists(times, max_size=5))
def test_merging_is_the_same_as_recording_everything_at_once(parts: list[list[int]]) -> None:
    merged = merge_histograms(encode_times(part) for part in parts)
    assert merged == encode_times([one for part in parts for one in part])


def test_an_empty_histogram_has_no_figures() -> None:
    assert summarise_histograms([]) is None
    assert summarise_histograms([b"", encode_times([])]) is None
    assert cumulative_shares(encode_times([])) == ()
    assert percentiles(encode_times([]), (50, 99)) == ()


def test_percentiles_are_those_of_the_sorted_times_within_a_thousandth() -> None:
    source = random.Random(4)
    values = sorted(int(source.lognormvariate(9.8, 0.4)) for _ in range(20_001))
    found = summarise_histograms([encode_times(values)])
    assert found is not None
    for told, share in ((found.p50_us, 0.5), (found.p90_us, 0.9), (found.p99_us, 0.99), (found.p999_us, 0.999)):
        assert told * 1000 == pytest.approx(values[round(share * 20_000)], rel=0.002)


@pytest.mark.parametrize("spread", [0.1, 1.0, 3.0])
def test_percentiles_are_those_of_the_library(spread: float) -> None:
    source = random.Random(5)
    histogram = new_histogram(LOWEST_NS, HIGHEST_NS, DIGITS)
    times = [max(1, int(source.lognormvariate(9.8, spread))) for _ in range(997)]
    for one in times:
        histogram.record_value(one)
    found = summarise_histograms([encode_times(times[:400]), encode_times(times[400:])])
    assert found is not None
    shown = [found.p50_us, found.p90_us, found.p99_us, found.p999_us, found.max_us]
    wanted = [
        *(histogram.get_value_at_percentile(percent) for percent in (50, 90, 99, 99.9)),
        histogram.get_max_value(),
    ]
    assert shown == [one / 1000 for one in wanted]
    assert list(percentiles(encode_times(times), (50, 90, 99, 99.9))) == shown[:4]


def test_ten_million_times_in_blocks_of_a_measurement_stay_below_five_megabytes() -> None:
    source = random.Random(5)
    block = [int(source.lognormvariate(9.8, 0.25)) for _ in range(12_500)]
    assert len(encode_times(block)) * (10_000_000 / len(block)) < 2_000_000


@pytest.mark.parametrize("points", [2, 10, 100_000])
def test_a_curve_rises_to_one(points: int) -> None:
    source = random.Random(6)
    curve = cumulative_shares(encode_times(int(source.lognormvariate(9.8, 0.4)) for _ in range(3000)), points)
    assert 2 <= len(curve) <= points
    assert curve[-1][1] == 1.0
    assert list(curve) == sorted(curve)


@given(st.binary(max_size=200))
def test_bytes_that_are_no_histogram_are_refused(noise: bytes) -> None:
    with pytest.raises(BadHistogram):
        summarise_histograms([b"\x1c\x84\x93\x14" + noise])


def test_a_bomb_and_a_table_of_another_size_are_refused() -> None:
    good = encode_times([20_000])
    bomb = zlib.compress(bytes(50_000_000), 9)
    inside = zlib.decompress(good[8:])
    other = zlib.compress(inside[:24] + (2**62).to_bytes(8, "big") + inside[32:])
    for payload in (bomb, other):
        with pytest.raises(BadHistogram):
            merge_histograms([good[:4] + len(payload).to_bytes(4, "big") + payload])
    with pytest.raises(BadHistogram):
        merge_histograms([base64.b64encode(good)])
    with pytest.raises(BadHistogram):
        merge_histograms([good[:-3]])


@given(st.binary(min_size=1, max_size=30), st.integers(40, 60))
def test_impossible_counts_are_refused(counts: bytes, at: int) -> None:
    """Runs of zeros beyond the table, counts beyond 64 bits and truncated data either decode or raise BadHistogram."""
    good = encode_times([10_000, 20_000, 30_000])
    raw = zlib.decompress(good[8:])
    packed = zlib.compress(raw[:at] + counts)
    spoilt = good[:4] + len(packed).to_bytes(4) + packed
    try:
        check_histogram(spoilt)
    except BadHistogram:
        return
    summarise_histograms([spoilt, good])
    cumulative_shares(merge_histograms([spoilt, good]))


def test_a_run_of_zeros_beyond_the_table_is_refused() -> None:
    good = encode_times([10_000])
    packed = zlib.compress(zlib.decompress(good[8:])[:40] + b"\xff" * 8 + b"\x7f")
    with pytest.raises(BadHistogram):
        check_histogram(good[:4] + len(packed).to_bytes(4) + packed)


def test_counts_are_listed_with_the_highest_time_of_their_bucket() -> None:
    counts = recorded_counts(encode_times([1000, 1000, 2047, 5000]))
    assert counts == ((1.0, 2), (2.047, 1), (5.003, 1))
    assert recorded_counts(encode_times([])) == ()


def test_a_curve_is_thinned_out_only_beyond_its_points() -> None:
    encoded = encode_times(range(1000, 1010))
    assert [round(time * 1000) for time, _share in cumulative_shares(encoded, 10)] == list(range(1000, 1010))
    assert [round(share, 3) for _time, share in cumulative_shares(encoded, 10)] == [n / 10 for n in range(1, 11)]
    assert [round(time * 1000) for time, _share in cumulative_shares(encoded, 4)] == [1000, 1003, 1006, 1009]


def test_a_percentile_and_the_mean_are_in_microseconds() -> None:
    found = summarise_histograms([encode_times([1000] * 9), b"", encode_times([2000])])
    assert found == Summary(10, 1.0, 1.0, 2.0, 2.0, 2.0, 1.1)


def test_a_decoded_histogram_is_freed_without_the_garbage_collector() -> None:
    encoded = encode_times([1000, 2000])
    gc.collect()
    gc.disable()
    try:
        summarise_histograms([encoded, encoded])
        recorded_counts(encoded)
        cumulative_shares(encoded)
        check_histogram(encoded)
        assert gc.collect() == 0
    finally:
        gc.enable()
