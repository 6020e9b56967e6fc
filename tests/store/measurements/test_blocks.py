"""Blocks of measurements in the database."""

from __future__ import annotations

import pytest

from dashboard.core.measurements.histogram import encode_times
from dashboard.store.measurements import blocks as block_store
from tests.store.measurements.sample import LOOPBACK, PROXY, begun, block, measured

pytestmark = pytest.mark.django_db


def test_acknowledged_blocks_are_loaded_unchanged() -> None:
    run = begun()
    sent = block("host/loopback", 0, 10.0)
    block_store.add_block(run, sent)
    series, blocks = block_store.load_blocks(run)
    assert series == (LOOPBACK, PROXY)
    assert blocks == {"host/loopback": [sent]}


def test_a_block_that_is_stored_twice_is_kept_once() -> None:
    """A call is repeated if the connection was lost before the server confirmed it."""
    run = begun()
    sent = block("host/loopback", 0, 10.0)
    for _ in range(2):
        block_store.add_block(run, sent)
    assert block_store.load_blocks(run)[1] == {"host/loopback": [sent]}


def test_blocks_for_a_chart_come_without_histograms_and_only_the_new_ones() -> None:
    run = measured(2)
    first, newest = block_store.light_blocks(run)
    assert len(first) == 4
    assert "histogram" not in first[0]
    assert block_store.light_blocks(run, newest) == ((), newest)
    block_store.add_block(run, block("host/loopback", 9, 11.0))
    new, _ = block_store.light_blocks(run, newest)
    assert [one["round"] for one in new] == [9]


def test_ten_million_samples_take_little_room() -> None:
    """The size of a block's histogram depends on the spread of its times, not on their number."""
    size = [len(encode_times([10_000 + (i * 7919) % 40_000 for i in range(n)])) for n in (20_000, 100_000)]
    assert size[1] < 16_384
    assert size[1] < 2 * size[0]
