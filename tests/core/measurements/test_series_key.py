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
