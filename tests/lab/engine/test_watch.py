"""Watches whether an engine answers, and since when."""

from __future__ import annotations

from dashboard.lab.engine.watch import EngineWatch


def test_only_a_change_is_reported_and_has_its_time() -> None:
    now = [100.0]
    watch = EngineWatch(lambda: now[0])
    assert (watch.answers, watch.since) == (True, 100.0)
    now[0] = 110.0
    watch.lost()
    now[0] = 120.0
    watch.lost()
    assert (watch.answers, watch.since) == (False, 110.0)
    now[0] = 130.0
    watch.back()
    now[0] = 140.0
    watch.back()
    assert (watch.answers, watch.since) == (True, 130.0)
