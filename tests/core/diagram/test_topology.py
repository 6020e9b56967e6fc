"""The diagram: everything drawn was observed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.core.diagram.topology import draw, draw_narrow, draw_wide
from dashboard.core.experiments.messages import PublishedPort
from dashboard.core.modes import ROOTLESS_NETNS
from dashboard.core.namespaces.state import FirewallRules, NamespaceState
from tests.core.builders import (
    MACHINE,
    container_id,
    end,
    make_column,
    make_interface,
    make_listener,
    make_ports,
    with_column,
    without,
)
from tests.core.diagram.pictures import EDGES, check_picture, find, inside, overlap, texts, with_crowd
from tests.core.scenes import make_scene, recorded_scene, with_neighbour, with_other_host, with_rootless_netns


def test_a_recorded_scene_is_drawn_with_all_its_connections() -> None:
    wide, narrow = draw(*recorded_scene())
    for picture in (wide, narrow):
        check_picture(picture)
        kinds = [edge.kind for edge in picture.edges]
        assert {kind: kinds.count(kind) for kind in EDGES} == {
            "veth": 2,
            "proxy": 2,
            "dnat": 2,
            "shares": 2,
            "parent": 1,
            "lan": 0,
        }


def test_host_mode_containers_are_drawn_inside_the_machine_and_others_outside() -> None:
    for picture in draw(*make_scene()):
        machine = find(picture, "machine:stack")
        assert inside(find(picture, "host:stack"), machine)
        for key in ("bridge", "user-bridge", "none", "macvlan"):
            assert not overlap(find(picture, f"{key}:stack"), machine)


def test_a_container_that_shares_a_stack_is_drawn_in_it() -> None:
    columns, states = make_scene(("bridge", "container"))
    for picture in draw(columns, states):
        assert "bridge + container" in texts(picture)
        assert "container:stack" not in {box.id for box in picture.boxes}


def test_a_container_that_shares_host_mode_is_drawn_inside_the_machine() -> None:
    for picture in draw(*make_scene(("host", "container"))):
        assert inside(find(picture, "container:stack"), find(picture, "machine:stack"))


def test_a_macvlan_is_joined_to_its_parent_and_to_no_bridge() -> None:
    wide, _ = draw(*make_scene(("macvlan",)))
    assert [edge.id for edge in wide.edges if edge.kind in {"veth", "parent"}] == ["parent:machine:if:2>macvlan:if:20"]
    assert "connected by macvlan on eth0" in wide.summary


def test_a_veth_pair_without_an_end_on_the_machine_is_not_drawn() -> None:
    columns, states = make_scene(("bridge",))
    machine = states[MACHINE]
    far = tuple(replace(one, peer="if999") if one.kind == "veth" else one for one in machine.interfaces)
    wide, _ = draw(columns, states | {MACHINE: replace(machine, interfaces=far)})
    assert not [edge for edge in wide.edges if edge.kind == "veth"]
    assert "not connected" in wide.summary


@pytest.mark.parametrize(
    ("addresses", "mappings"),
    [
        (("0.0.0.0", "::"), {"docker-proxy :8080": "for 127.0.0.1", "DNAT :8080 → :80": "all other addresses"}),
        (("0.0.0.0",), {"docker-proxy :8080": "for 127.0.0.1", "DNAT :8080 → :80": "all other addresses"}),
        (("127.0.0.1",), {"docker-proxy :8080": "at 127.0.0.1"}),
        (("127.0.0.2",), {"docker-proxy :8080": "at 127.0.0.2"}),
        (("192.0.2.2",), {"docker-proxy :8080": "at 192.0.2.2", "DNAT :8080 → :80": "at 192.0.2.2"}),
        (("::",), {"docker-proxy :8080": "at all IPv6"}),
    ],
)
def test_a_published_port_is_drawn_for_the_addresses_that_it_is_bound_to(
    addresses: tuple[str, ...], mappings: dict[str, str]
) -> None:
    columns, states = make_scene(("bridge",))
    columns = with_column(columns, "bridge", published=make_ports(8080, 80, *addresses))
    for picture in draw(columns, states):
        drawn = [box.lines for box in picture.boxes if box.kind in {"proxy", "dnat"}]
        assert dict(drawn) == mappings  # type: ignore[arg-type]


def test_without_docker_proxy_only_dnat_is_drawn() -> None:
    columns, states = make_scene(("bridge",))
    machine = states[MACHINE]
    held = tuple(replace(one, process="dockerd") if one.port == 8080 else one for one in machine.listeners)
    wide, _ = draw(columns, states | {MACHINE: replace(machine, listeners=held)})
    assert [box.lines for box in wide.boxes if box.kind in {"proxy", "dnat"}] == [("DNAT :8080 → :80", "all addresses")]


def test_tcp_and_udp_on_one_port_are_two_boxes() -> None:
    columns, states = make_scene(("bridge",))
    both = tuple(PublishedPort(53, protocol, "0.0.0.0", 53) for protocol in ("tcp", "udp"))
    wide, narrow = draw(with_column(columns, "bridge", published=both), states)
    check_picture(wide)
    check_picture(narrow)
    assert "DNAT udp :53 → :53" in texts(wide)


def test_many_published_ports_fold_with_a_count() -> None:
    columns, states = make_scene(("bridge",))
    ports = tuple(port for number in range(100) for port in make_ports(9000 + number, 9000 + number))
    wide, narrow = draw(with_column(columns, "bridge", published=ports), states)
    check_picture(wide)
    assert "97 more ports" in texts(wide)
    assert narrow.height < 1200


def test_many_links_and_sockets_fold_with_a_count() -> None:
    wide, narrow = draw(*with_crowd(make_scene(("host", "bridge")), 300))
    assert "71 more bridges" in texts(wide)
    assert "222 more interfaces" in texts(wide)
    assert "298 more interfaces" in texts(narrow)
    columns, states = make_scene(("host",))
    own = tuple(make_listener(7000 + number, "nginx", 5, container=container_id("host")) for number in range(40))
    states = {key: replace(state, listeners=state.listeners + own) for key, state in states.items()}
    assert "37 more listeners" in texts(draw_wide(columns, states))


def test_an_edge_to_a_hidden_bridge_ends_at_the_box_for_hidden_ones() -> None:
    columns, states = make_scene(("bridge",))
    machine = states[MACHINE]
    bridges = tuple(make_interface(f"br-{number}", 50 + number, "bridge") for number in range(30))
    links = tuple(replace(one, index=900) if one.name == "docker0" else one for one in machine.interfaces)
    crowded = replace(machine, interfaces=(*links, *bridges))
    crowded = replace(crowded, interfaces=tuple(sorted(crowded.interfaces, key=lambda one: one.index)))
    for picture, fold in zip(draw(columns, states | {MACHINE: crowded}), ("more-bridges", "more"), strict=True):
        assert f"veth:machine:if:{fold}>bridge:if:30" in {edge.id for edge in picture.edges}


def test_a_single_link_beyond_the_limit_is_shown_instead_of_folded() -> None:
    scene = with_crowd(make_scene(("none",)), 0)
    columns, states = scene
    machine = states[MACHINE]
    six = tuple(make_interface(f"x{number}", 50 + number) for number in range(4))
    wide = draw_wide(columns, states | {MACHINE: replace(machine, interfaces=machine.interfaces + six)})
    assert "more" not in {box.kind for box in wide.boxes}


def test_the_summary_describes_the_diagram() -> None:
    wide, narrow = draw(*make_scene(("host", "bridge", "none", "macvlan", "container")))
    assert wide.summary == narrow.summary
    for sentence in (
        "host and container: in the machine's network stack.",
        "bridge: a separate network stack, connected by a veth pair to docker0.",
        "Port 8081 of the machine forwards to port 80 of bridge.",
        "none: a separate network stack, not connected.",
        "macvlan: a separate network stack, connected by macvlan on eth0.",
    ):
        assert sentence in wide.summary


def test_an_arm_that_ended_is_not_drawn() -> None:
    columns, states = make_scene(("host", "bridge"))
    wide, _ = draw(end(columns, "bridge", make_column().status), without(states, "bridge"))
    assert "bridge:stack" not in {box.id for box in wide.boxes}
    assert "bridge" not in wide.summary


def test_without_states_the_diagram_is_empty() -> None:
    for picture in draw((), {}):
        assert picture.boxes == ()
        assert picture.summary == "No container is running."


def test_without_the_machine_the_stacks_are_described_as_text() -> None:
    columns, states = make_scene(("bridge",))
    picture = draw_narrow(columns, without(states, MACHINE))
    assert picture.boxes == ()
    assert "bridge: a separate network stack" in picture.summary


def test_traffic_arrives_at_the_interface_of_the_default_route() -> None:
    columns, states = make_scene(("bridge",))
    bridge = states["bridge"]
    second = make_interface("eth1", 99, "veth", addresses=("10.1.0.2/16",))
    two = replace(bridge, interfaces=(*bridge.interfaces, second))

    def arrival(state: NamespaceState) -> set[str]:
        picture = draw_wide(columns, states | {"bridge": state})
        return {edge.id.partition(">")[2] for edge in picture.edges if edge.kind in {"proxy", "dnat"}}

    assert arrival(two) == {"bridge:if:30"}
    moved = tuple(replace(one, interface="eth1") if one.destination == "default" else one for one in two.routes)
    assert arrival(replace(two, routes=moved)) == {"bridge:if:99"}
    assert arrival(replace(two, routes=())) == {"bridge:if:30"}
    bare = tuple(replace(one, addresses=()) for one in bridge.interfaces)
    assert arrival(replace(bridge, interfaces=bare)) == {"bridge:stack"}


def test_without_the_machine_the_pictures_are_empty() -> None:
    columns, states = make_scene(("bridge",))
    wide, narrow = draw(columns, without(states, MACHINE))
    assert [(one.width, one.height, one.boxes, one.edges) for one in (wide, narrow)] == [
        (1188, 120, (), ()),
        (360, 120, (), ()),
    ]


def test_the_neighbour_is_joined_to_the_machine_by_the_lan() -> None:
    columns, states = with_neighbour(*make_scene(("bridge",)))
    for picture in draw(columns, states):
        (edge,) = [edge for edge in picture.edges if edge.kind == "lan"]
        assert edge.id == "lan:machine:if:2>neighbour:if:2"
    assert "neighbour: another machine, on the same LAN as the machine." in draw_wide(columns, states).summary


def test_containers_of_a_rootless_podman_are_joined_to_the_bridges_of_its_user() -> None:
    columns, states = with_rootless_netns(*make_scene(("host", "bridge")))
    docker0 = next(link for link in states[ROOTLESS_NETNS].interfaces if link.name == "docker0")
    for picture in draw(columns, states):
        (edge,) = [edge for edge in picture.edges if edge.kind == "veth"]
        assert edge.id.startswith(f"veth:rootless-netns:if:{docker0.index}>bridge:if:")
    columns, states = with_rootless_netns(*make_scene(("bridge", "user-bridge")))
    lanes = [edge.path.split(" H")[1].split()[0] for edge in draw_wide(columns, states).edges if edge.kind == "veth"]
    assert len(set(lanes)) == len(lanes) == 2
    summary = draw_wide(columns, states).summary
    assert "rootless-netns: the bridges of this user's containers." in summary
    assert "bridge: a separate network stack, connected by a veth pair to docker0." in summary


def test_a_container_with_a_tap_device_is_described_as_connected_by_it() -> None:
    columns, states = make_scene(("none",))
    tap = make_interface("eth0", 2, "tun", peer=None, addresses=("192.0.2.2/24",))
    # The kernel adds a link such as sit0 to each namespace.
    links = (*states["none"].interfaces, tap, make_interface("sit0", 3, "sit"))
    states["none"] = replace(states["none"], interfaces=links)
    connected = "none: a separate network stack, connected by a tap device, which a program of the machine serves."
    assert connected in draw_wide(columns, states).summary


def test_the_forwarder_of_a_rootless_podman_leads_into_the_container_s_namespace() -> None:
    columns, states = with_rootless_netns(*make_scene(("bridge",)))
    mapping = columns[1].published[0]
    listener = make_listener(mapping.host_port, "rootlessport")
    states = {**states, MACHINE: replace(states[MACHINE], listeners=(listener,), firewall=FirewallRules())}
    for picture in draw(columns, states):
        (edge,) = [edge for edge in picture.edges if edge.kind == "proxy"]
        assert edge.id.endswith(">bridge:stack")
        box = find(picture, f"bridge:proxy:tcp:{mapping.host_port}:80")
        assert box.lines == (f"rootlessport :{mapping.host_port}", "all addresses")
        assert not [box for box in picture.boxes if box.kind == "listener" and box.id.startswith("machine:")]
    forwards = f"Port {mapping.host_port} of the machine forwards to port 80 of bridge."
    assert forwards in draw_wide(columns, states).summary


def test_another_host_is_joined_by_the_lan_and_its_container_by_a_veth_pair() -> None:
    columns, states = with_other_host(*make_scene(("host", "bridge")))
    for picture in draw(columns, states):
        assert [edge.id for edge in picture.edges if edge.kind == "lan"] == ["lan:machine:if:2>other-host:if:2"]
        veths = [edge.id for edge in picture.edges if edge.kind == "veth"]
        assert "veth:other-host:if:3>other-container:if:7" in veths
    summary = draw_wide(columns, states).summary
    assert "another machine with a Docker Engine, on the same LAN as the machine." in summary
    assert "on the other host, in a separate network stack." in summary
