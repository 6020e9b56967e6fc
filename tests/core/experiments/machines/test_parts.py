"""The arms of each machine."""

from __future__ import annotations

import pytest

from dashboard.core.experiments.drafts import parse_draft
from dashboard.core.experiments.machines.parts import (
    Part,
    divide,
    machine_of_arm,
    machine_problems,
    missing_machines,
    move_arms,
    waiting_columns,
)
from dashboard.core.modes import ArmSpec, Mode
from tests.core.machine_scenes import make_parts
from tests.support.specs import make_spec

BRIDGE = ArmSpec("bridge", Mode.BRIDGE)


@pytest.mark.parametrize(
    ("named", "default", "machine"),
    [
        ("", None, None),
        ("", "lab2", "lab2"),
        ("server", "lab2", None),
        ("lab3", "lab2", "lab3"),
        ("lab3", None, "lab3"),
    ],
)
def test_an_arm_runs_on_the_machine_that_it_names(named: str, default: str | None, machine: str | None) -> None:
    assert machine_of_arm(ArmSpec("a", Mode.BRIDGE, machine=named), default) == machine


def test_each_machine_gets_its_own_arms_and_sees_no_other_machine() -> None:
    spec = make_spec(
        "host", "bridge", arms=[{"mode": "none", "machine": "lab2"}, {"mode": "bridge", "machine": "lab2"}]
    )
    parts = divide(spec)
    assert {machine: [arm.key for arm in own.arms] for machine, own in parts.items()} == {
        None: ["host", "bridge"],
        "lab2": ["none", "bridge-lab2"],
    }
    assert {arm.machine for own in parts.values() for arm in own.arms} == {""}
    assert list(divide(spec, "lab2")) == ["lab2"]


def test_arms_on_an_overlay_look_up_those_on_the_other_machines() -> None:
    parts = divide(make_spec("overlay", "host", machines=["server", "lab2"], names=["db"]))
    assert {machine: own.names for machine, own in parts.items()} == {
        None: ("db", "overlay-lab2"),
        "lab2": ("db", "overlay"),
    }
    assert {own.names for own in divide(make_spec("bridge", machines=["server", "lab2"])).values()} == {()}


def test_the_modes_can_be_launched_on_several_machines() -> None:
    spec = make_spec("bridge", "container", machines=["server", "lab2"])
    assert [(arm.key, arm.machine, arm.target) for arm in spec.arms] == [
        ("bridge", "server", None),
        ("container", "server", "bridge"),
        ("bridge-lab2", "lab2", None),
        ("container-lab2", "lab2", "bridge-lab2"),
    ]


def test_arms_of_several_machines_may_publish_the_same_port() -> None:
    spec = make_spec("bridge", "user-bridge", machines=["server", "lab2"], publish="8080:80")
    ports = [(arm.machine, arm.publish[0].host_port) for arm in spec.arms]
    assert ports == [("server", 8080), ("server", 8081), ("lab2", 8080), ("lab2", 8081)]


def test_a_namespace_is_shared_on_one_machine_only() -> None:
    arms = [{"mode": "bridge", "machine": "lab2"}, {"mode": "container:1"}]
    assert make_spec(arms=arms).arms[1].machine == "lab2"
    draft = parse_draft({"arms": [arms[0], {"mode": "container:1", "machine": "lab3"}]})
    assert [(one.arm, one.field) for one in draft.problems] == [("container", "target")]
    assert "another machine" in draft.problems[0].sentence


def test_a_machine_that_cannot_be_chosen_is_named_with_those_that_can() -> None:
    spec = make_spec("host", arms=[{"mode": "bridge", "machine": "lab9"}])
    (problem,) = machine_problems(spec, ("server", "lab2"))
    assert (problem.arm, problem.field) == ("bridge", "machine")
    assert "server, lab2" in problem.sentence
    assert "other machines have joined" in machine_problems(spec, ())[0].sentence
    assert machine_problems(make_spec("host"), ()) == ()


def test_all_columns_wait_before_a_lab_has_answered() -> None:
    columns = waiting_columns(make_parts("host", "bridge"))
    assert [column.key for column in columns] == ["machine", "host", "bridge", "machine@2", "host-lab2", "bridge-lab2"]
    assert {column.machine for column in columns} == {"server", "lab2"}
    assert waiting_columns([Part("p", "server", 1, (BRIDGE,))])[1].command == "docker run --rm -d nginx"
    overlay = waiting_columns([Part("p", "server", 1, (ArmSpec("overlay", Mode.OVERLAY),), "whole")])[1]
    assert "--network nm-whole-overlay" in overlay.command


def test_arms_move_to_other_machines() -> None:
    spec = make_spec("host", machines=["server", "lab2", "lab3"])
    assert missing_machines(spec, ("server", "lab3")) == ("lab2",)
    moved = move_arms(spec, {"lab2": "lab4", "lab9": "lab1"})
    assert [arm.machine for arm in moved.arms] == ["server", "lab4", "lab3"]
    assert missing_machines(make_spec("host"), ()) == ()
