"""Cells of identity, interfaces, routes and sysctls."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dashboard.core.comparison.cells import ObservedColumns
from dashboard.core.comparison.stack_cells import identity_cells, interface_cells, route_cells, sysctl_cells
from dashboard.core.experiments.messages import Column
from dashboard.core.namespaces.state import Family
from tests.core.builders import MACHINE, make_interface, make_route, make_state
from tests.core.comparison.cell_helpers import alone, say, scene_of
from tests.core.scenes import make_scene


def test_host_mode_has_no_address_and_names_the_one_it_uses() -> None:
    observed = scene_of("host", "bridge", "none", "container")
    assert say(identity_cells, MACHINE, observed)["address", ""].text == "192.0.2.2, 2001:db8::2"
    host = say(identity_cells, "host", observed)["address", ""]
    assert (host.text, host.absent) == (None, "none: uses the machine's")
    assert say(identity_cells, "bridge", observed)["address", ""].text == "172.17.0.2"
    assert say(identity_cells, "none", observed)["address", ""].absent == "none"
    assert say(identity_cells, "container", observed)["address", ""].absent == "none: uses the machine's"


def test_a_container_that_shares_a_stack_names_the_address_it_uses() -> None:
    observed = scene_of("bridge", "container")
    assert say(identity_cells, "container", observed)["address", ""].absent == "none: uses the address of bridge"


def test_a_host_name_generated_from_the_container_id_is_normalised() -> None:
    observed = scene_of("bridge", "user-bridge")
    one, other = (say(identity_cells, key, observed)["hostname", ""] for key in ("bridge", "user-bridge"))
    assert one.text != other.text
    assert one.normalised == other.normalised


def test_a_given_host_name_is_not_normalised() -> None:
    columns, states = make_scene(("bridge", "user-bridge"))
    observed = ObservedColumns(columns, states | {"bridge": replace(states["bridge"], hostname="web")})
    cell = say(identity_cells, "bridge", observed)["hostname", ""]
    assert (cell.text, cell.normalised) == ("web", None)


def test_an_unknown_host_name_is_shown_as_unknown() -> None:
    cell = alone(identity_cells, hostname="")["hostname", ""]
    assert (cell.text, cell.absent) == (None, "unknown")


def test_other_namespaces_are_the_machine_s_or_its_own() -> None:
    observed = scene_of("host", "none")
    assert say(identity_cells, "host", observed)["namespace uts", ""].text == "its own"
    assert say(identity_cells, MACHINE, observed)["namespace uts", ""].text == "the machine's"
    assert ("namespace cgroup", "") not in say(identity_cells, "host", observed)


def test_the_machine_s_end_of_a_veth_pair_is_named_after_its_container() -> None:
    observed = scene_of("bridge")
    cells = say(interface_cells, MACHINE, observed)
    assert cells["veth to bridge", "link"].note == "veth000001f"
    assert cells["veth to bridge", "joined"].text == "bridge docker0, veth peer eth0 in bridge"
    assert say(interface_cells, "bridge", observed)["eth0", "joined"].text == "veth peer veth000001f on this machine"


def test_a_veth_pair_is_named_after_the_owner_of_the_stack_in_any_order() -> None:
    assert ("veth to bridge", "link") in say(interface_cells, MACHINE, scene_of("container", "bridge"))


def test_each_veth_pair_of_a_container_has_rows_of_its_own() -> None:
    columns, states = make_scene(("host", "user-bridge"))
    machine = (*states[MACHINE].interfaces, make_interface("vethback", 91, "veth", peer="if90", master="br-back"))
    inside = (*states["user-bridge"].interfaces, make_interface("eth1", 90, "veth", peer="if91"))
    states |= {key: replace(states[key], interfaces=machine) for key in (MACHINE, "host")}
    states |= {"user-bridge": replace(states["user-bridge"], interfaces=inside)}
    cells = say(interface_cells, MACHINE, ObservedColumns(columns, states))
    joined = {key: cell.text for (key, field), cell in cells.items() if key.startswith("veth") and field == "joined"}
    assert joined == {
        "veth to user-bridge (eth0)": "bridge br-user-bridge, veth peer eth0 in user-bridge",
        "veth to user-bridge (eth1)": "bridge br-back, veth peer eth1 in user-bridge",
    }


def test_a_port_of_a_bond_or_of_a_vrf_is_not_joined_to_a_bridge() -> None:
    ports = (make_interface("eth1", 3, master="bond0"), make_interface("eth2", 4, master="vrf-blue"))
    masters = (make_interface("bond0", 5, "bond"), make_interface("vrf-blue", 6, "vrf"))
    cells = alone(interface_cells, interfaces=(*ports, *masters))
    assert cells["eth1", "joined"].text == "bond bond0"
    assert cells["eth2", "joined"].text == "vrf vrf-blue"


def test_names_of_veth_interfaces_and_mac_addresses_are_normalised() -> None:
    observed = scene_of("bridge", "user-bridge")
    one, other = (say(interface_cells, key, observed) for key in ("bridge", "user-bridge"))
    for field in ("joined", "mac"):
        assert one["eth0", field].text != other["eth0", field].text
        assert one["eth0", field].normalised == other["eth0", field].normalised


def test_link_local_addresses_are_shown_and_not_compared() -> None:
    first, later = (
        alone(interface_cells, interfaces=(make_interface(addresses=("192.0.2.2/24", local)),))["eth0", "addresses"]
        for local in ("fe80::1/64", "fe80::2/64")
    )
    assert first.text == "192.0.2.2/24\nfe80::1/64"
    assert first.normalised == later.normalised


def test_a_veth_interface_names_a_peer_on_the_same_machine() -> None:
    ends = (make_interface("a", 5, "veth", peer="if6"), make_interface("b", 6, "veth", peer="if5"))
    assert alone(interface_cells, interfaces=ends)["a", "joined"].text == "veth peer b"
    assert alone(interface_cells, interfaces=ends[:1])["a", "joined"].text == "veth peer if6"


def test_a_sub_interface_names_the_link_it_sits_on() -> None:
    joined = say(interface_cells, "macvlan", scene_of("macvlan"))["eth0", "joined"]
    assert joined.text == "on eth0 of this machine"


def test_a_vlan_names_the_link_it_sits_on() -> None:
    links = (make_interface(), make_interface("eth0.7", 7, "vlan", peer="eth0"))
    assert alone(interface_cells, interfaces=links)["eth0.7", "joined"].text == "on eth0"


def test_loopback_has_no_row_for_a_mac_address() -> None:
    assert ("lo", "mac") not in alone(interface_cells)


def test_an_interface_without_an_address_is_shown_as_such() -> None:
    cell = alone(interface_cells, interfaces=(make_interface(up=False),))["eth0", "addresses"]
    assert (cell.text, cell.absent) == (None, "no address")


@pytest.mark.parametrize(
    ("route", "text"),
    [
        (make_route(), "via 192.0.2.1 dev eth0"),
        (make_route("192.0.2.0/24", None, source="192.0.2.2"), "dev eth0 src 192.0.2.2"),
        (make_route("2001:db8::/64", None, metric=256), "dev eth0 metric 256"),
        (make_route("192.0.2.0/24", None, metric=0), "dev eth0"),
        (make_route("192.0.2.0/24", None, interface=None), "unreachable"),
    ],
)
def test_a_route_is_formatted_as_ip_route_prints_it(route: Any, text: str) -> None:
    (cell,) = alone(route_cells, routes=(route,)).values()
    assert cell.text == text


def test_several_routes_to_one_destination_share_a_cell() -> None:
    routes = (make_route(), make_route(gateway="192.0.2.9", metric=100))
    cells = alone(route_cells, routes=routes)
    assert cells["default", "inet"].text == "via 192.0.2.1 dev eth0\nvia 192.0.2.9 dev eth0 metric 100"


def test_each_address_family_has_its_own_default_route() -> None:
    inet6 = make_route(gateway="2001:db8::1", family=Family.INET6)
    assert set(alone(route_cells, routes=(make_route(), inet6))) == {("default", "inet"), ("default", "inet6")}


def test_a_route_of_ipv6_is_labelled_and_comes_after_those_of_ipv4() -> None:
    column, state = (
        Column(MACHINE, MACHINE, "this machine"),
        make_state(routes=(make_route(family=Family.INET6), make_route())),
    )
    keys = [key for key, _ in route_cells(ObservedColumns((column,), {MACHINE: state}), column, state)]
    assert [key.label for key in sorted(keys, key=lambda key: key.rank)] == ["default", "IPv6 default"]


def test_white_space_in_a_sysctl_is_normalised() -> None:
    one, other = (
        alone(sysctl_cells, sysctls={"net.ipv4.ping_group_range": value})["net.ipv4.ping_group_range", ""]
        for value in ("1\t0", "1 0")
    )
    assert one == other
