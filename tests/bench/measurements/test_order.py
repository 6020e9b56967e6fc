"""dashboard.bench.measurements.order."""

from __future__ import annotations

import math

import pytest

from dashboard.bench.measurements.order import steps_of
from dashboard.bench.measurements.testbed import KINDS
from tests.bench.measurements.blocks import make_blocks


def test_steps_are_paired_from_each_path_to_the_next() -> None:
    blocks = {kind: make_blocks(kind, [us] * 12) for kind, us in zip(KINDS, (10.0, 11.5, 13.0, 40.0), strict=True)}
    assert steps_of(blocks) == pytest.approx((1.5, 1.5, 27.0))
    blocks[KINDS[1]] = []
    assert [math.isnan(step) for step in steps_of(blocks)] == [True, True, False]
