"""The figures of injected faults."""

from __future__ import annotations

from dashboard.bench.operations.faults.trials import Trial, Trials, figures_of
from dashboard.bench.statistics import Verdict


def test_one_loss_in_many_trials_breaks_the_promise() -> None:
    good = [Trial("server killed", 2.0 + number / 10, 0, 0, 0) for number in range(10)]
    figures = figures_of([*good, Trial("disk full", 1.0, 0, 0, 0)])
    assert [figure.name for figure in figures] == [
        "acknowledged objects lost",
        "objects left behind",
        "foreign objects changed",
        "faults that ended early",
        "server killed: ready",
        "disk full: ready",
    ]
    assert {figure.verdict for figure in figures} == {Verdict.KEPT}
    assert (figures[4].value, figures[4].n) == (2.9, 10)
    lost, leaked, touched, *_ = figures_of([*good, Trial("server killed", 2.0, 1, 0, 0)])
    assert (lost.value, leaked.value, touched.value) == (1, 0, 0)
    assert lost.verdict in {Verdict.BROKEN, Verdict.BROKEN_BARELY}


def test_a_recovery_of_more_than_five_seconds_breaks_the_promise() -> None:
    (*_, ready) = figures_of([Trial("engine killed", 6.0, 0, 0, 0), Trial("engine killed", 1.0, 0, 0, 0)])
    assert (ready.value, ready.unit) == (6.0, "s")
    assert ready.verdict in {Verdict.BROKEN, Verdict.BROKEN_BARELY}


def test_a_fault_that_ended_early_keeps_its_trials_and_breaks_the_promise() -> None:
    said: list[str] = []
    trials = Trials(said.append)
    trials.record(Trial("server killed", 2.0, 0, 0, 0))
    trials.fail("server killed", "ready: not within 90 s")
    assert said[1] == "server killed: ready: not within 90 s"
    by_name = {figure.name: figure for figure in figures_of(trials.done, trials.problems)}
    assert by_name["faults that ended early"].verdict is Verdict.BROKEN
    assert by_name["server killed: ready"].verdict is Verdict.KEPT
    assert [figure.value for figure in figures_of([], trials.problems)] == [1]
