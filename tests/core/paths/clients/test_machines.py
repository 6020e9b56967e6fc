"""Paths from other machines of the installation."""

from __future__ import annotations

import pytest

from dashboard.core.measurements.measurement import Probe
from dashboard.core.measurements.schedule import make_series
from dashboard.core.namespaces.state import Family, Route
from dashboard.core.paths.clients.machines import MachineClient, address_problem, visible_part, without_trace
from dashboard.core.paths.finder import find_paths, measured_paths
from dashboard.core.paths.model import Path, PathKind, client_machine, kind_of, network_of, without_network
from dashboard.core.paths.requests import new_attempt, request_key, requested_paths
from tests.core.builders import make_interface, make_loopback, make_state
from tests.core.scenes import make_scene

LAB2 = MachineClient(
    "lab2",
    make_state(
        interfaces=(
            make_loopback(),
            make_interface("ens3", 2, addresses=("198.51.100.7/24", "2001:db8:5::7/64")),
            make_interface("docker0", 3, "bridge", addresses=("172.17.0.1/16",)),
        ),
        routes=(
            Route(Family.INET, "default", "198.51.100.1", "ens3"),
            Route(Family.INET, "172.17.0.0/16", None, "docker0"),
            Route(Family.INET6, "default", "fe80::1", "ens3"),
        ),
    ),
)
NEAR = MachineClient(
    "near",
    make_state(
        interfaces=(make_loopback(), make_interface("eth0", 2, addresses=("192.0.2.77/24",))),
        routes=(
            Route(Family.INET, "192.0.2.0/24", None, "eth0"),
            Route(Family.INET, "172.17.0.0/16", "192.0.2.2", "eth0"),
        ),
    ),
)
#: Its uplink is on a bridge.
BRIDGED = MachineClient(
    "bridged",
    make_state(
        interfaces=(
            make_loopback(),
            make_interface("ens3", 2),
            make_interface("br0", 3, "bridge", addresses=("192.0.2.78/24",)),
            make_interface("docker0", 4, "bridge", addresses=("172.17.0.1/16",)),
        ),
        routes=(
            Route(Family.INET, "default", "192.0.2.1", "br0"),
            Route(Family.INET, "192.0.2.0/24", None, "br0"),
            Route(Family.INET, "172.17.0.0/16", None, "docker0"),
        ),
    ),
)
GONE = MachineClient("gone", problem="The lab of the machine gone is not connected.")


def from_machines(paths: tuple[Path, ...]) -> list[Path]:
    return [path for path in paths if path.kind.startswith("from-machine")]


def test_without_other_machines_there_are_no_such_paths() -> None:
    assert from_machines(find_paths(*make_scene(("host", "bridge")))) == []


def test_another_machine_reaches_host_mode_and_published_ports() -> None:
    paths = from_machines(requested_paths(*make_scene(("host", "bridge")), [LAB2]))
    assert [(path.client, path.server, path.target) for path in paths if path.address] == [
        ("@lab2", "host", "192.0.2.2:80"),
        ("@lab2", "host", "[2001:db8::2]:80"),
        ("@lab2", "bridge", "192.0.2.2:8081"),
        ("@lab2", "bridge", "[2001:db8::2]:8081"),
    ]
    assert paths[0].title == "Machine lab2 to host, at the machine's address"
    assert paths[0].hops == ("eth0 (from lab2)",)
    assert paths[2].hops[1].startswith("DNAT 192.0.2.2:8081")
    (own,) = [path for path in paths if path.kind is PathKind.FROM_MACHINE_CONTAINER]
    assert own.unavailable.startswith("172.17.0.2 is in a subnet of lab2 itself")


def test_a_route_through_the_machine_leads_to_the_container_itself() -> None:
    paths = from_machines(requested_paths(*make_scene(("bridge",)), [NEAR]))
    (own,) = [path for path in paths if path.kind is PathKind.FROM_MACHINE_CONTAINER]
    assert (own.target, own.hops[0]) == ("172.17.0.2:80", "eth0 (from near)")


def test_arms_that_a_machine_cannot_reach_are_shown_with_the_reason() -> None:
    lost = MachineClient("lost", make_state(interfaces=(make_loopback(),), routes=()))
    paths = from_machines(requested_paths(*make_scene(("host", "bridge")), [lost, GONE]))
    assert {path.client: path.unavailable for path in paths if path.server == "host"} == {
        "@lost": "lost has no route to 192.0.2.2; lost has no route to 2001:db8::2",
        "@gone": GONE.problem,
    }
    assert {path.unavailable for path in paths if path.server == "bridge"} == {
        "lost has no route to 192.0.2.2; lost has no route to 2001:db8::2"
    }


def test_host_mode_and_published_ports_are_measured_over_ipv4_from_each_machine() -> None:
    paths = from_machines(measured_paths(*make_scene(("host", "bridge")), [LAB2, NEAR, GONE]))
    assert [path.key for path in paths] == [
        "host/from-machine-address@lab2",
        "host/from-machine-address@near",
        "bridge/from-machine-published@lab2",
        "bridge/from-machine-published@near",
        "host/from-machine-address@gone",
    ]
    assert [one.path.client for one in make_series(paths, [Probe.TCP_RR])] == ["@lab2", "@near", "@lab2", "@near"]


@pytest.mark.parametrize(
    ("name", "kind", "mark"),
    [
        ("from-machine-address@lab-ipv6", "from-machine-address", "from-machine-address"),
        ("from-machine-published-ipv6@lab2.1", "from-machine-published", "from-machine-published-ipv6"),
    ],
)
def test_the_machine_is_no_part_of_the_kind(name: str, kind: str, mark: str) -> None:
    assert (kind_of(name), without_network(name), network_of(name)) == (kind, mark, 1)
    assert client_machine(name) == name.partition("@")[2]


def test_requests_of_two_machines_have_different_keys_and_no_trace() -> None:
    paths = [path for path in requested_paths(*make_scene(("host",)), [LAB2, NEAR]) if path.target == "192.0.2.2:80"]
    keys = [request_key(path) for path in from_machines(tuple(paths))]
    assert keys == [f"host/from-machine-address@{name}/192.0.2.2:80" for name in ("lab2", "near")]
    assert without_trace(new_attempt(paths[-1])).key == ""


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("192.0.2.2", ""),
        ("2001:db8::2", ""),
        ("127.0.0.1", "is not an address of another machine"),
        ("0.0.0.0", "is not an address of another machine"),
        ("169.254.169.254", "is not an address of another machine"),
        ("224.0.0.1", "is not an address of another machine"),
        ("::1", "is not an address of another machine"),
        ("198.51.100.7", "is an address of this machine itself"),
        ("172.17.0.1", "is an address of this machine itself"),
        ("172.17.0.9", "is in the subnet of docker0 on this machine"),
        ("example.org", "is not an IP address"),
        ("2001:db8:5::7", "is an address of this machine itself"),
        ("2001:DB8:5::7", "is not in the usual form of an IP address: write 2001:db8:5::7"),
        ("2001:0db8:5::7", "is not in the usual form"),
        ("2001:db8:5:0:0:0:0:7", "is not in the usual form"),
        ("2001:db8:5::7%1", "names an interface of this machine"),
        ("::ffff:127.0.0.1", "is an IPv4 address in the form of an IPv6 address"),
        ("::ffff:7f00:1", "is an IPv4 address in the form of an IPv6 address"),
        ("::FFFF:169.254.169.254", "is an IPv4 address in the form of an IPv6 address"),
        ("::ffff:198.51.100.7", "is an IPv4 address in the form of an IPv6 address"),
        ("::ffff:172.17.0.2", "is an IPv4 address in the form of an IPv6 address"),
        ("::ffff:192.0.2.2", "is an IPv4 address in the form of an IPv6 address"),
        ("64:ff9b::7f00:1", "leads to an IPv4 address: 127.0.0.1 is not an address of another machine"),
        ("64:ff9b::ac11:9", "leads to an IPv4 address: 172.17.0.9 is in the subnet of docker0"),
        ("64:ff9b::c000:202", ""),
    ],
)
def test_a_lab_sends_nothing_to_its_own_machine_or_its_containers(address: str, problem: str) -> None:
    assert LAB2.state is not None
    found = address_problem(LAB2.state, address)
    assert (problem in found) if problem else not found


def test_a_machine_with_its_uplink_on_a_bridge_sends_what_try_lists() -> None:
    """It sends nothing to its own containers."""
    assert BRIDGED.state is not None
    found = from_machines(requested_paths(*make_scene(("host", "bridge")), [BRIDGED]))
    listed = [path.address for path in found if not path.unavailable]
    assert listed
    assert [address_problem(BRIDGED.state, address) for address in listed] == [""] * len(listed)
    assert "is in the subnet of docker0" in address_problem(BRIDGED.state, "172.17.0.9")
    assert "is an address of this machine itself" in address_problem(BRIDGED.state, "192.0.2.78")


def test_other_machines_receive_only_interfaces_and_routes() -> None:
    machine = make_scene(("host",))[1]["machine"]
    shown = visible_part(machine)
    assert (shown.interfaces, shown.routes) == (machine.interfaces, machine.routes)
    assert (shown.listeners, shown.hosts, shown.resolver, shown.hostname) == ((), (), None, "")
