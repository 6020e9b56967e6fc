"""The columns before the first container runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.core.experiments.initial_columns import initial_columns
from dashboard.core.experiments.messages import ArmStatus
from dashboard.core.modes import ArmSpec, Mode, Publish
from tests.core.builders import make_arm


def commands(*arms: ArmSpec) -> list[str]:
    return [column.command for column in initial_columns("7f2a9c", arms)[1:]]


def test_the_machine_comes_first_and_then_every_arm_in_order_waiting() -> None:
    arms = (make_arm("host", port=8000), make_arm("bridge"), make_arm("container", target="host"))
    machine, *others = initial_columns("7f2a9c", arms)
    assert (machine.key, machine.mode, machine.title, machine.container, machine.command) == (
        "machine",
        "machine",
        "this machine",
        None,
        "",
    )
    assert [(column.key, column.mode, column.port, column.target) for column in others] == [
        ("host", "host", 8000, None),
        ("bridge", "bridge", 80, None),
        ("container", "container", 80, "host"),
    ]
    assert {column.status for column in others} == {ArmStatus.WAITING}


def test_the_neighbour_comes_last_unless_an_arm_of_an_earlier_version_has_its_name() -> None:
    named = replace(make_arm("bridge"), key="neighbour")
    assert [one.mode for one in initial_columns("7f2a9c", [make_arm("bridge")], neighbour=True)][-1] == "neighbour"
    columns = initial_columns("7f2a9c", [named], neighbour=True)
    assert [(one.key, one.mode) for one in columns] == [("machine", "machine"), ("neighbour", "bridge")]


def test_the_bridges_of_a_rootless_podman_follow_the_arms_unless_there_are_none() -> None:
    for modes, last in ((("host", "bridge"), "rootless-netns"), (("host",), "host")):
        columns = initial_columns("7f2a9c", [make_arm(mode) for mode in modes], rootless_netns=True)
        assert columns[-1].key == last
    named = replace(make_arm("bridge"), key="rootless-netns")
    assert [one.mode for one in initial_columns("7f2a9c", [named], rootless_netns=True)] == ["machine", "bridge"]


@pytest.mark.parametrize(
    ("arm", "command"),
    [
        (make_arm("host"), "docker run --rm -d --network host nginx"),
        (make_arm("bridge", publish=(Publish(80, 8080),)), "docker run --rm -d -p 8080:80 nginx"),
        (make_arm("none"), "docker run --rm -d --network none nginx"),
        (
            make_arm("user-bridge"),
            "docker run --rm -d --name nm-7f2a9c-user-bridge --network nm-7f2a9c nginx",
        ),
        (
            make_arm("macvlan"),
            "docker run --rm -d --name nm-7f2a9c-macvlan --network nm-7f2a9c-macvlan nginx",
        ),
    ],
)
def test_the_line_is_a_docker_run_command(arm: ArmSpec, command: str) -> None:
    assert commands(arm) == [command]


def test_the_line_has_a_name_only_if_something_refers_to_it() -> None:
    assert commands(make_arm("host"), make_arm("bridge"), make_arm("container", Mode.CONTAINER, target="host")) == [
        "docker run --rm -d --name nm-7f2a9c-host --network host nginx",
        "docker run --rm -d nginx",
        "docker run --rm -d --network container:nm-7f2a9c-host nginx",
    ]
