"""dashboard.bench.environment."""

from __future__ import annotations

import platform

import pytest

from dashboard.bench.environment import processor, say_load


@pytest.mark.parametrize(
    ("cpuinfo", "expected"),
    [
        ("processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC 7763\nprocessor\t: 1\n", "AMD EPYC 7763"),
        ("BogoMIPS\t: 108.00\nHardware\t: BCM2835\n", "BCM2835"),
        ("", platform.machine()),
    ],
)
def test_the_processor_is_named_as_the_kernel_names_it(cpuinfo: str, expected: str) -> None:
    assert processor(cpuinfo) == expected


def test_the_load_has_three_averages() -> None:
    assert len([float(one) for one in say_load().split()]) == 3
