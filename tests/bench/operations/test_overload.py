"""The figures of the overload: the p99 of deliveries, memory, and the slowest /healthz of each attack."""

from __future__ import annotations

from dashboard.bench.operations.overload import figures_of
from dashboard.bench.statistics import Verdict


def test_each_attack_has_its_slowest_healthz() -> None:
    delivery, memory, calm, attacked = figures_of([20.0] * 50, 2.0, {"calm": [0.01, 0.02], "attacked": [0.01, 1.5]})
    assert (delivery.value, delivery.verdict) == (20.0, Verdict.KEPT)
    assert (memory.value, memory.verdict) == (2.0, Verdict.KEPT)
    assert (calm.name, calm.value, calm.verdict) == ("/healthz: calm", 0.02, Verdict.KEPT)
    assert attacked.value == 1.5
    assert attacked.verdict in {Verdict.BROKEN, Verdict.BROKEN_BARELY}


def test_slow_deliveries_and_much_memory_break_the_promise() -> None:
    delivery, memory = figures_of([300.0] * 50, 65.0, {})
    assert (delivery.verdict, memory.verdict) == (Verdict.BROKEN, Verdict.BROKEN)
