"""Which links belong together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from msgspec import UNSET, UnsetType

from dashboard.core.namespaces.links import (
    default_routes,
    exit_link,
    is_cable,
    is_tapped,
    lower_link,
    outer_end,
    parent_link,
    veth_ends,
)
from dashboard.core.namespaces.state import Interface, NamespaceState
from tests.core.builders import MACHINE_NETNS, make_interface, make_loopback, make_route, make_state
from tests.core.scenes import make_scene, recorded_scene
from tests.core.strategies import states

TWO_UPLINKS = (make_route(gateway="10.0.0.1", metric=20100), make_route(interface="eth1", metric=100))


def machine_with(*links: Interface) -> NamespaceState:
    return make_state(MACHINE_NETNS, interfaces=links)


def inside_with(*links: Interface) -> NamespaceState:
    return make_state(7, interfaces=links)


OUTER = make_interface("veth1a2b3c4", 7, "veth", peer="if6", master="docker0")
INNER = make_interface("eth0", 6, "veth", peer="if7")


@pytest.mark.parametrize(
    ("links", "tapped"),
    [
        (("tun",), True),
        (("tun", "sit"), True),
        (("sit",), False),
        (("tun", "veth"), False),
        ((), False),
    ],
)
def test_a_tap_device_is_the_only_link_of_its_container(links: tuple[str, ...], tapped: bool) -> None:
    made = [
        make_interface(kind, index, kind, addresses=() if kind == "sit" else ("192.0.2.2/24",))
        for index, kind in enumerate(links, 2)
    ]
    assert is_tapped(inside_with(make_loopback(), *made)) is tapped


def test_two_ends_belong_together_when_each_names_the_other() -> None:
    assert veth_ends(machine_with(OUTER), inside_with(INNER)) == ((OUTER, INNER),)


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        (make_interface("v", 7, "veth", peer="if9"), INNER),
        (make_interface("v", 8, "veth", peer="if6"), INNER),
        (make_interface("v", 7, "macvlan", peer="if6"), INNER),
        (OUTER, make_interface("eth0", 6, "veth", peer=None)),
        (OUTER, make_interface("eth0", 6, "veth", peer="veth1a2b3c4")),
        (OUTER, make_interface("eth0", 6, "veth", peer="ifx")),
        (OUTER, make_interface("eth0", 6, "macvlan", peer="if7")),
        (OUTER, make_interface("eth0", 5, "veth", peer="if7")),
    ],
)
def test_ends_that_do_not_name_each_other_are_no_pair(outer: Interface, inner: Interface) -> None:
    assert veth_ends(machine_with(outer), inside_with(inner)) == ()


def test_every_namespace_may_count_its_links_from_one_again() -> None:
    """Newer engines create the inner end in the container's namespace, so eth0 has the same index everywhere."""
    outer = [make_interface(f"veth{number}", number, "veth", peer="if2") for number in (7, 9)]
    inner = [make_interface("eth0", 2, "veth", peer=f"if{number}") for number in (7, 9)]
    machine = machine_with(*outer)
    for one, other in zip(outer, inner, strict=True):
        assert veth_ends(machine, inside_with(other)) == ((one, other),)


def test_a_peer_in_a_third_namespace_is_no_pair() -> None:
    """A machine whose own eth0 is a veth, and a container that runs an engine of its own."""
    uplink = make_interface("eth0", 2, "veth", peer="if7", addresses=("192.0.2.2/24",), peer_netns=0)
    nested = make_interface("veth77", 7, "veth", peer="if2", master="docker0", peer_netns=0)
    assert veth_ends(machine_with(uplink), inside_with(nested)) == ()


@pytest.mark.parametrize(
    ("outer_netns", "inner_netns", "belongs"),
    [
        (0, MACHINE_NETNS, True),
        (7, MACHINE_NETNS, True),
        (8, MACHINE_NETNS, False),
        (MACHINE_NETNS, MACHINE_NETNS, False),
        (UNSET, MACHINE_NETNS, True),
        (0, UNSET, True),
        (7, 0, True),
        (UNSET, 0, False),
        (0, 0, False),
        (0, 7, False),
    ],
)
def test_the_namespaces_of_the_peers_must_agree(
    outer_netns: int | UnsetType, inner_netns: int | UnsetType, belongs: bool
) -> None:
    outer, inner = replace(OUTER, peer_netns=outer_netns), replace(INNER, peer_netns=inner_netns)
    assert veth_ends(machine_with(outer), inside_with(inner)) == (((outer, inner),) if belongs else ())


def test_both_ends_may_be_in_one_namespace() -> None:
    one = make_interface("v0", 5, "veth", peer="if6", peer_netns=MACHINE_NETNS)
    other = make_interface("v1", 6, "veth", peer="if5", peer_netns=MACHINE_NETNS)
    machine = machine_with(one, other)
    assert veth_ends(machine, machine) == ((other, one), (one, other))


def test_the_machine_s_end_of_a_link_is_found() -> None:
    second = make_interface("eth1", 8, "veth", peer="if9")
    machine, inside = machine_with(OUTER, make_interface("vethb", 9, "veth", peer="if8")), inside_with(INNER, second)
    assert outer_end(machine, inside, INNER) == OUTER
    assert outer_end(machine, inside, make_interface("lo", 1, "loopback")) is None


def test_a_sub_interface_of_a_link_in_a_third_namespace_has_no_link_below_it() -> None:
    below = make_interface("eth0", 20, "macvlan", peer="if2", peer_netns=0)
    machine = machine_with(make_interface("eth0", 2))
    assert lower_link(machine, inside_with(below), below) is None
    here = replace(below, peer_netns=MACHINE_NETNS)
    assert lower_link(machine, inside_with(here), here) == machine.interfaces[0]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"kind": "veth"}, True),
        ({"kind": "veth", "addresses": ("fe80::1/64",)}, True),
        ({"kind": "veth", "addresses": ("192.0.2.2/24",)}, False),
        ({"kind": "physical"}, False),
    ],
)
def test_a_cable_is_a_veth_without_an_address_of_its_own(fields: dict[str, Any], expected: bool) -> None:
    assert is_cable(make_interface(**fields)) is expected


def test_a_sub_interface_names_its_link_by_index_from_another_namespace() -> None:
    machine = machine_with(make_interface("eth0", 2), make_interface("if2", 5))
    inside = inside_with(make_interface("eth0", 20, "macvlan", peer="if2"))
    assert lower_link(machine, inside, inside.interfaces[0]) == machine.interfaces[0]


def test_a_sub_interface_names_its_link_by_name_in_its_own() -> None:
    machine = machine_with(make_interface("eth0", 2), make_interface("mac0", 5, "macvlan", peer="eth0"))
    assert lower_link(machine, machine, machine.interfaces[1]) == machine.interfaces[0]


@pytest.mark.parametrize(
    "one",
    [
        make_interface("eth0", 20, "macvlan", peer=None),
        make_interface("eth0", 20, "macvlan", peer="if99"),
        make_interface("eth0", 20, "veth", peer="if2"),
    ],
)
def test_a_link_below_that_cannot_be_seen_is_none(one: Interface) -> None:
    assert lower_link(machine_with(make_interface("eth0", 2)), inside_with(one), one) is None


@given(states, states)
def test_any_two_namespaces_can_be_asked(one: NamespaceState, other: NamespaceState) -> None:
    for outer, inner in veth_ends(one, other):
        assert (outer.peer, inner.peer) == (f"if{inner.index}", f"if{outer.index}")
    for link in other.interfaces:
        lower_link(one, other, link)


def test_links_to_containers_are_found_in_scenes_of_an_engine() -> None:
    for _, found in (make_scene(("bridge", "macvlan")), recorded_scene()):
        machine = found["machine"]
        assert len(veth_ends(machine, found["bridge"])) == 1
        eth0 = next(link for link in found["macvlan"].interfaces if link.kind == "macvlan")
        below = lower_link(machine, found["macvlan"], eth0)
        assert below is not None
        assert below.name == "eth0"


def test_the_interface_of_the_default_route_joins_a_machine_to_its_lan() -> None:
    machine = make_scene(("bridge",))[1]["machine"]
    found = exit_link(machine)
    assert found is not None
    assert found.name == "eth0"
    assert exit_link(replace(machine, routes=())) is None
    assert exit_link(replace(machine, routes=(make_route(interface="gone"),))) is None


def test_of_several_default_routes_the_one_with_the_lowest_metric_is_first() -> None:
    ipv6 = [
        make_route(family="inet6", gateway="fe80::1", interface=name, metric=n) for name, n in (("a", 1025), ("b", 1))
    ]
    unknown6 = make_route(family="inet6", gateway="fe80::1", interface="c")
    found = default_routes((*ipv6, unknown6, *TWO_UPLINKS, make_route(interface="ppp0"), make_route("10.0.0.0/8")))
    assert [route.interface for route in found] == ["ppp0", "eth1", "eth0", "b", "c", "a"]


@pytest.mark.parametrize(
    ("uplink", "is_parent"),
    [
        (make_interface("up0", 9, "physical"), True),
        (make_interface("up0", 9, "bridge"), True),
        (make_interface("up0", 9, "openvswitch"), True),
        (make_interface("up0", 9, "physical", master="br0"), False),
        (make_interface("up0", 9, "tun", mac=""), False),
        (make_interface("up0", 9, "ip6tnl", mac="2001:db8:1234::12"), False),
        (make_interface("up0", 9, "loopback", mac="00:00:00:00:00:00"), False),
    ],
)
def test_the_parent_of_macvlan_is_the_ethernet_link_with_a_default_route(uplink: Interface, is_parent: bool) -> None:
    eth0, docker0 = make_interface(), make_interface("docker0", 3, "bridge")
    routes = (make_route(interface="up0"), make_route(interface="eth0", metric=100))
    assert parent_link((eth0, docker0, uplink), routes) == (uplink if is_parent else eth0)
    assert parent_link((eth0, docker0, uplink), ()) is None


def test_the_interface_of_the_default_route_with_the_lowest_metric_joins_a_machine_to_its_lan() -> None:
    machine = make_state(interfaces=(make_interface(), make_interface("eth1", 3)), routes=TWO_UPLINKS)
    found = exit_link(machine)
    assert found is not None
    assert found.name == "eth1"
