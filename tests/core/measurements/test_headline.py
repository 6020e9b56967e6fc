"""dashboard.core.measurements.headline."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.core.measurements.headline import Headline, describe_options, write_headline
from dashboard.core.measurements.measurement import (
    ComparisonResult,
    Environment,
    Measurement,
    Options,
    Probe,
    SeriesResult,
    Stop,
)

Interval = tuple[float, float]


def make_series(label: str, n: int = 1000, probe: Probe = Probe.TCP_RR) -> SeriesResult:
    column, path = label.split("/")
    return SeriesResult(column, path, probe, n, 20.0, 25.0, 40.0, 90.0, 200.0, 21.0, key=f"{label}/{probe}")


def make_comparison(
    baseline: str, other: str, ends: Interval | None, verdict: str = "", cause: str = "", probe: Probe = Probe.TCP_RR
) -> ComparisonResult:
    """A comparison; its verdict follows from the ends unless it is given."""
    if ends is not None and not verdict:
        verdict = "slower" if ends[0] > 0 else "faster" if ends[1] < 0 else "inconclusive"
    middle = None if ends is None else sum(ends) / 2
    return ComparisonResult(
        f"{baseline}/{probe}", f"{other}/{probe}", probe, middle, ends, verdict or "inconclusive", "", cause=cause
    )


def make_measurement(
    baseline: str, others: dict[str, Interval | None], stopped: Stop | None = Stop.TIME, **verdicts: str
) -> Measurement:
    """A measurement. ``others`` maps the labels of compared paths to intervals, ``verdicts`` columns to verdicts."""
    found = [
        make_comparison(baseline, label, ends, verdicts.get(label.split("/", maxsplit=1)[0], ""))
        for label, ends in others.items()
    ]
    series = tuple(make_series(label) for label in (baseline, *others))
    return Measurement(Environment(), series, tuple(found), stopped=stopped)


LOOPBACK, ADDRESS, DNAT, PROXY = (
    "host/loopback",
    "bridge/bridge-address",
    "bridge/published-dnat",
    "bridge/published-proxy",
)


@pytest.mark.parametrize(
    ("options", "probe", "expected"),
    [
        (Options(), Probe.TCP_RR, "tcp-rr, 64 B, quiet conditions"),
        (Options(), Probe.TCP_STREAM, "tcp-stream, 65536 B, quiet conditions"),
        (Options(lookup_name="web"), Probe.DNS, "dns, web, quiet conditions"),
        (Options(payload_bytes=9, rate=0.5, under_load=True), Probe.HTTP, "http, RATE, LOAD, quiet conditions"),
    ],
)
def test_a_description_names_what_was_set_and_what_the_probe_has(options: Options, probe: Probe, expected: str) -> None:
    measurement = replace(make_measurement(LOOPBACK, {}), options=options)
    rate = "0.5 requests per second, timed from their scheduled starts"
    load = "while a stream saturates the same path"
    assert describe_options(measurement, probe) == expected.replace("RATE", rate).replace("LOAD", load)


def test_a_description_is_translated_by_the_function_that_a_page_passes() -> None:
    measurement = make_measurement(LOOPBACK, {ADDRESS: (1.4, 1.6)})
    paired = replace(measurement, comparisons=(replace(measurement.comparisons[0], rounds=60),))
    expected = "tcp-rr, 64 B, QUIET CONDITIONS, 60 PAIRED BLOCKS, 95 % INTERVALS"
    assert (
        describe_options(paired, Probe.TCP_RR, lambda text: text.upper().replace("%(COUNT)D", "%(count)d")) == expected
    )


def test_docker_proxy_is_named_if_its_lowest_cost_is_more_than_twice_the_highest_cost_of_the_bridge() -> None:
    found = write_headline(make_measurement(LOOPBACK, {ADDRESS: (1.4, 1.6), DNAT: (2.9, 3.3), PROXY: (29.5, 30.2)}))
    assert found == Headline(
        "docker-proxy is the cost, not the bridge.",
        "docker-proxy adds at least 29.5 µs to the median, the path over the bridge without it at most 3.30 µs.",
        decided=True,
    )


@pytest.mark.parametrize(
    "others",
    [
        {ADDRESS: (1.4, 15.0), PROXY: (29.5, 30.2)},
        {ADDRESS: (1.4, 1.6), PROXY: (-1.0, 30.0)},
        {ADDRESS: (1.4, 1.6), PROXY: (29.5, 30.2), "user-bridge/published-proxy": (-5.0, 40.0)},
        {PROXY: (29.5, 30.2)},
    ],
    ids=["the bridge may cost half of it", "the proxy is not proven", "one proxy of two is not", "no way without it"],
)
def test_docker_proxy_is_not_named_if_the_intervals_overlap(others: dict[str, Interval | None]) -> None:
    assert "docker-proxy is the cost" not in write_headline(make_measurement(LOOPBACK, others)).sentence


def test_without_host_mode_docker_proxy_is_compared_with_the_container_s_own_address() -> None:
    found = write_headline(make_measurement(ADDRESS, {DNAT: (1.0, 2.0), PROXY: (29.5, 30.2)}))
    assert found.sentence == "docker-proxy is the cost, not DNAT."
    assert "at most 2.00 µs" in found.evidence
    alone = write_headline(make_measurement(ADDRESS, {PROXY: (29.5, 30.2)}))
    assert alone.sentence == "docker-proxy is the cost."


def test_a_bridge_that_is_compared_with_loopback_has_a_cost() -> None:
    found = write_headline(make_measurement(LOOPBACK, {ADDRESS: (1.4, 1.6), "user-bridge/bridge-address": (1.2, 1.9)}))
    assert found == Headline("The bridge costs 1.20 to 1.90 µs at the median.", "Every interval lies above zero.", True)
    outside: dict[str, Interval | None] = {"host/lan-address": (3.0, 4.0), "bridge/hairpin": (-1.0, 9.0)}
    assert write_headline(make_measurement(LOOPBACK, {ADDRESS: (1.2, 1.9), **outside})) == found


def test_no_difference_is_a_result_with_its_limit() -> None:
    found = write_headline(make_measurement(LOOPBACK, {"a/x": (-0.1, 0.1), "b/x": (-0.2, 0.05)}, a="same", b="same"))
    assert found == Headline("No path differs from 127.0.0.1 → host by more than 0.20 µs.", "95 % intervals.", True)


def test_the_limit_of_no_difference_contains_every_interval() -> None:
    found = write_headline(make_measurement(LOOPBACK, {"a/x": (-0.036, 0.001)}, a="same"))
    assert found.sentence == "x does not differ from 127.0.0.1 → host by more than 0.04 µs."
    found = write_headline(make_measurement(LOOPBACK, {"a/x": (-0.107, 0.02)}, a="same"))
    assert found.sentence.endswith(" by more than 0.11 µs.")


def test_inconclusive_blocks_are_reported_as_such() -> None:
    found = write_headline(make_measurement(LOOPBACK, {ADDRESS: (-1.0, 3.0)}))
    assert found == Headline("This measurement cannot tell the two paths apart.")
    more = write_headline(make_measurement(LOOPBACK, {ADDRESS: (-1.0, 3.0), DNAT: (-2.0, 4.0)}))
    assert more.sentence == "This measurement cannot tell these paths apart."


def test_one_difference_is_described_with_its_interval_and_cause() -> None:
    measurement = Measurement(
        Environment(),
        (make_series("a/macvlan"), make_series("b/macvlan")),
        (make_comparison("a/macvlan", "b/macvlan", (-3.0, -2.0), cause="each packet crosses less"),),
        stopped=Stop.TIME,
    )
    expected = Headline("macvlan, b is faster than macvlan, a by 2.00 to 3.00 µs.", "Each packet crosses less.", True)
    assert write_headline(measurement) == expected
    assert write_headline(make_measurement("a/x", {"b/x": (1.0, 2.0)})).evidence == ""


def test_several_differences_are_counted_and_the_slowest_is_named_only_if_it_is_distinct() -> None:
    apart = write_headline(make_measurement("a/x", {"b/x": (1.0, 2.0), "c/x": (5.0, 6.0), "d/x": (-1.0, 1.0)}))
    assert apart.sentence == "Of 3 paths against x, a: 2 slower, 1 inconclusive."
    assert apart.evidence == "The slowest is x, c, by 5.00 to 6.00 µs."
    overlapping = write_headline(make_measurement("a/x", {"b/x": (1.0, 5.5), "c/x": (5.0, 6.0)}))
    assert overlapping.evidence == ""


def test_without_figures_nothing_is_claimed() -> None:
    assert write_headline(Measurement(Environment(), (), ())) == Headline("Nothing has been measured yet.")
    failed = Measurement(Environment(), (make_series(LOOPBACK, 0),), (), stopped=Stop.FAILED)
    assert write_headline(failed).sentence == "Nothing could be measured."
    alone = Measurement(Environment(), (make_series(LOOPBACK),), (), stopped=Stop.TIME)
    assert write_headline(alone).sentence.startswith("Only 127.0.0.1 → host was measured")
    few = write_headline(make_measurement(LOOPBACK, {ADDRESS: None}, None))
    assert few == Headline("Too few blocks: an interval needs ten pairs.")


def test_the_first_of_several_probes_that_proves_something_gives_the_headline() -> None:
    slow = make_comparison("a/x", "b/x", (1.0, 2.0), probe=Probe.UDP_RR)
    open_one = make_comparison("a/x", "b/x", (-1.0, 2.0))
    series = [make_series(label, probe=probe) for probe in (Probe.TCP_RR, Probe.UDP_RR) for label in ("a/x", "b/x")]
    measurement = Measurement(Environment(), tuple(series), (open_one, slow), stopped=Stop.TIME)
    assert write_headline(measurement).sentence == "x, b is slower than x, a by 1.00 to 2.00 µs."
    assert not write_headline(measurement, Probe.TCP_RR).decided


@pytest.mark.parametrize(
    ("baseline", "others", "named"),
    [
        (LOOPBACK, {ADDRESS: (1.0, 2.0), PROXY: (4.1, 5.0)}, True),
        (LOOPBACK, {ADDRESS: (1.0, 2.0), PROXY: (4.0, 5.0)}, False),
        (LOOPBACK, {DNAT: (1.0, 2.0), PROXY: (9.0, 9.5)}, False),
        (ADDRESS, {PROXY: (0.1, 9.5)}, True),
        (DNAT, {PROXY: (9.0, 9.5)}, True),
        (DNAT, {ADDRESS: (-3.0, -2.0), PROXY: (9.0, 9.5)}, True),
        (ADDRESS, {DNAT: (-3.0, -2.0), PROXY: (9.0, 9.5)}, True),
    ],
)
def test_docker_proxy_is_the_cost_only_if_both_ends_of_the_intervals_prove_it(
    baseline: str, others: dict[str, Interval | None], named: bool
) -> None:
    found = write_headline(make_measurement(baseline, others))
    assert ("docker-proxy is the cost" in found.sentence) is named
    assert found.decided


def test_the_bridge_has_a_cost_only_if_every_path_to_it_is_slower() -> None:
    for label, ends in (("user-bridge/bridge-address", (-0.1, 1.9)), (DNAT, (1.2, 1.9))):
        others: dict[str, Interval | None] = {ADDRESS: (1.4, 1.6), label: ends}
        assert "bridge costs" not in write_headline(make_measurement(LOOPBACK, others)).sentence
    assert "bridge costs" not in write_headline(make_measurement(DNAT, {ADDRESS: (1.4, 1.6)})).sentence
    ipv6: dict[str, Interval | None] = {"host/loopback-ipv6": (-0.1, 0.1), "bridge/bridge-address-ipv6": (1.0, 2.0)}
    assert "bridge costs 1.00 to 2.00" in write_headline(make_measurement(LOOPBACK, ipv6)).sentence


def test_one_path_that_does_not_differ_is_named() -> None:
    found = write_headline(make_measurement(LOOPBACK, {"a/x": (-0.3, 0.1)}, a="same"))
    assert found.sentence.startswith("x does not differ from 127.0.0.1 → host")
    assert "0.30 µs" in found.sentence
    assert found.decided


def test_the_slowest_path_is_named_only_if_no_other_interval_reaches_it() -> None:
    def evidence(**others: Interval) -> str:
        return write_headline(make_measurement("a/x", {f"{name}/x": ends for name, ends in others.items()})).evidence

    assert "x, c" in evidence(b=(1.0, 4.9), c=(5.0, 6.0))
    assert evidence(b=(1.0, 5.0), c=(5.0, 6.0)) == ""
    assert evidence(b=(-4.0, -3.0), c=(-2.0, -1.0)) == "", "none is slower"


def test_paths_are_counted_by_their_verdict() -> None:
    others: dict[str, Interval | None] = {
        "b/x": (1.0, 2.0),
        "c/x": (-5.0, -4.0),
        "d/x": (-0.1, 0.1),
        "e/x": (-1.0, 1.0),
    }
    sentence = write_headline(make_measurement("a/x", others, d="same")).sentence
    assert sentence.startswith("Of 4 paths against x, a: 1 slower, 1 faster, 1 same, 1 ")
    decided = write_headline(make_measurement("a/x", {"b/x": (1.0, 2.0), "c/x": (-5.0, -4.0)})).sentence
    assert decided == "Of 2 paths against x, a: 1 slower, 1 faster."


def test_comparisons_with_a_series_without_figures_are_left_out() -> None:
    measurement = make_measurement("a/x", {"b/x": (1.0, 2.0), "c/x": (5.0, 6.0)})
    empty = replace(
        measurement, series=tuple(replace(one, n=0 if one.column == "c" else 9) for one in measurement.series)
    )
    assert "x, b is slower than x, a" in write_headline(empty).sentence
    lost = replace(
        measurement, series=tuple(replace(one, n=0 if one.column == "a" else 9) for one in measurement.series)
    )
    assert not write_headline(lost).decided


@pytest.mark.parametrize(("stopped", "reason"), [(Stop.FAILED, ""), (None, "It was cancelled.")])
def test_a_run_that_is_over_is_not_awaited(stopped: Stop | None, reason: str) -> None:
    over = Measurement(Environment(), (), (), stopped=stopped, stop_reason=reason)
    assert write_headline(over) != write_headline(Measurement(Environment(), (), ()))
