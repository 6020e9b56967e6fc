"""Histograms of times in the compressed V2 encoding of HdrHistogram: from 1 ns to one hour, with three significant
digits.

The precision is 0.1 % (16 ns at 20 µs). Other tools can read the same bytes.
"""

import base64
import struct
import weakref
import zlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import hdrh.codec
import hdrh.histogram

LOWEST_NS = 1
HIGHEST_NS = 3_600_000_000_000
DIGITS = 3

_MOST_BYTES = 1_000_000  # inflated; a histogram with all of its counts used has about 260,000
_HEADER = struct.Struct(">iiiiqqd")  # cookie, length, offset, digits, lowest, highest, ratio
_new_histogram: Any = hdrh.histogram.HdrHistogram  # the library has no types
_FAULTS = (
    hdrh.codec.HdrCookieException,
    hdrh.codec.HdrLengthException,
    zlib.error,
    struct.error,
    ValueError,
    IndexError,
    TypeError,
    OverflowError,
)


class BadHistogram(ValueError):  # noqa: N818 - names the state, not a fault
    """The bytes are not a histogram in this encoding and with these bounds."""


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of a histogram of times: their number (``n``), and percentiles, maximum and mean in microseconds."""

    n: int
    p50_us: float
    p90_us: float
    p99_us: float
    p999_us: float
    max_us: float
    mean_us: float


def _without_cycle(histogram: Any) -> Any:
    """Breaks the reference cycle between a histogram and its encoder, and returns the histogram. With the cycle, its
    table of 270 KB would stay in memory until the garbage collector runs. When it runs depends on the number of
    objects, not on their size."""
    histogram.encoder.histogram = weakref.proxy(histogram)
    return histogram


def _empty() -> Any:
    return _without_cycle(_new_histogram(LOWEST_NS, HIGHEST_NS, DIGITS))


#: The class of the tables. While it exists, the library does not create another one for each histogram.
_TABLE = type(_empty().counts)


def encode_times(times_ns: Iterable[int]) -> bytes:
    """Returns the bytes of a histogram of these times; times outside 1 ns to one hour are clamped."""
    histogram = _empty()
    record = histogram.record_value
    for one in times_ns:
        record(min(max(one, LOWEST_NS), HIGHEST_NS))
    return base64.b64decode(histogram.encode())


def _decode(encoded: bytes) -> Any:
    try:
        _check_header(encoded)
        return _without_cycle(_new_histogram.decode(base64.b64encode(encoded)))
    except _FAULTS as error:
        raise BadHistogram("not a compressed HdrHistogram") from error


def _check_header(encoded: bytes) -> None:
    """Raises ValueError for data that would inflate to too many bytes, or whose bounds or precision differ from those
    of Netmodes. Histograms of imported reports may contain anything."""
    inflater = zlib.decompressobj()
    header = inflater.decompress(encoded[8:], _MOST_BYTES)
    if inflater.unconsumed_tail or _HEADER.unpack_from(header)[3:6] != (DIGITS, LOWEST_NS, HIGHEST_NS):
        raise ValueError


def check_histogram(encoded: bytes) -> None:
    """Raises BadHistogram unless the bytes are a histogram that can be merged with others."""
    _decode(encoded)


def _merge(parts: Iterable[bytes]) -> Any:
    whole = _empty()
    for part in parts:
        if part:
            whole.add(_decode(part))
    return whole


def merge_histograms(parts: Iterable[bytes]) -> bytes:
    """Returns one histogram with the counts of all ``parts``; empty parts are skipped. Raises BadHistogram if a part
    cannot be decoded."""
    return base64.b64decode(_merge(parts).encode())


def summarise_histograms(parts: Iterable[bytes]) -> Summary | None:
    """Returns the figures of all ``parts`` together; None if they contain no time. Raises BadHistogram. A percentile is
    the highest value of its bucket (HdrHistogram's definition), so it is at most 0.1 % too high."""
    whole = _merge(parts)
    total = whole.get_total_count()
    if not total:
        return None
    buckets = list(_buckets(whole))
    p50, p90, p99, p999 = _percentiles(whole, buckets, (50, 90, 99, 99.9))
    # The mean uses the middle of each bucket, as HdrHistogram does.
    mean_ns = sum(count * ((low + high + 1) // 2) for low, high, count in buckets) / total
    return Summary(total, p50, p90, p99, p999, whole.get_max_value() / 1000, mean_ns / 1000)


def percentiles(encoded: bytes, percents: Iterable[float]) -> tuple[float, ...]:
    """Returns these percentiles in µs, as ``summarise_histograms`` defines them; none if the histogram is empty. Raises
    BadHistogram."""
    histogram = _decode(encoded)
    return _percentiles(histogram, list(_buckets(histogram)), percents) if histogram.get_total_count() else ()


def _percentiles(
    histogram: Any, buckets: Sequence[tuple[int, int, int]], percents: Iterable[float]
) -> tuple[float, ...]:
    ends = list(accumulate(count for _low, _high, count in buckets))
    # The library's own search reads the table from its start for each percentile.
    targets = map(histogram.get_target_count_at_percentile, percents)
    return tuple(buckets[bisect_left(ends, target)][1] / 1000 for target in targets)


def _buckets(histogram: Any) -> Iterator[tuple[int, int, int]]:
    """Yields the lowest time in ns, the highest time in ns and the count of each non-empty bucket, ascending."""
    # Read from its table, up to the last one in use: the library's iterator takes ten times as long.
    end = histogram.get_counts_array_index(histogram.max_value) + 1
    for place, count in enumerate(histogram.counts[:end]):
        if count:
            low = histogram.get_value_from_index(place)
            yield low, histogram.get_highest_equivalent_value(low), count


def recorded_counts(encoded: bytes) -> tuple[tuple[float, int], ...]:
    """Returns a pair for each non-empty bucket, ascending: the highest time of the bucket in µs, and the number of
    requests in the bucket. Raises BadHistogram if ``encoded`` cannot be decoded."""
    return tuple((high / 1000, count) for _low, high, count in _buckets(_decode(encoded)))


def cumulative_shares(encoded: bytes, points: int = 200) -> Sequence[tuple[float, float]]:
    """Returns the points of a curve, ascending: pairs of a time in µs and the share of requests that took at most that
    long. Returns at most ``points``, including the first and the last; none if the histogram is empty. Raises
    BadHistogram."""
    histogram = _decode(encoded)
    total = histogram.get_total_count()
    if not total:
        return ()
    curve: list[tuple[float, float]] = []
    seen = 0
    for _low, high, count in _buckets(histogram):
        seen += count
        curve.append((high / 1000, seen / total))
    if len(curve) <= points:
        return tuple(curve)
    step = (len(curve) - 1) / (points - 1)
    return tuple(curve[round(number * step)] for number in range(points))
