"""One head for the parts on all machines."""

from __future__ import annotations

import pytest

from dashboard.core.experiments.machines.heads import merge_heads, merge_phases
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
    assert (merged.phase, merged.stopped_at) == (Phase.STOPPED, 7.0)


def test_a_part_that_still_runs_has_no_end() -> None:
    heads = {"server": make_head(phase=Phase.STOPPED, stopped_at=5.0), "lab2": make_head()}
    assert merge_heads(WHOLE, heads).stopped_at is None
    assert merge_heads(WHOLE, {}) is WHOLE
