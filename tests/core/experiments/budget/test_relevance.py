"""Changes of the machine that concern no column of an experiment."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dashboard.core.experiments.budget.relevance import concerns_columns
from dashboard.core.experiments.journal import View
from dashboard.core.experiments.messages import ArmStatus, Phase
from dashboard.core.modes import MACHINE, ROOTLESS_NETNS
from dashboard.core.namespaces.delta import delta
from dashboard.core.namespaces.state import (
    ClosedBridge,
    DirectDrop,
    Family,
    FirewallRules,
    Interface,
    NamespaceState,
    Protocol,
    Translation,
    UnreadRules,
)
from tests.core.builders import make_address, make_route
from tests.core.sample import make_columns, make_head, make_link, make_listener, make_states

VIEW = View(9, make_head(), make_columns(), make_states())
MACHINE_STATE = VIEW.states[MACHINE]
FOREIGN = make_link("vethffff", 70, "veth", peer="if69", master="docker9")
BRIDGE = make_link("docker9", 60, "bridge", ("172.29.0.1", 16))


def concerns(after: NamespaceState, view: View = VIEW) -> bool:
    return concerns_columns(view, {MACHINE: delta(view.states[MACHINE], after)})


def with_links(*links: Interface, **more: Any) -> NamespaceState:
    kept = tuple(one for one in MACHINE_STATE.interfaces if one.name not in {link.name for link in links})
    return replace(MACHINE_STATE, interfaces=(*kept, *links), **more)


def translation(port: int, address: str) -> Translation:
    return Translation(Protocol.TCP, Family.INET, port, address, 80)


@pytest.mark.parametrize(
    "after",
    [
        with_links(FOREIGN),
        with_links(BRIDGE, FOREIGN, routes=(*MACHINE_STATE.routes, make_route("172.29.0.0/16", interface="docker9"))),
        replace(MACHINE_STATE, listeners=(*MACHINE_STATE.listeners, make_listener(9000, "docker-proxy", 5))),
        replace(MACHINE_STATE, listeners=(*MACHINE_STATE.listeners, make_listener(9000, "rootlessport", 5))),
        replace(MACHINE_STATE, listeners=(*MACHINE_STATE.listeners, make_listener(9000, "pasta.avx2", 5))),
        replace(MACHINE_STATE, listeners=(*MACHINE_STATE.listeners, make_listener(90, "nginx", 5, container="f" * 64))),
        replace(MACHINE_STATE, firewall=FirewallRules((translation(9000, "172.29.0.2"),))),
        replace(MACHINE_STATE, firewall=FirewallRules(direct_drops=(DirectDrop(Family.INET, "172.29.0.2"),))),
        replace(MACHINE_STATE, firewall=FirewallRules(closed_bridges=(ClosedBridge(Family.INET, "docker9"),))),
    ],
    ids=[
        "veth",
        "bridge with its route",
        "proxy",
        "rootlessport",
        "pasta",
        "listener in host mode",
        "nat rule",
        "direct drop",
        "closed bridge",
    ],
)
def test_changes_by_other_containers_concern_no_column(after: NamespaceState) -> None:
    before = replace(VIEW, states=VIEW.states | {MACHINE: replace(MACHINE_STATE, firewall=FirewallRules())})
    after = replace(after, firewall=after.firewall or FirewallRules())
    assert not concerns(after, before)
    gone = replace(VIEW, states=VIEW.states | {MACHINE: after})
    assert not concerns(before.states[MACHINE], gone)


def own_cable() -> Interface:
    return next(one for one in MACHINE_STATE.interfaces if one.name == "veth1a2b")


@pytest.mark.parametrize(
    "after",
    [
        with_links(replace(own_cable(), up=False)),
        with_links(make_link("docker0", 3, "bridge", ("172.17.0.9", 16))),
        with_links(replace(FOREIGN, master="docker0")),
        with_links(make_link("eth1", 90, "physical")),
        with_links(replace(FOREIGN, addresses=(make_address("192.0.2.77"),), kind="dummy")),
        replace(MACHINE_STATE, routes=(*MACHINE_STATE.routes, make_route("198.51.100.0/24", interface="eth0"))),
        replace(MACHINE_STATE, listeners=(*MACHINE_STATE.listeners, make_listener(9000, "sshd", 5))),
        replace(MACHINE_STATE, listeners=()),
        replace(MACHINE_STATE, sysctls={}),
        replace(MACHINE_STATE, hostname="renamed"),
        with_links(FOREIGN, hostname="renamed"),
        replace(MACHINE_STATE, firewall=FirewallRules((translation(8080, "172.29.0.2"),))),
        replace(MACHINE_STATE, firewall=FirewallRules(direct_drops=(DirectDrop(Family.INET, "172.17.0.2"),))),
        replace(MACHINE_STATE, firewall=FirewallRules(closed_bridges=(ClosedBridge(Family.INET, "docker0"),))),
        replace(MACHINE_STATE, firewall=FirewallRules(unread=(UnreadRules(Family.INET, "no iptables"),))),
    ],
)
def test_changes_that_concern_a_column_are_history(after: NamespaceState) -> None:
    assert concerns(after)


def test_addresses_of_the_link_of_a_private_host_are_history() -> None:
    """That link is a veth interface, too, with its other end on the LAN."""
    eth0 = make_link("eth0", 2, "veth", ("192.0.2.2", 24), peer="if3")
    before = with_links(eth0)
    more = with_links(replace(eth0, addresses=(*eth0.addresses, make_address("192.0.2.77", 32))))
    none = with_links(replace(eth0, addresses=()))
    for old, new in ((before, more), (more, before), (before, none), (none, before)):
        assert concerns(new, replace(VIEW, states=VIEW.states | {MACHINE: old}))


def test_while_arms_start_or_stop_every_change_is_history() -> None:
    after = with_links(FOREIGN)
    for phase in (Phase.PREPARING, Phase.LAUNCHING, Phase.STOPPING):
        assert concerns(after, replace(VIEW, head=make_head(phase)))
    states = {key: state for key, state in VIEW.states.items() if key != "bridge"}
    assert concerns(after, replace(VIEW, states=states))
    columns = tuple(replace(one, status=ArmStatus.EXITED) if one.key == "bridge" else one for one in VIEW.columns)
    assert not concerns(after, replace(VIEW, states=states, columns=columns))


def test_changes_inside_an_arm_are_history() -> None:
    after = replace(VIEW.states["bridge"], hostname="renamed")
    assert concerns_columns(VIEW, {"bridge": delta(VIEW.states["bridge"], after)})


def test_an_arm_in_host_mode_shares_the_changes_of_the_machine() -> None:
    before = VIEW.states["host"]
    foreign = delta(before, replace(before, interfaces=(*before.interfaces, FOREIGN)))
    assert not concerns_columns(VIEW, {MACHINE: delta(MACHINE_STATE, with_links(FOREIGN)), "host": foreign})


def test_a_change_of_an_arm_in_host_mode_is_history_even_with_an_unrelated_change_of_the_machine() -> None:
    renamed = replace(VIEW.states["host"], hostname="renamed")
    changes = {MACHINE: delta(MACHINE_STATE, with_links(FOREIGN)), "host": delta(VIEW.states["host"], renamed)}
    assert concerns_columns(VIEW, changes)


def test_beside_the_bridges_of_a_rootless_podman_only_links_and_routes_are_history() -> None:
    """Podman's resolver asks from another port each time."""
    bridges = replace(MACHINE_STATE, netns=MACHINE_STATE.netns + 90)
    view = replace(VIEW, states=VIEW.states | {ROOTLESS_NETNS: bridges})
    asking = replace(bridges, listeners=(*bridges.listeners, make_listener(40123, "aardvark-dns", 5)))
    assert not concerns_columns(view, {ROOTLESS_NETNS: delta(bridges, asking)})
    routed = replace(asking, routes=(*bridges.routes, make_route("10.90.0.0/24", interface="eth0")))
    assert concerns_columns(view, {ROOTLESS_NETNS: delta(bridges, routed)})
