"""One head for the parts on all machines."""

from __future__ import annotations

import pytest

from dashboard.core.experiments.lifecycle import Wanted
from dashboard.core.experiments.machines.heads import apply_requests, merge_heads, merge_phases, requested_phase
from dashboard.core.experiments.messages import Check, Phase
from tests.core.machine_scenes import make_head

WHOLE = make_head(phase=Phase.WAITING, round=0, started_at=None, engine="")


@pytest.mark.parametrize(
    ("phases", "phase"),
    [
        ([Phase.RUNNING, Phase.WAITING], Phase.RUNNING),
        ([Phase.RUNNING, Phase.LAUNCHING], Phase.LAUNCHING),
        ([Phase.STOPPED, Phase.RUNNING], Phase.RUNNING),
        ([Phase.STOPPED, Phase.STOPPING], Phase.STOPPING),
        ([Phase.STOPPED, Phase.FAILED], Phase.STOPPED),
        ([Phase.FAILED, Phase.FAILED], Phase.FAILED),
        ([Phase.WAITING, Phase.STOPPED], Phase.WAITING),
    ],
)
def test_the_phase_is_that_of_the_part_with_most_to_do(phases: list[Phase], phase: Phase) -> None:
    assert merge_phases(phases) is phase
    assert merge_phases(reversed(phases)) is phase


@pytest.mark.parametrize(
    ("phase", "wanted", "shown"),
    [
        (Phase.RUNNING, Wanted.RUNNING, Phase.RUNNING),
        (Phase.WAITING, Wanted.RUNNING, Phase.WAITING),
        (Phase.RUNNING, Wanted.STOPPED, Phase.STOPPING),
        (Phase.WAITING, Wanted.STOPPED, Phase.STOPPED),
        (Phase.FAILED, Wanted.STOPPED, Phase.FAILED),
    ],
)
def test_a_command_that_an_absent_lab_has_not_answered_is_shown(phase: Phase, wanted: Wanted, shown: Phase) -> None:
    assert requested_phase(phase, wanted) is shown


def test_an_experiment_without_running_parts_has_an_end() -> None:
    running = make_head(phase=Phase.WAITING)
    ended = apply_requests(running, [Phase.STOPPED, Phase.STOPPED], 9.0)
    assert (ended.phase, ended.stopped_at) == (Phase.STOPPED, 9.0)
    assert apply_requests(ended, [Phase.STOPPED, Phase.STOPPING], 9.0).stopped_at is None
    assert apply_requests(running, (), 9.0) == running


def test_an_experiment_that_is_launched_again_waits_until_a_lab_begins_the_round() -> None:
    stopped = make_head(phase=Phase.STOPPED, stopped_at=1050.0, proof=(Check("containers", True, "none"),), notice="No")
    waiting = apply_requests(stopped, (), 9.0, 2)
    assert (waiting.phase, waiting.started_at, waiting.stopped_at) == (Phase.WAITING, None, None)
    assert (waiting.proof, waiting.notice, waiting.round) == ((), "", 1)
    for begun in (stopped, WHOLE):
        assert apply_requests(begun, (), 9.0, 1) == begun


def test_a_text_of_one_machine_names_it_and_a_text_of_all_does_not() -> None:
    server, lab2 = make_head(notice="Pulled nginx."), make_head(notice="Pulled nginx.", problem="No Engine.")
    merged = merge_heads(WHOLE, {"server": server, "lab2": lab2})
    assert merged.notice == "Pulled nginx."
    assert merged.problem == "lab2: No Engine."
    assert (merged.id, merged.title, merged.round, merged.started_at) == ("whole", "nginx on port 80", 1, 1001.0)


def test_the_engines_of_all_machines_are_named_once() -> None:
    heads = {"server": make_head(), "lab2": make_head(engine="26.1.5"), "lab3": make_head()}
    assert merge_heads(WHOLE, heads).engine == "28.5.2, 26.1.5"


def test_the_clean_up_check_of_each_machine_is_kept() -> None:
    proof = (Check("containers", True, "0 of 2 containers left"),)
    heads = {
        name: make_head(phase=Phase.STOPPED, stopped_at=at, proof=proof)
        for name, at in (("server", 5.0), ("lab2", 7.0))
    }
    merged = merge_heads(WHOLE, heads)
    assert [check.name for check in merged.proof] == ["containers (server)", "containers (lab2)"]
    assert {check.detail for check in merged.proof} == {"0 of 2 containers left"}
    assert (merged.phase, merged.stopped_at) == (Phase.STOPPED, 7.0)


def test_a_part_that_still_runs_has_no_end() -> None:
    heads = {"server": make_head(phase=Phase.STOPPED, stopped_at=5.0), "lab2": make_head()}
    assert merge_heads(WHOLE, heads).stopped_at is None
    assert merge_heads(WHOLE, {}) is WHOLE
