"""dashboard.bench.measurements.watchers."""

from __future__ import annotations

import pytest

from dashboard.bench.measurements.history import fill
from dashboard.bench.measurements.watchers import medians, newest_block, pairs_of
from dashboard.models import MeasurementBlock, MeasurementRun


@pytest.mark.django_db
def test_a_window_contains_only_its_own_blocks_of_the_run_that_were_measured() -> None:
    fill(2, 4)
    run, other = (str(pk) for pk in MeasurementRun.objects.order_by("pk").values_list("pk", flat=True))
    blocks = list(MeasurementBlock.objects.filter(series__run_id=run, series__path="loopback").order_by("id"))
    for block, (p50, error, n) in zip(
        blocks, ((10.0, "", 9), (30.0, "", 9), (99.0, "reset", 9), (98.0, "", 0)), strict=True
    ):
        MeasurementBlock.objects.filter(pk=block.pk).update(p50_us=p50, error=error, n=n)
    everything = (0, newest_block(run))
    assert medians(run, everything)["loopback"] == 20.0
    assert set(medians(run, everything)) == {"loopback", "bridge-address", "published-dnat", "published-proxy"}
    assert medians(run, (blocks[0].pk, blocks[1].pk)) == {"loopback": 30.0}
    assert newest_block(other) != newest_block(run)
    assert newest_block("unknown") == 0


def test_only_turns_with_both_windows_are_paired() -> None:
    turns = [({"a": 1.0, "b": 2.0}, {"a": 3.0}), ({"a": 4.0}, {"a": 5.0, "b": 6.0})]
    assert pairs_of(turns) == {"a": [(1.0, 3.0), (4.0, 5.0)]}
