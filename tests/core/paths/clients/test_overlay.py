"""Arms on other machines as clients, over the overlay network that the parts of an experiment share."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.core.experiments.messages import ArmStatus
from dashboard.core.measurements.measurement import Options, Probe
from dashboard.core.measurements.remote.blocks import make_block
from dashboard.core.measurements.schedule import BlockPlan, make_series
from dashboard.core.paths.attempts import describe_attempts
from dashboard.core.paths.clients.machines import MachineClient
from dashboard.core.paths.clients.overlay import OverlayArm, find_overlay_arm, name_problem, overlay_problem
from dashboard.core.paths.finder import find_paths, measured_paths
from dashboard.core.paths.model import Path, PathKind
from dashboard.core.paths.requests import new_attempt, requested_paths
from dashboard.core.paths.words import describe_path
from tests.core.builders import Columns, States, make_interface, make_loopback, make_state
from tests.core.machine_scenes import scene_of
from tests.core.scenes import make_scene

NETWORK = "nm-7f2a9c-overlay"
ARM = OverlayArm("part2", "overlay-lab2", "overlay-lab2", {NETWORK: "eth0"})
MACHINE = make_state(interfaces=(make_loopback(), make_interface("eth0", 2, addresses=("192.0.2.77/24",))))
LAB2 = MachineClient("lab2", MACHINE, arm=ARM)


def overlay(paths: tuple[Path, ...]) -> list[Path]:
    return [path for path in paths if path.kind is PathKind.FROM_MACHINE_OVERLAY]


def test_the_arm_of_a_part_is_a_client_on_its_overlay_network() -> None:
    columns, states = scene_of("lab2", ("host", "bridge", "overlay"), None)
    assert find_overlay_arm("part2", columns, states, NETWORK) == ARM
    ended = [replace(one, status=ArmStatus.EXITED) if one.mode == "overlay" else one for one in columns]
    assert find_overlay_arm("part2", ended, states, NETWORK) is None
    assert find_overlay_arm("part2", columns, {}, NETWORK) is None
    assert find_overlay_arm("part2", *scene_of("lab2", ("bridge",), None), NETWORK) is None


def test_an_arm_on_another_machine_reaches_one_here_over_the_network_of_both() -> None:
    columns, states = make_scene(("bridge", "overlay"))
    (path,) = overlay(requested_paths(columns, states, [LAB2]))
    assert (path.client, path.server, path.target, path.host_name) == ("@lab2", "overlay", "172.19.0.2:80", "overlay")
    assert path.title == "overlay-lab2 on machine lab2 to overlay, over the overlay network (VXLAN)"
    assert path.hops == ("eth0 (on lab2)", f"VXLAN of {NETWORK}", "eth0")
    answered = replace(new_attempt(path), status=200)
    failed = replace(answered, status=None, error="No answer.")
    assert "overlay over the overlay network, from lab2" in describe_attempts([answered, failed], columns)
    assert overlay(find_paths(columns, states, [replace(LAB2, arm=None)])) == []
    assert overlay(find_paths(*make_scene(("bridge",)), [LAB2])) == [], "no arm in overlay mode"


def test_the_path_is_measured_with_a_client_in_the_arm() -> None:
    (path,) = overlay(measured_paths(*make_scene(("overlay",)), [LAB2]))
    assert path.key == "overlay/from-machine-overlay@lab2"
    assert describe_path(path.name) == "from machine lab2 → overlay network (VXLAN)"
    (series,) = make_series([path], [Probe.HTTP])
    assert make_block(series, BlockPlan(0.1, 0.01, 100), Options(), 80).from_arm
    other = replace(series, path=replace(path, kind=PathKind.FROM_MACHINE_ADDRESS))
    assert not make_block(other, BlockPlan(0.1, 0.01, 100), Options(), 80).from_arm


def test_containers_with_an_overlay_network_of_their_own_have_the_reason() -> None:
    apart = replace(LAB2, arm=replace(ARM, links={"nm-twin-overlay": "eth0"}))
    (path,) = overlay(measured_paths(*make_scene(("overlay",)), [apart]))
    assert path.unavailable.startswith("overlay and overlay-lab2 on lab2 share no network.")
    assert "use the probe http" in path.unavailable


def test_an_arm_is_a_client_on_the_network_of_the_whole_experiment_only() -> None:
    """Another network of one name on both arms, as after ``docker network connect bridge``, does not count."""
    columns, states = on_bridge_too(*scene_of("lab2", ("overlay",), None), "overlay-lab2")
    assert find_overlay_arm("part2", columns, states, NETWORK) == ARM
    assert find_overlay_arm("part2", columns, states, "nm-another-overlay") is None
    (path,) = overlay(find_paths(*on_bridge_too(*make_scene(("overlay",)), "overlay"), [LAB2]))
    assert path.address == "172.18.0.2"


def on_bridge_too(columns: Columns, states: States, key: str, prefix: int = 16) -> tuple[Columns, States]:
    """The scene, with the arm also on the network “bridge”."""
    link = make_interface("eth1", 9, addresses=(f"172.17.0.5/{prefix}",))
    moved = [
        replace(one, networks={"bridge": "172.17.0.5", **one.networks}) if one.key == key else one for one in columns
    ]
    return tuple(moved), {**states, key: replace(states[key], interfaces=(*states[key].interfaces, link))}


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("172.18.0.9", ""),
        ("172.18.0.2", "is not the address of another container"),
        ("172.17.0.9", "is not the address of another container"),
        ("172.17.0.5", "is not the address of another container"),
        ("127.0.0.1", "is not the address of another container"),
        ("192.0.2.2", "is not the address of another container"),
        ("::ffff:172.18.0.9", "is not the address of another container"),
        ("overlay", "is not an IP address"),
    ],
)
def test_an_arm_sends_requests_over_the_shared_overlay_network_only(address: str, problem: str) -> None:
    columns, states = on_bridge_too(*make_scene(("overlay",)), "overlay")
    arm = next(one for one in columns if one.key == "overlay")
    found = overlay_problem(arm, states["overlay"], NETWORK, address)
    assert (problem in found) if problem else not found
    assert overlay_problem(arm, states["overlay"], "nm-another-overlay", address)
    assert overlay_problem(arm, states["overlay"], "bridge", "172.17.0.9") == "", "it depends on the name alone"
    ended = replace(arm, status=ArmStatus.EXITED)
    for column, state in ((None, None), (arm, None), (ended, states["overlay"]), (columns[0], states["machine"])):
        assert overlay_problem(column, state, NETWORK, address) == "The client is not a running arm in overlay mode."


def test_an_address_that_another_network_of_the_arm_contains_is_not_requested() -> None:
    """The manager that created the overlay network has chosen its subnet."""
    columns, states = on_bridge_too(*make_scene(("overlay",)), "overlay", prefix=8)
    arm = next(one for one in columns if one.key == "overlay")
    assert "is not the address" in overlay_problem(arm, states["overlay"], NETWORK, "172.18.0.9")


@pytest.mark.parametrize(
    "name", ["", "db", "db.corp.internal", "overlay.", "overlay.attacker.example", "10.0.1.2", "-x"]
)
def test_only_names_of_arms_without_a_dot_are_looked_up(name: str) -> None:
    assert name_problem("overlay-lab2", ("db.corp.internal", "overlay-lab2")) == ""
    assert "is not the name of an arm" in name_problem(name, ("overlay", "db.corp.internal", "10.0.1.2", "-x"))
