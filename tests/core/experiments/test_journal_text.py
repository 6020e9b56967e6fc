"""Changes of a namespace, described for the journal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from dashboard.core.experiments.journal_text import (
    describe_cause,
    describe_changes,
    describe_restart,
    listening_process,
)
from dashboard.core.namespaces.delta import delta
from dashboard.core.namespaces.state import (
    Address,
    DirectDrop,
    Family,
    FirewallRules,
    HostsEntry,
    Interface,
    Listener,
    Lookup,
    NamespaceState,
    Protocol,
    Resolver,
    Route,
    Translation,
    UnreadRules,
)
from tests.core.builders import make_address, make_interface, make_listener, make_route, make_state
from tests.core.strategies import states

HERE = ("this machine",)


def describe(before: NamespaceState, titles: tuple[str, ...] = HERE, **after: Any) -> str:
    """The description of a change of these fields."""
    return describe_changes(before, delta(before, replace(before, **after)), titles)


def with_link(*more: Interface) -> dict[str, Any]:
    return {"interfaces": (*make_state().interfaces, *more)}


def with_eth0(**fields: Any) -> dict[str, Any]:
    lo, eth0 = make_state().interfaces
    return {"interfaces": (lo, replace(eth0, **fields))}


def opened(*listeners: Any) -> dict[str, Any]:
    return {"listeners": (*make_state().listeners, *listeners)}


@pytest.mark.parametrize(
    ("after", "sentence"),
    [
        (opened(make_listener(9000, "python3", 41)), "python3 opens :9000 on this machine"),
        (opened(make_listener(9000, None, None)), "a process opens :9000 on this machine"),
        (opened(make_listener(53, "dnsmasq", 4, protocol=Protocol.UDP)), "dnsmasq opens udp :53 on this machine"),
        ({"listeners": ()}, "sshd closes :22 on this machine"),
        (
            with_link(make_interface("wg0", 9, "wireguard", addresses=("10.0.0.1/24",))),
            "interface wg0 appears with 10.0.0.1/24 on this machine",
        ),
        (with_link(make_interface("dummy0", 9, "dummy")), "interface dummy0 appears on this machine"),
        (
            with_link(make_interface("dummy0", 9, "dummy", addresses=("fe80::9/64",))),
            "interface dummy0 appears on this machine",
        ),
        ({"interfaces": make_state().interfaces[:1]}, "interface eth0 disappears on this machine"),
        (with_eth0(up=False), "eth0 goes down on this machine"),
        (with_eth0(mtu=1400), "eth0: MTU changes from 1500 to 1400 on this machine"),
        (with_eth0(master="br0"), "eth0 joins bridge br0 on this machine"),
        (
            {"interfaces": (*with_eth0(master="bond0")["interfaces"], make_interface("bond0", 9, "bond"))},
            "eth0 joins bond bond0, interface bond0 appears on this machine",
        ),
        (with_eth0(mac="02:42:00:00:00:99"), "eth0 changes on this machine"),
        (
            with_eth0(addresses=(make_address("192.0.2.7"),)),
            "eth0 gets 192.0.2.7/24, eth0 loses 192.0.2.2/24 on this machine",
        ),
        (
            {"routes": (*make_state().routes, make_route("10.0.0.0/8"))},
            "route to 10.0.0.0/8 appears on this machine",
        ),
        ({"routes": make_state().routes[:1]}, "route to default disappears on this machine"),
        ({"sysctls": {"net.ipv4.ip_forward": "0"}}, "net.ipv4.ip_forward is now 0 on this machine"),
        ({"resolver": Resolver(("9.9.9.9",))}, "the resolver changes on this machine"),
        ({"hosts": (HostsEntry("127.0.0.1", ("x",)),)}, "the hosts file changes on this machine"),
        ({"hostname": "web"}, "the host name is now web on this machine"),
        ({"lookups": (Lookup("web", "no answer"),)}, ""),
        ({"namespaces": {"mnt": 5}}, ""),
        ({}, ""),
    ],
)
def test_a_change_is_described_in_one_sentence(after: dict[str, Any], sentence: str) -> None:
    assert describe(make_state(), **after) == sentence


def test_leaving_a_bridge_is_described() -> None:
    before = replace(make_state(), **with_eth0(master="br0"))
    assert describe(before, **with_eth0()) == "eth0 leaves bridge br0 on this machine"


def test_leaving_a_bond_is_described_by_its_kind() -> None:
    bond = make_interface("bond0", 9, "bond")
    before = replace(make_state(), interfaces=(*with_eth0(master="bond0")["interfaces"], bond))
    assert describe(before, **with_link(bond)) == "eth0 leaves bond bond0 on this machine"


def test_a_changed_route_is_not_described_as_removed() -> None:
    routes = (make_route(gateway="192.0.2.9"), make_state().routes[0])
    assert describe(make_state(), routes=routes) == "route to default appears on this machine"


def test_routes_that_come_with_an_address_are_left_out() -> None:
    after = with_eth0(addresses=(make_address("192.0.2.2"), make_address("10.0.0.2")))
    text = describe(make_state(), **after, routes=(*make_state().routes, make_route("10.0.0.0/24", None)))
    assert text == "eth0 gets 10.0.0.2/24 on this machine"


def test_both_sockets_of_a_server_are_described_once() -> None:
    both = (make_listener(80), make_listener(80, family="inet6", address="::", v6only=True))
    assert describe(make_state(), **opened(*both)) == "nginx opens :80 on this machine"


def test_an_owner_that_was_found_later_is_left_out() -> None:
    before = make_state(listeners=(make_listener(80, None, None),))
    assert describe(before, listeners=(make_listener(80, "nginx", 4),)) == ""


def test_a_veth_pair_is_described_once_when_it_joins_a_bridge() -> None:
    cable = make_interface("veth1a2b3c4", 9, "veth", peer="if8")
    before = make_state()
    assert describe(before, **with_link(cable)) == ""
    plugged = with_link(replace(cable, master="docker0"))
    assert describe(before, **plugged) == "veth1a2b3c4 joins bridge docker0 on this machine"
    assert (
        describe(replace(before, **with_link(cable)), **plugged) == "veth1a2b3c4 joins bridge docker0 on this machine"
    )
    up = with_link(replace(cable, master="docker0", addresses=(make_address("fe80::9", 64),)))
    assert describe(replace(before, **plugged), **up) == ""
    assert describe(replace(before, **plugged), interfaces=before.interfaces) == ""


@pytest.mark.parametrize(
    ("titles", "place"),
    [
        (("this machine",), "on this machine"),
        (("bridge",), "in bridge"),
        (("bridge", "container"), "in bridge and container"),
        (("this machine", "host"), "on this machine (shared by host)"),
        (("this machine", "host", "host-2"), "on this machine (shared by host and host-2)"),
    ],
)
def test_the_place_of_a_change_is_described(titles: tuple[str, ...], place: str) -> None:
    assert describe(make_state(), titles, hostname="web") == f"the host name is now web {place}"


def test_many_changes_are_one_short_sentence() -> None:
    crowd = tuple(make_listener(9000 + number, "worker", number) for number in range(50))
    assert describe(make_state(), **opened(*crowd)) == (
        "worker opens :9000, worker opens :9001, worker opens :9002 and 47 more on this machine"
    )


@given(states, states)
def test_any_change_can_be_described(before: NamespaceState, after: NamespaceState) -> None:
    text = describe_changes(before, delta(before, after), HERE)
    assert text == "" or text.endswith(" on this machine")
    assert len(text) < 700
    assert describe_changes(before, delta(before, before), HERE) == ""


@pytest.mark.parametrize(
    ("listeners", "process"),
    [
        ((), ""),
        ((make_listener(80, None, None),), ""),
        ((make_listener(80, "nginx", None),), "nginx"),
        ((make_listener(80, None, None), make_listener(81, "nginx", 4711)), "nginx 4711"),
    ],
)
def test_the_process_behind_a_change_is_named(listeners: tuple[Any, ...], process: str) -> None:
    before = make_state(listeners=())
    assert listening_process(delta(before, replace(before, listeners=listeners))) == process


LO = Interface("lo", 1, "loopback")
ETH = Interface("eth0", 2, "veth")
ADDRESS = Address("10.0.0.1", 24, Family.INET)
WEB = Listener(Protocol.TCP, Family.INET, "0.0.0.0", 80)
BASE = NamespaceState(7, interfaces=(LO, ETH), listeners=(WEB,), sysctls={"net.x": "1"})


@pytest.mark.parametrize(
    ("after", "cause"),
    [
        (BASE, ""),
        (replace(BASE, interfaces=(LO,)), "link eth0"),
        (replace(BASE, interfaces=(LO, ETH, Interface("eth1", 3, "veth"))), "link eth1"),
        (replace(BASE, interfaces=(LO, replace(ETH, mtu=9000))), "link eth0"),
        (replace(BASE, interfaces=(LO, replace(ETH, name="w0"))), "link w0"),
        (replace(BASE, interfaces=(LO, replace(ETH, addresses=(ADDRESS,)))), "address eth0"),
        (replace(BASE, interfaces=(LO, replace(ETH, addresses=(ADDRESS,), up=False))), "link eth0"),
        (
            replace(BASE, interfaces=(replace(LO, addresses=(ADDRESS,)), replace(ETH, up=False))),
            "link eth0, address lo",
        ),
        (replace(BASE, routes=(Route(Family.INET, "default"),)), "route"),
        (
            replace(
                BASE, interfaces=(LO, replace(ETH, addresses=(ADDRESS,))), routes=(Route(Family.INET, "10.0.0.0/24"),)
            ),
            "address eth0, route",
        ),
        (replace(BASE, listeners=()), "listener tcp :80"),
        (replace(BASE, listeners=(replace(WEB, pid=7),)), "listener tcp :80"),
        (replace(BASE, listeners=(WEB, replace(WEB, protocol=Protocol.UDP, port=53))), "listener udp :53"),
        (
            replace(BASE, listeners=tuple(replace(WEB, port=port) for port in (80, 1, 2, 3, 4))),
            "listener tcp :1, listener tcp :2, listener tcp :3, …",
        ),
        (replace(BASE, sysctls={"net.x": "2"}), "sysctl"),
        (replace(BASE, resolver=Resolver()), "resolver"),
        (
            replace(BASE, hosts=(HostsEntry("127.0.0.1", ("x",)),), lookups=(Lookup("x", "no answer"),)),
            "hosts file, lookups",
        ),
    ],
)
def test_a_cause_names_the_most_important_change_first(after: NamespaceState, cause: str) -> None:
    assert describe_cause(BASE, delta(BASE, after)) == cause
    assert bool(describe_cause(after, delta(after, BASE))) == bool(cause)


@pytest.mark.parametrize(
    ("kept", "version", "text"),
    [
        ((), "", "The Engine was restarted"),
        ((), "28.5.2", "The Engine was restarted with version 28.5.2"),
        (("bridge",), "", "The Engine was restarted; the container of bridge kept running"),
        (("a", "b", "c"), "", "The Engine was restarted; the containers of a, b and c kept running"),
    ],
)
def test_a_restart_names_the_arms_that_kept_running(kept: tuple[str, ...], version: str, text: str) -> None:
    assert describe_restart(kept, version) == text


def test_nat_rules_that_appear_or_disappear_are_described() -> None:
    none = make_state(firewall=FirewallRules())
    rule = Translation(Protocol.TCP, Family.INET, 8080, "172.17.0.2", 80)
    udp = replace(rule, protocol=Protocol.UDP, family=Family.INET6, to_address="fd00::2", to_port=53)
    some = replace(none, firewall=FirewallRules((rule, udp)))
    assert describe(none, firewall=some.firewall) == (
        "nat rule :8080 → 172.17.0.2:80, udp :8080 → [fd00::2]:53 appears on this machine"
    )
    assert describe(some, firewall=FirewallRules((udp,))) == "nat rule :8080 → 172.17.0.2:80 disappears on this machine"
    assert describe_cause(none, delta(none, some)) == "nat rules"
    drops = replace(none, firewall=FirewallRules(direct_drops=(DirectDrop(Family.INET, "172.17.0.2"),)))
    assert describe_cause(none, delta(none, drops)) == "filter rules"
    unread = FirewallRules(unread=(UnreadRules(Family.INET, "iptables-save is not installed"),))
    assert (
        describe(none, firewall=unread) == "nat rules are not readable (iptables-save is not installed) on this machine"
    )


def test_containers_that_were_started_again_after_a_restart_are_named() -> None:
    text = "The Engine was restarted; the container of a ended and was started again"
    assert describe_restart((), "", ("a",)) == text
    text = "The Engine was restarted with version 28.5.2; the container of a kept running; "
    text += "the containers of b and c ended and were started again"
    assert describe_restart(("a",), "28.5.2", ("b", "c")) == text
