"""dashboard.core.experiments.launching.progress."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.core.experiments.launching.progress import ArmProgress, launch_progress
from dashboard.core.experiments.machines.heads import apply_requests
from dashboard.core.experiments.messages import ArmStatus, Column, ExperimentHead, LaunchStep, Phase
from dashboard.core.modes import MACHINE

HEAD = ExperimentHead("x", "X", "nginx", 80, Phase.LAUNCHING, 0.0)
BRIDGE = Column("web", "bridge", "web", status=ArmStatus.WAITING)
USER = Column("user", "user-bridge", "user", status=ArmStatus.WAITING)


def progress(column: Column, **head: object) -> ArmProgress:
    columns = (Column(MACHINE, MACHINE, "this machine"), column)
    (arm,) = launch_progress(replace(HEAD, **head), columns)  # type: ignore[arg-type]
    return arm


def test_an_arm_without_a_network_goes_through_four_steps() -> None:
    created = replace(BRIDGE, status=ArmStatus.CREATED)
    arms = [
        progress(BRIDGE, phase=Phase.PREPARING, fraction=0.5),
        progress(BRIDGE),
        progress(created),
        progress(replace(created, step=LaunchStep.READ)),
        progress(replace(created, status=ArmStatus.RUNNING)),
    ]
    assert [(arm.text, arm.fraction) for arm in arms] == [
        ("1 of 4: getting the image", 0.125),
        ("2 of 4: creating the container", 0.25),
        ("3 of 4: starting the container", 0.5),
        ("4 of 4: waiting for the first reading", 0.75),
        ("running", 1.0),
    ]


def test_an_arm_on_a_network_of_its_own_waits_for_it() -> None:
    arms = [progress(replace(USER, step=step)) for step in (LaunchStep.NETWORK, LaunchStep.CREATE)]
    assert [arm.text for arm in arms] == ["2 of 5: creating the network", "3 of 5: creating the container"]


def test_a_pull_of_unknown_size_has_no_fraction() -> None:
    arm = progress(BRIDGE, phase=Phase.PREPARING, progress="Asking the registry for nginx")
    assert (arm.text, arm.fraction) == ("1 of 4: getting the image (Asking the registry for nginx)", None)


def test_a_waiting_step_states_what_it_waits_for() -> None:
    assert progress(BRIDGE, phase=Phase.WAITING).text == "waits for the lab"
    assert progress(BRIDGE, phase=Phase.PREPARING, problem="No engine answers.").text == "waits: the reason is above"


@pytest.mark.parametrize("status", [ArmStatus.GONE, ArmStatus.REFUSED, ArmStatus.RUNNING])
def test_an_arm_of_the_last_round_waits_for_the_next_one(status: ArmStatus) -> None:
    column = replace(BRIDGE, status=status)
    again = apply_requests(replace(HEAD, phase=Phase.STOPPED, round=1, started_at=1.0), (), 2.0, 2)
    (arm,) = launch_progress(again, (column,))
    assert (arm.text, arm.fraction) == ("waits for the lab", None)
    assert progress(column, phase=Phase.WAITING, started_at=1.0).fraction == 1.0, "another machine's part waits"


@pytest.mark.parametrize("status", [ArmStatus.REFUSED, ArmStatus.EXITED])
def test_an_arm_that_failed_is_done(status: ArmStatus) -> None:
    arm = progress(replace(BRIDGE, status=status))
    assert arm.fraction == 1.0
    assert arm.text.endswith("the reason is below")


@pytest.mark.parametrize("phase", [Phase.RUNNING, Phase.STOPPING, Phase.STOPPED, Phase.FAILED])
def test_nothing_is_shown_when_the_launch_is_over(phase: Phase) -> None:
    assert launch_progress(replace(HEAD, phase=phase), (BRIDGE, USER)) == ()
