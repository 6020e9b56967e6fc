"""The multicast datagrams of “Try”: links, receivers and results."""

from __future__ import annotations

from dataclasses import replace

from dashboard.core.experiments.messages import ArmStatus, Column
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.state import Address, Family, Interface, NamespaceState, Route
from dashboard.core.paths.multicast import (
    expected_losses,
    joining_link,
    link_of,
    multicast_attempts,
    receiving_columns,
    sending_links,
)

LO = Interface("lo", 1, "loopback", addresses=(Address("127.0.0.1", 8, Family.INET),))
ETH0 = Interface("eth0", 2, "physical", addresses=(Address("192.0.2.2", 24, Family.INET),))
DOCKER0 = Interface("docker0", 3, "bridge", addresses=(Address("172.17.0.1", 16, Family.INET),))
OUTER = Interface("veth1", 7, "veth", peer="if2", master="docker0", peer_netns=20)
INNER = Interface("eth0", 2, "veth", peer="if7", addresses=(Address("172.17.0.2", 16, Family.INET),), peer_netns=10)
MACHINE_STATE = NamespaceState(
    netns=10, interfaces=(LO, ETH0, DOCKER0, OUTER), routes=(Route(Family.INET, "default", "192.0.2.1", "eth0"),)
)
BRIDGE_STATE = NamespaceState(
    netns=20, interfaces=(LO, INNER), routes=(Route(Family.INET, "default", "172.17.0.1", "eth0"),)
)
STATES = {
    MACHINE: MACHINE_STATE,
    "host": MACHINE_STATE,
    "bridge": BRIDGE_STATE,
    "shared": BRIDGE_STATE,
    "none": NamespaceState(netns=30, interfaces=(LO,)),
}
COLUMNS = tuple(Column(key, key, key, status=ArmStatus.RUNNING) for key in STATES)


def test_each_network_stack_receives_once_and_only_while_it_runs() -> None:
    assert [one.key for one in receiving_columns(COLUMNS, STATES)] == ["host", "bridge", "none"]
    ended = tuple(replace(one, status=ArmStatus.EXITED) if one.key == "host" else one for one in COLUMNS)
    assert [one.key for one in receiving_columns(ended, STATES)] == ["bridge", "none"]


def test_the_machine_sends_over_its_default_link_and_over_each_bridge_of_a_receiver() -> None:
    assert [one.name for one in sending_links(COLUMNS, STATES)] == ["eth0", "docker0"]
    assert [one.name for one in sending_links(COLUMNS[:2], STATES)] == ["eth0"]
    offline = {**STATES, MACHINE: replace(MACHINE_STATE, routes=())}
    assert [one.name for one in sending_links(COLUMNS, offline)] == ["docker0"]
    assert sending_links(COLUMNS, {"host": MACHINE_STATE}) == ()


def test_a_program_joins_on_the_default_link_or_the_first_with_an_address() -> None:
    assert joining_link(MACHINE_STATE) == ETH0
    assert joining_link(replace(BRIDGE_STATE, routes=())) == INNER
    assert joining_link(STATES["none"]) is None


def test_a_program_joins_on_the_link_of_the_default_route_with_the_lowest_metric() -> None:
    eth1 = Interface("eth1", 4, "physical", addresses=(Address("10.0.0.5", 24, Family.INET),))
    routes = (
        Route(Family.INET, "default", "192.0.2.1", "eth0", metric=20100),
        Route(Family.INET, "default", "10.0.0.1", "eth1", metric=100),
    )
    assert joining_link(replace(MACHINE_STATE, interfaces=(LO, ETH0, eth1), routes=routes)) == eth1


def test_a_datagram_arrives_or_has_a_reason() -> None:
    host, bridge, none = receiving_columns(COLUMNS, STATES)
    attempts = tuple(multicast_attempts(ETH0, (host, bridge, none), {"host": "192.0.2.2:4000"}, {"none": "no link"}))
    assert [(one.server, one.result, one.client_seen) for one in attempts] == [
        ("host", "received", "192.0.2.2:4000"),
        ("bridge", "The datagram did not arrive in bridge.", ""),
        ("none", "no link", ""),
    ]
    assert {(one.path, one.origin, one.key, link_of(one)) for one in attempts} == {("multicast", MACHINE, "", "eth0")}


def test_a_loss_is_expected_where_the_receiver_joins_behind_another_link() -> None:
    host, bridge, _none = columns = receiving_columns(COLUMNS, STATES)
    no_link = "none has no link with an IPv4 address, on which it could join the group"
    assert expected_losses(ETH0, columns, STATES) == {
        "bridge": "bridge joins the group on its own eth0, which multicast on the machine's eth0 does not reach",
        "none": no_link,
    }
    assert expected_losses(DOCKER0, columns, STATES) == {
        "host": "host joins the group on eth0, not on docker0",
        "none": no_link,
    }
    assert expected_losses(ETH0, (host, bridge), {"host": MACHINE_STATE}) == {}


def test_an_expected_loss_is_no_failure_and_an_unexpected_arrival_is_received() -> None:
    _host, bridge, _none = columns = receiving_columns(COLUMNS, STATES)
    losses = expected_losses(ETH0, columns, STATES)
    (lost,) = multicast_attempts(ETH0, (bridge,), {}, {}, losses)
    assert (lost.error, lost.reason) == ("", "")
    assert lost.result == f"The datagram did not arrive in bridge, as expected: {losses['bridge']}."
    (arrived,) = multicast_attempts(ETH0, (bridge,), {"bridge": "192.0.2.2:4000"}, {}, losses)
    assert (arrived.result, arrived.unavailable) == ("received", "")
    (failed,) = multicast_attempts(ETH0, (bridge,), {}, {"bridge": "The column no longer exists."}, losses)
    assert (failed.result, failed.unavailable) == ("The column no longer exists.", "")
