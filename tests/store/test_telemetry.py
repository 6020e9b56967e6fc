"""Histograms and counters of a lab."""

from __future__ import annotations

from dashboard.store.telemetry import Histogram, Telemetry


def test_a_value_counts_in_the_first_bucket_with_a_bound_not_below_it() -> None:
    histogram = Histogram((0.1, 1.0))
    for value in (0.1, 0.100001, 1.0, 7.0, -3.0):
        histogram.add(value)
    found = histogram.now()
    assert found.counts == (2, 2, 1)
    assert abs(found.total - 8.200001) < 1e-9


def test_launches_are_counted_by_mode_and_outcome() -> None:
    telemetry = Telemetry()
    telemetry.record_launch("host", "running", 0.2)
    telemetry.record_launch("host", "running", 0.3)
    telemetry.record_launch("host", "refused", 0.1)
    telemetry.claims["holds"] += 1
    found = telemetry.metrics()
    assert [(one.mode, one.outcome, sum(one.seconds.counts)) for one in found.launches] == [
        ("host", "refused", 1),
        ("host", "running", 2),
    ]
    assert found.claims == (("holds", 1),)
