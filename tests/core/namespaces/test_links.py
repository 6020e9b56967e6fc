"""Which links belong together."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from dashboard.core.namespaces.links import is_cable, lower_link, veth_ends
from dashboard.core.namespaces.state import Interface, NamespaceState
from tests.core.builders import MACHINE_NETNS, make_interface, make_scene, make_state, recorded_scene, states


def machine_with(*links: Interface) -> NamespaceState:
    return make_state(MACHINE_NETNS, interfaces=links)


def inside_with(*links: Interface) -> NamespaceState:
    return make_state(7, interfaces=links)


OUTER = make_interface("veth1a2b3c4", 7, "veth", peer="if6", master="docker0")
INNER = make_interface("eth0", 6, "veth", peer="if7")


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


def test_what_an_engine_joined_is_found() -> None:
    for _, found in (make_scene(("bridge", "macvlan")), recorded_scene()):
        machine = found["machine"]
        assert len(veth_ends(machine, found["bridge"])) == 1
        eth0 = next(link for link in found["macvlan"].interfaces if link.kind == "macvlan")
        below = lower_link(machine, found["macvlan"], eth0)
        assert below is not None
        assert below.name == "eth0"
