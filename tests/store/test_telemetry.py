"""Counting by hand: what is in which bucket."""

from __future__ import annotations

from dashboard.store.telemetry import Buckets, Telemetry


def test_a_value_is_counted_in_the_first_bucket_that_holds_it() -> None:
    buckets = Buckets((0.1, 1.0))
    for value in (0.1, 0.100001, 1.0, 7.0, -3.0):
        buckets.add(value)
    found = buckets.now()
    assert (found.counts, found.count) == ((2, 2, 1), 5)
    assert abs(found.total - 8.200001) < 1e-9


def test_launches_are_told_apart_by_mode_and_outcome() -> None:
    telemetry = Telemetry()
    telemetry.launched("host", "running", 0.2)
    telemetry.launched("host", "running", 0.3)
    telemetry.launched("host", "refused", 0.1)
    telemetry.claims["holds"] += 1
    found = telemetry.figures()
    assert [(one.mode, one.outcome, one.seconds.count) for one in found.launches] == [
        ("host", "refused", 1),
        ("host", "running", 2),
    ]
    assert found.claims == (("holds", 1),)
