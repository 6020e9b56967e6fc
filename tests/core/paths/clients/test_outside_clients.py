"""The addresses of the machine to which clients outside send requests."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.core.modes import NEIGHBOUR
from dashboard.core.namespaces.state import Family, Route
from dashboard.core.paths.clients.outside_clients import (
    OutsideClient,
    find_arrival,
    find_route,
    lan_address,
    outside_clients,
    route_gateway,
    why_unreachable,
)
from tests.core.builders import MACHINE, make_interface, make_loopback, make_state
from tests.core.scenes import make_scene, with_neighbour


@pytest.mark.parametrize(
    ("address", "gateway"),
    [("192.0.2.2", ""), ("172.17.0.2", "192.0.2.2"), ("198.51.100.1", "192.0.2.1"), ("2001:db8::2", None)],
)
def test_the_most_specific_route_decides(address: str, gateway: str | None) -> None:
    state = with_neighbour(*make_scene(("host",)))[1][NEIGHBOUR]
    assert route_gateway(state, address) == gateway


def test_the_lowest_metric_decides_among_equal_routes() -> None:
    routes = (
        Route(Family.INET, "default", "192.0.2.9", "wlan0", metric=600),
        Route(Family.INET, "default", "192.0.2.1", "eth0", metric=100),
    )
    found = find_route(make_state(routes=routes), "198.51.100.1")
    assert found is not None
    assert found.gateway == "192.0.2.1"


def test_a_machine_in_another_subnet_has_no_address_on_the_lan() -> None:
    states = with_neighbour(*make_scene(("host",)))[1]
    machine = states[MACHINE]
    found = lan_address(machine, states[NEIGHBOUR], Family.INET)
    assert found is not None
    assert (found[0], found[1].name) == ("192.0.2.2", "eth0")
    assert lan_address(replace(machine, interfaces=machine.interfaces[:1]), states[NEIGHBOUR], Family.INET) is None


def test_the_clients_on_the_lan_are_those_that_have_a_column() -> None:
    (client,) = outside_clients(with_neighbour(*make_scene(("host",)))[1])
    assert (client.key, client.noun, client.is_routed) == (NEIGHBOUR, "the neighbour", False)
    assert client.hop(make_interface("eth0", 2)) == "eth0 (LAN)"
    assert why_unreachable(client, make_state(interfaces=())) == ""


def routed(*routes: Route, addresses: tuple[str, ...] = ("198.51.100.7/24",)) -> OutsideClient:
    """A machine on another network than the one of the scene."""
    links = (
        make_loopback(),
        make_interface("ens3", 2, addresses=addresses),
        make_interface("docker0", 3, "bridge", addresses=("172.17.0.1/16",)),
    )
    bridge = Route(Family.INET, "172.17.0.0/16", None, "docker0")
    lan = make_state(interfaces=links, routes=(bridge, *routes))
    (kinds,) = {one.kinds for one in outside_clients(with_neighbour(*make_scene(("host",)))[1])}
    return OutsideClient("@lab2", "Machine lab2", lan, frozenset({Family.INET}), kinds, "lab2", is_routed=True)


DEFAULT = Route(Family.INET, "default", "198.51.100.1", "ens3")


def test_a_machine_on_another_network_reaches_what_its_routes_lead_to() -> None:
    machine = make_scene(("host",))[1][MACHINE]
    found = find_arrival(routed(DEFAULT), machine, Family.INET)
    assert found is not None
    assert (found[0], found[1].name) == ("192.0.2.2", "eth0")
    assert find_arrival(routed(DEFAULT), machine, Family.INET6) is None
    assert why_unreachable(routed(DEFAULT), machine) == ""


def test_a_common_network_is_preferred_to_a_gateway() -> None:
    machine = make_scene(("host",))[1][MACHINE]
    second = make_interface("eth1", 9, addresses=("198.51.100.2/24",))
    machine = replace(machine, interfaces=(*machine.interfaces, second))
    connected = Route(Family.INET, "198.51.100.0/24", None, "ens3")
    found = find_arrival(routed(DEFAULT, connected), machine, Family.INET)
    assert found is not None
    assert found[0] == "198.51.100.2"


def test_addresses_of_bridges_are_not_those_of_another_machine() -> None:
    machine = make_scene(("bridge",))[1][MACHINE]
    only = tuple(link for link in machine.interfaces if link.kind in {"loopback", "bridge", "veth"})
    machine = replace(machine, interfaces=only, routes=())
    assert find_arrival(routed(DEFAULT), machine, Family.INET) is None
    assert why_unreachable(routed(DEFAULT), machine) == "lab2 can reach no observed address of the machine"


@pytest.mark.parametrize(
    ("client", "reason"),
    [
        (routed(), "lab2 has no route to 192.0.2.2; lab2 has no route to 2001:db8::2"),
        (
            routed(DEFAULT, addresses=("192.0.2.2/24",)),
            "192.0.2.2 is also an address of lab2; lab2 has no route to 2001:db8::2",
        ),
        (
            routed(Route(Family.INET, "192.0.2.0/24", None, "docker0")),
            (
                "192.0.2.2 is in the subnet of docker0 on lab2: the request would reach a container there; lab2 has no "
                "route to 2001:db8::2"
            ),
        ),
    ],
)
def test_the_reason_why_a_client_cannot_reach_the_machine_is_stated(client: OutsideClient, reason: str) -> None:
    assert why_unreachable(client, make_scene(("host",))[1][MACHINE]) == reason
