"""dashboard.bench.measurements.resolution."""

from __future__ import annotations

import pytest

from dashboard.bench.measurements.resolution import BASE_NS, Trial, arms_of, covers_others, figures_of, trials_of
from dashboard.bench.measurements.testbed import Measured
from dashboard.core.measurements.measurement import Probe, Stop
from dashboard.core.measurements.schedule import Series
from dashboard.core.measurements.statistics import Interval
from dashboard.core.measurements.verdicts import Judgement, Same, Slower
from dashboard.core.paths.model import Path, PathKind
from dashboard.latency.runner import Outcome
from tests.bench.measurements.blocks import make_blocks


def test_all_arms_wait_and_the_baseline_waits_least() -> None:
    path = Path(PathKind.BRIDGE_ADDRESS, "t", "machine", "bridge", address="172.17.0.2")
    arms = arms_of(Series("x", path, Probe.TCP_RR))
    assert [(arm.key, arm.busy_wait_ns - BASE_NS) for arm in arms] == [("0", 0), ("1", 1000), ("2", 2000), ("5", 5000)]


def test_the_truth_is_how_much_longer_the_responder_waited() -> None:
    wave = [0.02 * (number % 5 - 2) for number in range(20)]
    blocks = {
        str(wait): make_blocks(str(wait), [10 + wait + (us if wait else 0) for us in wave]) for wait in (0, 1, 2, 5)
    }
    waited = {"0": [1.05], "1": [2.05], "2": [3.25], "5": [6.05, 6.05, 9.0]}
    trials = trials_of(Measured(Outcome(Stop.TIME, "", 3.0, 20, waited_us=waited), blocks), seed=1)
    assert [trials[wait].truth_us for wait in (1, 2, 5)] == pytest.approx([1.0, 2.2, 5.0])
    assert [trials[wait].covers(trials[wait].truth_us) for wait in (1, 2, 5)] == [True, False, True]
    assert all(isinstance(trial.judgement.verdict, Slower) for trial in trials.values())
    assert trials[2].delta_us - trials[2].truth_us == pytest.approx(-0.2)


def test_an_interval_that_does_not_exist_covers_no_value() -> None:
    assert not Trial(Judgement(Same(0.1), 3, 1.0), 1.0).covers(1.0)


def test_signs_and_coverage_are_judged_for_each_wait() -> None:
    good = Trial(Judgement(Slower(1.0), 20, 1.0, Interval(0.9, 1.1)), 1.0)
    bad = Trial(Judgement(Same(0.1), 20, 0.0, Interval(-0.1, 0.1)), 1.0)
    off = Trial(Judgement(Slower(1.0), 20, 1.0, Interval(0.9, 1.1)), 0.5)
    runs = [{1: good, 2: good, 5: off}] * 18 + [{1: bad, 2: good, 5: off}] * 2
    figures = figures_of(runs)
    assert [figure.value for figure in figures] == pytest.approx([90, 100, 100, 90, 100, 0, 90, 100, 100])
    assert [figure.verdict is None for figure in figures] == [False] * 6 + [True] * 3


def test_a_run_is_not_among_the_others_that_it_is_compared_with() -> None:
    trials = [Trial(Judgement(Slower(us), 20, us, Interval(us - 0.5, us + 0.5)), 0.0) for us in (1.0, 1.2, 9.0)]
    assert covers_others(trials) == [False, False, False]
    assert covers_others([*trials, *trials[:2]]) == [True, True, False, True, True]
