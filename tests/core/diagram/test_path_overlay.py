"""Which boxes and edges each path passes, in scenes as Docker 26 builds them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from dashboard.core.diagram.path_overlay import draw_paths
from dashboard.core.diagram.topology import draw
from dashboard.core.experiments.messages import ArmStatus
from dashboard.core.experiments.picture import DrawnPath
from dashboard.core.namespaces.state import FirewallRules
from dashboard.core.paths.finder import measured_paths
from tests.core.builders import MACHINE, Columns, States, end, make_interface, make_listener, with_column, without
from tests.core.scenes import make_scene, recorded_scene, with_neighbour, with_rootless_netns
from tests.core.strategies import generated_scenes

PUBLISHED = "tcp:8081:80"


def drawn(columns: Columns, states: States) -> dict[str, DrawnPath]:
    """The drawn paths by key. Checks that each object named by a hop is drawn once in both diagrams."""
    pictures = draw(columns, states)
    found = draw_paths(columns, states, pictures)
    boxes = [{box.id for box in picture.boxes} for picture in pictures]
    known = {edge.id for picture in pictures for edge in picture.edges}.union(*boxes)
    for hop in (hop for path in found for hop in path.hops):
        assert known.issuperset(hop.ids), hop
        assert [len(own.intersection(hop.spots)) for own in boxes] in ([1, 1], [0, 0]), hop
    return {path.key: path for path in found}


def passed(path: DrawnPath) -> list[tuple[str, ...]]:
    return [hop.ids for hop in path.hops]


def test_loopback_of_host_mode_stays_in_the_machines_own_box() -> None:
    path = drawn(*make_scene(("host", "bridge")))["host/loopback"]
    assert passed(path) == [
        ("machine:stack",),
        ("machine:if:1", "shares:machine:if:1>host:stack"),
        ("host:stack", "host:listen:tcp:80"),
    ]
    assert [hop.text for hop in path.hops] == ["this machine", "lo", "host"]
    assert (path.mode, path.target) == ("host", "127.0.0.1:80")


INNER = [("machine:if:3",), ("veth:machine:if:3>bridge:if:32",), ("bridge:if:32",)]
PROGRAM = ("bridge:stack", "bridge:listen:tcp:80")


@pytest.mark.parametrize(
    ("key", "hops"),
    [
        ("bridge-address", []),
        (
            "published-proxy",
            [
                ("machine:if:1",),
                (f"bridge:proxy:{PUBLISHED}", f"proxy:bridge:proxy:{PUBLISHED}>bridge:if:32"),
            ],
        ),
        ("published-dnat", [(f"bridge:dnat:{PUBLISHED}", f"dnat:bridge:dnat:{PUBLISHED}>bridge:if:32")]),
    ],
)
def test_paths_to_a_bridge_container_differ_only_before_its_veth_pair(key: str, hops: list[tuple[str, ...]]) -> None:
    path = drawn(*make_scene(("host", "bridge")))[f"bridge/{key}"]
    assert passed(path) == [("machine:stack",), *hops, *INNER, PROGRAM]


def test_the_forwarder_of_a_rootless_podman_leads_into_the_container_s_namespace() -> None:
    columns, states = with_rootless_netns(*make_scene(("bridge",)))
    listener = make_listener(8080, "rootlessport")
    states = {**states, MACHINE: replace(states[MACHINE], listeners=(listener,), firewall=FirewallRules())}
    path = drawn(columns, states)["bridge/published-rootless"]
    assert passed(path) == [
        ("machine:stack",),
        ("machine:if:1",),
        ("bridge:proxy:tcp:8080:80", "proxy:bridge:proxy:tcp:8080:80>bridge:stack"),
        PROGRAM,
    ]
    from_lan = drawn(*with_neighbour(columns, states))["bridge/lan-published"]
    assert from_lan.hops[2].ids == path.hops[2].ids


def test_the_number_of_a_veth_pair_is_before_its_inner_end() -> None:
    hops = drawn(*make_scene(("bridge",)))["bridge/bridge-address"].hops
    assert [(hop.spots, hop.cable, hop.shift) for hop in hops[2:4]] == [
        (("bridge:if:30",), True, 0),
        (("bridge:if:30",), False, 0),
    ]


def test_a_path_that_does_not_exist_is_not_drawn() -> None:
    path = drawn(*make_scene(("none",)))["none/bridge-address"]
    assert path.hops == ()
    assert "loopback only" in path.unavailable


def test_numbers_within_one_stack_are_side_by_side() -> None:
    hops = drawn(*make_scene(("bridge", "container")))["container/shared-namespace"].hops
    assert [(hop.text, hop.spots, hop.shift) for hop in hops] == [
        ("bridge", ("bridge:stack",), 0),
        ("lo", ("bridge:if:1",), 0),
        ("container", ("bridge:stack",), 1),
    ]


def two_on_one_bridge() -> tuple[Columns, States]:
    columns, states = make_scene(("bridge", "user-bridge"))
    columns = with_column(columns, "user-bridge", networks={"bridge": "172.17.0.3"})
    machine, inside = states[MACHINE], states["user-bridge"]
    links = tuple(replace(one, master="docker0") if one.index == 33 else one for one in machine.interfaces)
    moved = tuple(
        replace(one, addresses=make_interface(addresses=("172.17.0.3/16",)).addresses) if one.name == "eth0" else one
        for one in inside.interfaces
    )
    return columns, states | {
        MACHINE: replace(machine, interfaces=links),
        "user-bridge": replace(inside, interfaces=moved),
    }


def test_a_path_between_two_containers_passes_both_veth_pairs() -> None:
    path = drawn(*two_on_one_bridge())["bridge/container-to-container"]
    assert passed(path) == [
        ("user-bridge:stack",),
        ("user-bridge:if:32",),
        ("veth:machine:if:3>user-bridge:if:32",),
        ("machine:if:3",),
        ("veth:machine:if:3>bridge:if:30",),
        ("bridge:if:30",),
        ("bridge:stack", "bridge:listen:tcp:80"),
    ]


def test_a_path_between_two_macvlans_passes_the_parent() -> None:
    columns, states = make_scene(("macvlan", "bridge"))
    columns = with_column(columns, "bridge", networks=next(one for one in columns if one.key == "macvlan").networks)
    states["bridge"] = replace(states["macvlan"], netns=states["bridge"].netns)
    path = drawn(columns, states)["macvlan/container-to-container"]
    assert [(hop.text, *hop.ids) for hop in path.hops[1:4]] == [
        ("eth0 (macvlan)", "bridge:if:20", "parent:machine:if:2>bridge:if:20"),
        ("eth0", "machine:if:2"),
        ("eth0 (macvlan)", "macvlan:if:20", "parent:machine:if:2>macvlan:if:20"),
    ]


def test_a_path_passes_the_box_for_hidden_ones() -> None:
    columns, states = make_scene(("bridge",))
    machine = states[MACHINE]
    crowd = tuple(make_interface(f"br-{n}", 40 + n, "bridge") for n in range(9))
    first = tuple(one for one in machine.interfaces if one.kind != "bridge")
    docker0 = next(one for one in machine.interfaces if one.name == "docker0")
    states = states | {MACHINE: replace(machine, interfaces=(*first, *crowd, docker0))}
    path = drawn(columns, states)["bridge/bridge-address"]
    assert path.hops[1].text == "docker0"
    assert path.hops[1].spots == ("machine:if:more-bridges", "machine:if:more")
    assert passed(path)[2] == ("veth:machine:if:more-bridges>bridge:if:30", "veth:machine:if:more>bridge:if:30")


def test_a_path_from_the_neighbour_passes_the_lan_and_what_forwards() -> None:
    paths = drawn(*with_neighbour(*make_scene(("host", "bridge"))))
    lan = "lan:machine:if:2>neighbour:if:2"
    assert passed(paths["host/lan-address"])[:2] == [("neighbour:stack",), (lan, "machine:if:2")]
    published = passed(paths["bridge/lan-published"])
    assert published[1] == (lan, "machine:if:2")
    assert published[2][0] == "bridge:dnat:tcp:8081:80"
    hairpin = passed(paths["bridge/hairpin"])
    assert hairpin[1][0].startswith("bridge:if:")
    assert hairpin[3][0] == "bridge:proxy:tcp:8081:80"


def test_a_program_whose_socket_was_not_seen_is_its_stack() -> None:
    columns, states = make_scene(("bridge",))
    states = states | {"bridge": replace(states["bridge"], listeners=(make_listener(9, container="somebody"),))}
    assert passed(drawn(columns, states)["bridge/bridge-address"])[-1] == ("bridge:stack",)


def test_without_the_machine_there_is_nothing_to_mark() -> None:
    columns, states = make_scene(("bridge", "container"))
    for path in drawn(columns, without(states, MACHINE)).values():
        assert not any(hop.spots for hop in path.hops)


def test_an_arm_that_ended_has_no_paths() -> None:
    columns, states = make_scene(("host", "bridge"))
    found = drawn(end(columns, "bridge", ArmStatus.EXITED), without(states, "bridge"))
    assert {path.mode for path in found.values()} == {"host"}


def test_every_hop_of_a_recorded_engine_is_drawn_except_none() -> None:
    for path in drawn(*recorded_scene()).values():
        assert all(hop.spots for hop in path.hops), path.key


@given(generated_scenes())
def test_any_scene_names_only_what_its_picture_draws(scene: tuple[Columns, States]) -> None:
    assert [path.key for path in drawn(*scene).values()] == [path.key for path in measured_paths(*scene)]
