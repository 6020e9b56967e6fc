"""dashboard.bench.environment."""

from __future__ import annotations

import platform

import pytest

from dashboard.bench.environment import format_load, parse_processor


@pytest.mark.parametrize(
    ("cpuinfo", "expected"),
    [
        ("processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC 7763\nprocessor\t: 1\n", "AMD EPYC 7763"),
        ("BogoMIPS\t: 108.00\nHardware\t: BCM2835\n", "BCM2835"),
        ("", platform.machine()),
    ],
)
def test_the_processor_has_the_name_that_the_kernel_gives_it(cpuinfo: str, expected: str) -> None:
    assert parse_processor(cpuinfo) == expected


def test_the_load_has_three_averages() -> None:
    assert len([float(average) for average in format_load().split()]) == 3
