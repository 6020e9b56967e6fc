"""The text of each column, and the normalised text for comparisons."""

from __future__ import annotations

from dataclasses import replace

from dashboard.core.comparison.cells import ObservedColumns
from dashboard.core.namespaces.state import Interface
from tests.core.builders import MACHINE, container_id, make_interface, make_state
from tests.core.comparison.cell_helpers import scene_of
from tests.core.scenes import make_scene


def test_an_owner_is_found_by_the_whole_id() -> None:
    observed = scene_of("host")
    assert observed.owner_title(container_id("host")) == "host"
    assert observed.owner_title(container_id("host")[:12]) is None
    assert observed.owner_title(None) is None


def link(observed: ObservedColumns, key: str, name: str) -> Interface:
    return next(one for one in observed.states[key].interfaces if one.name == name)


def test_both_ends_of_a_veth_pair_know_each_other() -> None:
    observed = scene_of("bridge", "container", "host")
    machine, bridge = observed.states[MACHINE], observed.states["bridge"]
    outer = next(one for one in machine.interfaces if one.kind == "veth")
    assert observed.veth_owner(outer.index) == "bridge"
    assert observed.veth_owner(2) is None
    assert observed.veth_peer(machine, outer) == "eth0 in bridge"
    assert observed.veth_peer(bridge, link(observed, "bridge", "eth0")) == f"{outer.name} on this machine"
    assert observed.veth_peer(bridge, link(observed, "bridge", "lo")) is None
    assert observed.veth_peer(machine, link(observed, MACHINE, "eth0")) is None


def test_without_the_machine_no_peer_is_known() -> None:
    observed = scene_of("bridge")
    alone = ObservedColumns(observed.columns, {"bridge": observed.states["bridge"]})
    outer = next(one for one in observed.states[MACHINE].interfaces if one.kind == "veth")
    assert alone.veth_peer(observed.states["bridge"], link(observed, "bridge", "eth0")) is None
    assert (alone.veth_owner(outer.index), alone.machine, alone.shares_machine("bridge")) == (None, None, False)


def test_a_veth_pair_may_have_both_ends_on_the_machine() -> None:
    observed = scene_of("none")
    ends = (make_interface("a", 50, "veth", peer="if51"), make_interface("b", 51, "veth", peer="if50"))
    lost = make_interface("c", 52, "veth", peer="if99")
    one_way = make_interface("d", 53, "veth", peer="if50")
    machine = make_state(interfaces=(*ends, lost, one_way, make_interface("e", 54, "veth", peer=None)))
    changed = ObservedColumns(observed.columns, {**observed.states, MACHINE: machine})
    assert [changed.veth_peer(machine, one) for one in ends] in ([None, "a"], ["b", "a"])
    assert changed.veth_peer(machine, lost) is None
    without = make_state(interfaces=ends)
    pair = ObservedColumns(observed.columns, {**observed.states, MACHINE: without})
    assert [pair.veth_peer(without, one) for one in ends] == ["b", "a"]


def test_only_columns_in_the_machine_s_network_namespace_share_it() -> None:
    observed = scene_of("host", "bridge")
    assert [observed.shares_machine(key) for key in (MACHINE, "host", "bridge", "gone")] == [True, True, False, False]


def test_the_machine_s_own_eth0_may_be_a_veth_to_another_namespace() -> None:
    columns, states = make_scene(("bridge",))
    uplink = make_interface("eth0", 2, "veth", peer="if5", peer_netns=0)
    cable = make_interface("veth5", 5, "veth", peer="if2", master="docker0", peer_netns=0)
    machine = replace(states[MACHINE], interfaces=(uplink, cable))
    observed = ObservedColumns(columns, states | {MACHINE: machine})
    assert observed.veth_peer(machine, uplink) is None
    assert observed.veth_peer(machine, cable) is None
