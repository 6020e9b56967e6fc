"""Blocks of a measurement with given medians."""

from __future__ import annotations

from dashboard.core.measurements.measurement import Block


def make_blocks(key: str, medians: list[float]) -> list[Block]:
    return [
        Block(key, number, 0.0, 0.1, n=500, center_us=us, p50_us=us, p99_us=us) for number, us in enumerate(medians)
    ]
