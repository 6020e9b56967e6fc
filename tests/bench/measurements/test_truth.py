"""What the benchmarks of the truth reckon: dashboard.bench.{fidelity,resolution,order,stalling,watchers}."""

from __future__ import annotations

import math
import sqlite3
from pathlib import Path

import pytest

from dashboard.bench.measurements import fidelity
from dashboard.bench.measurements.fidelity import Turn, disagreements
from dashboard.bench.measurements.fidelity import figures_of as fidelity_figures
from dashboard.bench.measurements.order import steps_of
from dashboard.bench.measurements.resolution import BASE_NS, Trial, arms_of, covers_others, trials_of
from dashboard.bench.measurements.resolution import figures_of as resolution_figures
from dashboard.bench.measurements.stalling_server import distance, percentiles
from dashboard.bench.measurements.testbed import KINDS, Taken
from dashboard.bench.measurements.watchers import Recorded, Window, pairs_of
from dashboard.bench.statistics import Verdict
from dashboard.core.measurements.measurement import Block, Probe, Stop
from dashboard.core.measurements.schedule import Series
from dashboard.core.measurements.statistics import Interval
from dashboard.core.measurements.verdicts import Judgement, Same, Slower
from dashboard.core.paths.model import Path as Way
from dashboard.core.paths.model import PathKind
from dashboard.latency.runner import Outcome


def blocks_of(key: str, middles: list[float]) -> list[Block]:
    return [
        Block(key, number, 0.0, 0.1, n=500, center_us=one, p50_us=one, p99_us=one) for number, one in enumerate(middles)
    ]


def test_fidelity_looks_at_ours_beside_each_and_at_the_two_beside_each_other() -> None:
    turn = Turn({"netperf": 10.0, "sockperf": 8.0}, {"netperf": (10.0, 10.4), "sockperf": (10.4, 10.0)})
    found = fidelity_figures({"a": [turn] * 4}, {"a": "tcp-rr loopback"}, "busy")
    assert [(one.name, one.reference, one.verdict) for one in found] == [
        ("tcp-rr loopback, busy", "netperf", Verdict.KEPT),
        ("tcp-rr loopback, busy", "sockperf", Verdict.BROKEN),
        ("tcp-rr loopback, busy: netperf", "sockperf", None),
    ]
    assert disagreements(found) == [
        "tcp-rr loopback, busy: netperf and sockperf are 25% apart: nobody can be within 5 % of both."
    ]
    assert disagreements(found[:2]) == []


def test_the_time_that_others_waited_is_read_as_the_kernel_tells_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "cpu"
    monkeypatch.setattr(fidelity, "PRESSURE", told)
    assert fidelity.pressure_us() == 0
    told.write_text("some avg10=87.85 avg60=75.73 avg300=58.18 total=1046084279\nfull avg10=0.00 total=12\n")
    assert fidelity.pressure_us() == 1046084279


def test_all_arms_wait_and_the_baseline_least() -> None:
    way = Way(PathKind.BRIDGE_ADDRESS, "t", "machine", "bridge", address="172.17.0.2")
    arms = arms_of(Series("x", way, Probe.TCP_RR))
    assert [(one.key, one.busy_wait_ns - BASE_NS) for one in arms] == [("0", 0), ("1", 1000), ("2", 2000), ("5", 5000)]


def test_the_truth_is_what_the_responder_waited_longer() -> None:
    wave = [0.02 * (number % 5 - 2) for number in range(20)]
    blocks = {
        str(wait): blocks_of(str(wait), [10 + wait + (one if wait else 0) for one in wave]) for wait in (0, 1, 2, 5)
    }
    waited = {"0": [1.05], "1": [2.05], "2": [3.25], "5": [6.05, 6.05, 9.0]}
    found = trials_of(Taken(Outcome(Stop.TIME, "", 3.0, 20, waited_us=waited), blocks), seed=1)
    assert [found[one].truth_us for one in (1, 2, 5)] == pytest.approx([1.0, 2.2, 5.0])
    assert [found[one].covered for one in (1, 2, 5)] == [True, False, True]
    assert all(one.signed_rightly for one in found.values())
    assert found[2].error_us == pytest.approx(-0.2)


def test_a_run_without_an_interval_covers_nothing() -> None:
    assert not Trial(Judgement(Same(0.1), 3, 1.0), 1.0).covered


def test_signs_and_coverage_are_judged_for_each_wait() -> None:
    good = Trial(Judgement(Slower(1.0), 20, 1.0, Interval(0.9, 1.1)), 1.0)
    bad = Trial(Judgement(Same(0.1), 20, 0.0, Interval(-0.1, 0.1)), 1.0)
    off = Trial(Judgement(Slower(1.0), 20, 1.0, Interval(0.9, 1.1)), 0.5)
    trials = [{1: good, 2: good, 5: off}] * 18 + [{1: bad, 2: good, 5: off}] * 2
    figures = resolution_figures(trials)
    assert [one.value for one in figures] == pytest.approx([90, 100, 100, 90, 100, 0, 90, 100, 100])
    assert [one.verdict is None for one in figures] == [False] * 6 + [True] * 3


def test_what_the_others_found_leaves_the_own_run_out() -> None:
    trials = [Trial(Judgement(Slower(one), 20, one, Interval(one - 0.5, one + 0.5)), 0.0) for one in (1.0, 1.2, 9.0)]
    assert covers_others(trials) == [False, False, False]
    assert covers_others([*trials, *trials[:2]]) == [True, True, False, True, True]


def test_steps_are_paired_from_each_path_to_the_next() -> None:
    blocks = {
        kind: blocks_of(kind, [middle] * 12) for kind, middle in zip(KINDS, (10.0, 11.5, 13.0, 40.0), strict=True)
    }
    assert steps_of(blocks) == pytest.approx((1.5, 1.5, 27.0))
    blocks[KINDS[1]] = []
    assert [math.isnan(one) for one in steps_of(blocks)] == [True, True, False]


def test_percentiles_of_the_standard_library_and_their_distance() -> None:
    found = percentiles([float(one) for one in range(1001)])
    assert found == {"p50_us": 500.0, "p90_us": 900.0, "p99_us": 990.0, "p999_us": 999.0}
    assert distance(found | {"p99_us": 999.9}, found) == pytest.approx(1.0)
    assert distance(found | {"p50_us": 1.0}, found) == 0.0


def test_windows_are_taken_from_the_blocks_of_the_run_alone(tmp_path: Path) -> None:
    database = tmp_path / "db"
    with sqlite3.connect(database) as opened:
        opened.executescript(
            "CREATE TABLE dashboard_measurementseries (id, run_id, path);"
            "CREATE TABLE dashboard_measurementblock (id, series_id, p50_us, error, n);"
            "INSERT INTO dashboard_measurementseries VALUES (1,'r','loopback'),(2,'r','bridge'),(3,'other','loopback');"
            "INSERT INTO dashboard_measurementblock VALUES (1,1,10,'',9),(2,1,30,'',9),(3,1,20,'',9),(4,2,50,'',9),"
            "(5,1,99,'reset',9),(6,1,98,'',0),(7,3,97,'',9),(8,1,40,'',9)"
        )
    opened.close()
    recorded = Recorded(database, "r")
    assert recorded.newest() == 8
    assert recorded.medians(Window(1, 7)) == {"loopback": 25.0, "bridge": 50.0}
    assert Recorded(database, "nobody").newest() == 0


def test_only_turns_that_have_both_are_paired() -> None:
    turns = [({"a": 1.0, "b": 2.0}, {"a": 3.0}), ({"a": 4.0}, {"a": 5.0, "b": 6.0})]
    assert pairs_of(turns) == {"a": [(1.0, 3.0), (4.0, 5.0)]}
