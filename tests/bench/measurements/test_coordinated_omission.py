"""dashboard.bench.measurements.coordinated_omission."""

from __future__ import annotations

import pytest

from dashboard.bench.measurements.coordinated_omission import distance, percentiles


def test_percentiles_are_interpolated_and_their_distance_is_that_of_the_tail() -> None:
    found = percentiles([float(number) for number in range(1001)])
    assert found == {"p50_us": 500.0, "p90_us": 900.0, "p99_us": 990.0, "p999_us": 999.0}
    assert distance(found | {"p99_us": 999.9}, found) == pytest.approx(1.0)
    assert distance(found | {"p50_us": 1.0}, found) == 0.0
