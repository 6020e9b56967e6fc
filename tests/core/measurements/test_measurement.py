"""dashboard.core.measurements.measurement."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.experiments.messages import encode
from dashboard.core.measurements.measurement import (
    ANSWERED_BY_US,
    Block,
    ComparisonResult,
    Environment,
    Measurement,
    Options,
    Probe,
    SeriesResult,
    check_options,
    check_series,
    no_path_sentence,
)


@pytest.mark.parametrize(
    ("options", "probe", "words"),
    [
        (Options(seconds=0), Probe.TCP_RR, "not 0."),
        (Options(seconds=86_400), Probe.TCP_RR, "The time limit must be 0.5 to 3600 seconds, not 86400."),
        (Options(seconds=math.nan), Probe.TCP_RR, "not nan"),
        (Options(payload_bytes=-1), Probe.TCP_RR, "1 to 1048576 bytes, not -1"),
        (Options(payload_bytes=2_000_000), Probe.TCP_RR, "not 2000000"),
        (Options(payload_bytes=65_508), Probe.UDP_RR, "A datagram carries at most 65507 bytes"),
        (Options(rate=0), Probe.TCP_RR, "The rate must be 1 to 100,000 requests per second, not 0."),
        (Options(rate=1e9), Probe.TCP_RR, "not 1e+09"),
        (Options(rate=math.nan), Probe.TCP_RR, "The rate must be"),
        (Options(rate=100), Probe.TCP_STREAM, "Omit the rate or tcp-stream"),
        (Options(under_load=True), Probe.HTTP, "not for http"),
        (Options(under_load=True), Probe.TCP_STREAM, "not for tcp-stream"),
        (Options(width_us=0), Probe.TCP_RR, "The interval width must be a positive number"),
        (Options(same_within_us=-1), Probe.TCP_RR, "The margin must be"),
        (Options(timeout_s=0), Probe.TCP_RR, "The timeout must be"),
    ],
)
def test_an_invalid_option_is_explained_in_a_sentence(options: Options, probe: Probe, words: str) -> None:
    said = check_options(options, [probe])
    assert any(words in one for one in said)
    assert all(one.endswith(".") for one in said)


@pytest.mark.parametrize("probe", Probe)
def test_the_defaults_suit_every_probe(probe: Probe) -> None:
    assert check_options(Options(), [probe]) == ()
    assert Options().payload_of(probe) > 0


def test_a_run_with_too_many_series_is_refused_with_a_remedy() -> None:
    assert check_series(256) == ""
    assert check_series(257) == (
        "The run would have 257 series; the limit is 256. Measure fewer probes at once, or launch fewer arms."
    )


@pytest.mark.parametrize(
    ("reasons", "why"),
    [
        ([], "no arm runs"),
        (["a has loopback only", "a has loopback only"], "a has loopback only"),
        (["1", "2", "3", "4"], "1; 2; 3"),
    ],
)
def test_without_a_path_the_sentence_has_the_reason_and_the_remedy(reasons: list[str], why: str) -> None:
    said = no_path_sentence(reasons)
    assert said == f"There is no path to measure: {why}. Add an arm in host or bridge mode."


def test_if_nothing_is_visible_no_other_arm_is_suggested() -> None:
    said = no_path_sentence(["not visible: the engine is reached over SSH"], "the engine is reached over SSH")
    assert said == (
        "Nothing can be measured from here: the engine is reached over SSH. Run Netmodes on the engine's machine."
    )


numbers = st.floats() | st.integers(-(10**12), 10**12)


@given(
    st.builds(
        Options,
        seconds=numbers,
        payload_bytes=st.integers(),
        rate=st.none() | numbers,
        under_load=st.booleans(),
        width_us=st.none() | numbers,
        same_within_us=st.none() | numbers,
        timeout_s=numbers,
    ),
    st.sets(st.sampled_from(Probe)),
)
def test_any_numbers_get_an_answer(options: Options, probes: set[Probe]) -> None:
    assert all(isinstance(one, str) for one in check_options(options, list(probes)))


def test_a_failed_or_empty_block_does_not_count() -> None:
    assert Block("a", 0, 0.0, 0.1, n=5).counts
    assert not Block("a", 0, 0.0, 0.1, n=5, error="It was reset.").counts
    assert not Block("a", 0, 0.0, 0.1).counts


def test_the_shape_that_leaves_the_program_has_the_fields_of_its_contract() -> None:
    series = SeriesResult("bridge", "published-dnat", Probe.TCP_RR, 1, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    comparison = ComparisonResult("a", "b", Probe.TCP_RR, 1.5, (1.0, 2.0), "slower", "because")
    told = msgspec.json.decode(encode(Measurement(Environment(), (series,), (comparison,))))
    assert told["schema"] == "measurement/1"
    assert {"schema", "environment", "series", "comparisons"} <= told.keys()
    wanted = {"column", "path", "probe", "n", "p50_us", "p90_us", "p99_us", "p999_us", "max_us", "mean_us"}
    assert wanted <= told["series"][0].keys()
    assert {"baseline", "other", "probe", "delta_us", "ci95_us", "verdict", "reason"} <= told["comparisons"][0].keys()
    assert told["comparisons"][0]["ci95_us"] == [1.0, 2.0]
    assert msgspec.json.schema(Measurement)


def test_dns_and_http_are_not_answered_by_the_responder() -> None:
    assert set(Probe) - ANSWERED_BY_US == {Probe.DNS, Probe.HTTP}


@pytest.mark.parametrize(
    ("least", "most", "probe"),
    [
        (Options(seconds=0.5), Options(seconds=3600), Probe.TCP_RR),
        (Options(payload_bytes=0), Options(payload_bytes=1_048_576), Probe.TCP_RR),
        (Options(payload_bytes=1), Options(payload_bytes=65_507), Probe.UDP_RR),
        (Options(rate=1), Options(rate=100_000), Probe.TCP_RR),
        (Options(timeout_s=0.05), Options(timeout_s=30), Probe.TCP_RR),
        (Options(width_us=1e-9), Options(same_within_us=1e-9), Probe.TCP_RR),
        (Options(under_load=True), Options(under_load=True), Probe.TCP_CRR),
    ],
)
def test_options_at_their_limits_are_allowed(least: Options, most: Options, probe: Probe) -> None:
    assert check_options(least, [probe]) == ()
    assert check_options(most, [probe]) == ()


@pytest.mark.parametrize("value", [math.inf, math.nan, -1.0])
def test_an_interval_or_a_margin_is_finite_and_positive(value: float) -> None:
    assert len(check_options(Options(width_us=value, same_within_us=value), [Probe.TCP_RR])) == 2


def test_a_large_payload_is_refused_for_datagrams_alone() -> None:
    assert check_options(Options(payload_bytes=65_508), [Probe.TCP_RR]) == ()
    assert len(check_options(Options(payload_bytes=65_508), [Probe.TCP_RR, Probe.UDP_RR])) == 1


@pytest.mark.parametrize(("probe", "size"), [(Probe.TCP_STREAM, 65_536), (Probe.TCP_RR, 64), (Probe.DNS, 64)])
def test_a_payload_that_is_not_given_depends_on_the_probe(probe: Probe, size: int) -> None:
    assert Options().payload_of(probe) == size
    assert Options(payload_bytes=7).payload_of(probe) == 7


def test_http_and_probes_of_the_responder_are_measured_separately() -> None:
    (sentence,) = check_options(Options(), [Probe.TCP_RR, Probe.HTTP])
    assert sentence.endswith("by a responder of Netmodes: measure them separately.")
    assert check_options(Options(), [Probe.HTTP, Probe.DNS]) == ()
    assert check_options(Options(), sorted(ANSWERED_BY_US | {Probe.DNS})) == ()


def test_probes_that_cannot_run_under_load_are_named_in_order() -> None:
    (sentence,) = check_options(Options(under_load=True), [Probe.TCP_STREAM, Probe.TCP_RR, Probe.DNS])
    assert sentence.endswith("not for dns, tcp-stream.")
