"""Watches whether an engine answers, and since when."""

from __future__ import annotations

from dashboard.lab.engine.watch import EngineWatch


def test_only_a_change_is_reported_and_has_its_time() -> None:
    now = [100.0]
    watch = EngineWatch(lambda: now[0])
    assert (watch.answers, watch.since, watch.problem) == (True, 100.0, "")
    now[0] = 110.0
    assert watch.lost("gone")
    now[0] = 120.0
    assert not watch.lost("still gone")
    assert (watch.answers, watch.since, watch.problem) == (False, 110.0, "still gone")
    now[0] = 130.0
    watch.back()
    now[0] = 140.0
    watch.back()
    assert (watch.answers, watch.since, watch.problem) == (True, 130.0, "")
