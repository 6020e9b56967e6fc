"""dashboard.core.reports.figures."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from dashboard.core.measurements.measurement import Environment
from dashboard.core.reports.figures import decode_figures, series_by_signature
from dashboard.core.reports.model import canonical
from tests.core.report_builders import ENGINE, ENVIRONMENT, make_content, make_experiment, make_run

RUN = make_run(("host", "bridge"), count=10)


def test_figures_equal_those_of_the_report() -> None:
    content = make_content(measurements=(RUN,))
    figures = decode_figures(canonical(content))
    assert figures.measurements[0].measurement == RUN.measurement
    assert [(one.series, one.round, one.center_us, one.counts) for one in figures.measurements[0].blocks] == [
        (one.series, one.round, one.center_us, one.counts) for one in RUN.blocks
    ]
    assert figures.report_environment.environment == ENVIRONMENT
    assert figures.report_environment.engine == ENGINE
    assert figures.modes == {"host": "host", "bridge": "bridge", "none": "none"}


def test_series_are_found_by_their_signature() -> None:
    found = series_by_signature(decode_figures(canonical(make_content(measurements=(RUN,)))))
    one = found["bridge published-proxy tcp-rr 64B closed idle"]
    assert (one.label, one.mode, len(one.blocks)) == ("bridge/published-proxy tcp-rr", "bridge", 10)


def test_columns_of_one_mode_are_distinguished() -> None:
    twins = tuple(replace(one, path=replace(one.path, server="bridge-2"), key=f"2{one.key}") for one in RUN.series)
    blocks = tuple(replace(one, series=f"2{one.series}") for one in RUN.blocks)
    run = replace(RUN, series=(*RUN.series, *twins), blocks=(*RUN.blocks, *blocks))
    found = series_by_signature(decode_figures(canonical(make_content(measurements=(run,), experiment=None))))
    assert "bridge published-proxy tcp-rr 64B closed idle (bridge-2)" in found
    assert "bridge published-proxy tcp-rr 64B closed idle (bridge)" in found


def test_the_last_run_counts_and_a_series_that_failed_does_not() -> None:
    later = make_run(("host", "bridge"), count=10, shift_us=5.0)
    failed = tuple(replace(one, error="Refused.") if one.series.startswith("host/") else one for one in later.blocks)
    found = series_by_signature(
        decode_figures(canonical(make_content(measurements=(RUN, replace(later, blocks=failed)))))
    )
    assert found["bridge published-proxy tcp-rr 64B closed idle"].blocks[0].center_us > 50
    assert found["host loopback tcp-rr 64B closed idle"].blocks[0].center_us < 25, "that of the first run"


def test_the_environment_of_the_measurement_is_used_if_the_report_has_none() -> None:
    content = make_content(measurements=(RUN,), environment=Environment())
    assert decode_figures(canonical(content)).report_environment.environment == ENVIRONMENT


def test_content_that_is_not_a_report_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        decode_figures(b'{"title": 1}')
    assert decode_figures(canonical(make_content(experiment=make_experiment()))).title == "Host or bridge"
