"""Series of different runs match only if they were measured in the same way."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.core.measurements.conditions import Conditions
from dashboard.core.measurements.measurement import Options, Probe
from dashboard.core.measurements.schedule import Series
from dashboard.core.measurements.series_key import series_signature
from dashboard.core.namespaces.state import Family
from dashboard.core.paths.model import Path, PathKind

ONE = Series("web/published-dnat", Path(PathKind.PUBLISHED_DNAT, "", "machine", "web"), Probe.TCP_RR)
MODES = {"web": "bridge"}


def test_a_signature_consists_of_words() -> None:
    assert series_signature(ONE, MODES, Options()) == "bridge published-dnat tcp-rr 64B closed idle"
    options = Options(rate=50.0, under_load=True, payload_bytes=1024)
    assert series_signature(ONE, {}, options) == "web published-dnat tcp-rr 1024B 50/s loaded"
    ordinary = Options(conditions=Conditions.ORDINARY)
    assert series_signature(ONE, MODES, ordinary) == "bridge published-dnat tcp-rr 64B closed idle ordinary"


@pytest.mark.parametrize(
    "options",
    [
        Options(payload_bytes=1024),
        Options(rate=50.0),
        Options(under_load=True),
        Options(conditions=Conditions.ORDINARY),
    ],
    ids=["payload", "rate", "load", "conditions"],
)
def test_other_options_make_another_series(options: Options) -> None:
    assert series_signature(ONE, MODES, options) != series_signature(ONE, MODES, Options())


def test_another_looked_up_name_makes_another_series_of_dns_only() -> None:
    resolver = Series("web/resolver", Path(PathKind.RESOLVER, "", "web", "web"), Probe.DNS)
    assert series_signature(resolver, MODES, Options()) == "bridge resolver dns 64B closed idle"
    other = Options(lookup_name="www.example.com")
    assert series_signature(resolver, MODES, other) == "bridge resolver dns www.example.com 64B closed idle"
    assert series_signature(ONE, MODES, other) == series_signature(ONE, MODES, Options())
    same = Options(lookup_name="WWW.example.com.")
    assert series_signature(resolver, MODES, same) == series_signature(resolver, MODES, other)


def test_the_longest_names_make_different_signatures_that_fit_into_the_database() -> None:
    resolver = Series("web/resolver", Path(PathKind.RESOLVER, "", "web", "web"), Probe.DNS)
    names = [f"{first}{'.abcdefghi' * 25}" for first in "ab"]
    found = {series_signature(resolver, MODES, Options(lookup_name=name, rate=99_999.0)) for name in names}
    assert len(found) == 2
    assert max(map(len, found)) <= 200


def test_mode_path_and_probe_are_part_of_a_signature_and_title_and_length_are_not() -> None:
    said = series_signature(ONE, MODES, Options())
    six = replace(ONE, path=replace(ONE.path, family=Family.INET6))
    others = [
        series_signature(six, MODES, Options()),
        series_signature(replace(ONE, probe=Probe.UDP_RR), MODES, Options()),
    ]
    others.append(series_signature(ONE, {"web": "host"}, Options()))
    assert said not in others
    named = replace(ONE, path=replace(ONE.path, title="another title"))
    assert series_signature(named, MODES, Options(seconds=60.0)) == said
