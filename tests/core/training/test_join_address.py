"""The address with which participants join: one that other devices can open, or what to do."""

from __future__ import annotations

import pytest

from dashboard.core.namespaces.state import Address, Family, Interface, NamespaceState, Route
from dashboard.core.training.join_address import (
    JoinAddress,
    ServedAt,
    choose_join_address,
    is_local,
    reachable_addresses,
)

LOCAL = "http://127.0.0.1:8000"
NAMES = ("127.0.0.1", "localhost", "[::1]")


def served(listening: str = "127.0.0.1", *allowed: str, own: tuple[str, ...] = ("192.0.2.2",)) -> ServedAt:
    return ServedAt(8000, (listening,), own, (*NAMES, *allowed), configured=allowed)


@pytest.mark.parametrize(
    ("origin", "local"),
    [
        ("http://127.0.0.1:8000", True),
        ("http://127.8.8.8", True),
        ("http://localhost:8000", True),
        ("http://class.localhost", True),
        ("http://[::1]:8000", True),
        ("http://0.0.0.0:8000", True),
        ("http://192.0.2.2:8000", False),
        ("http://[2001:db8::2]", False),
        ("https://netmodes.example.org", False),
        ("http://localhost.example.org", False),
    ],
)
def test_an_address_that_leads_each_device_to_itself_is_local(origin: str, local: bool) -> None:
    assert is_local(origin) is local


def test_an_address_that_others_can_open_stays() -> None:
    assert choose_join_address("https://netmodes.example.org", served()) == JoinAddress("https://netmodes.example.org")


def test_a_reverse_proxy_comes_before_the_machines_addresses() -> None:
    server = ServedAt(8000, ("0.0.0.0",), ("192.0.2.2",), (*NAMES, "192.0.2.2"), ("https://class.example.org",))
    assert choose_join_address(LOCAL, server) == JoinAddress("https://class.example.org")
    local = ServedAt(8000, ("0.0.0.0",), ("192.0.2.2",), (*NAMES, "192.0.2.2"), ("https://localhost",))
    assert choose_join_address(LOCAL, local) == JoinAddress("http://192.0.2.2:8000")


@pytest.mark.parametrize("listening", ["0.0.0.0", "192.0.2.2"])
def test_an_address_on_which_the_server_listens_is_chosen_without_a_setting(listening: str) -> None:
    chosen = choose_join_address(LOCAL, served(listening, "192.0.2.2"))
    assert chosen == JoinAddress("http://192.0.2.2:8000")
    assert chosen.shown == "192.0.2.2:8000/join/"


@pytest.mark.parametrize(
    "server",
    [served(), served("0.0.0.0"), served("127.0.0.1", "192.0.2.2"), served("198.51.100.1", "192.0.2.2")],
    ids=["loopback", "not allowed", "allowed, loopback", "another address"],
)
def test_without_such_an_address_the_command_that_provides_one_is_named(server: ServedAt) -> None:
    chosen = choose_join_address(LOCAL, server)
    assert (chosen.origin, chosen.is_local, chosen.others) == (LOCAL, True, ("http://192.0.2.2:8000",))
    assert chosen.command == "NETMODES_ALLOWED_HOSTS='192.0.2.2' ./netmodes up --host 0.0.0.0 --port 8000"


def test_the_command_keeps_the_names_that_are_allowed_already() -> None:
    chosen = choose_join_address(LOCAL, served("127.0.0.1", "class.example.org"))
    assert "='class.example.org,192.0.2.2' " in chosen.command


def test_the_command_leads_to_the_address_that_it_promises() -> None:
    before = choose_join_address(LOCAL, served())
    after = choose_join_address(LOCAL, served("0.0.0.0", "192.0.2.2"))
    assert not after.is_local
    assert after.origin in before.others


def test_a_machine_with_ipv6_only_gets_its_ipv6_address() -> None:
    chosen = choose_join_address(LOCAL, served(own=("2001:db8::2",)))
    assert chosen.others == ("http://[2001:db8::2]:8000",)
    assert "='[2001:db8::2]' ./netmodes up --host :: " in chosen.command
    reached = choose_join_address("http://[::1]:8000", served("::", "[2001:db8::2]", own=("2001:db8::2",)))
    assert reached == JoinAddress("http://[2001:db8::2]:8000")


def test_a_machine_without_another_address_has_no_command() -> None:
    assert choose_join_address(LOCAL, served(own=())) == JoinAddress(LOCAL, is_local=True)


def test_port_80_is_not_written() -> None:
    server = ServedAt(80, ("0.0.0.0",), ("192.0.2.2",), ("192.0.2.2",))
    assert choose_join_address("http://localhost", server).shown == "192.0.2.2/join/"


def link(name: str, kind: str, address: str, scope: str = "global", *, up: bool = True) -> Interface:
    return Interface(name, 1, kind, up=up, addresses=(Address(address, 24, Family.INET, scope),))


def test_addresses_of_containers_and_of_the_machine_alone_are_left_out() -> None:
    links = (
        link("lo", "loopback", "127.0.0.1", "host"),
        link("docker0", "bridge", "172.17.0.1"),
        link("veth1", "veth", "10.200.0.1"),
        link("wlan0", "physical", "198.51.100.7"),
        link("eth1", "physical", "203.0.113.1", up=False),
        link("eth0", "physical", "192.0.2.2"),
        link("eth0", "physical", "169.254.1.1", "link"),
    )
    routes = (Route(Family.INET, "default", "192.0.2.1", "eth0"),)
    assert reachable_addresses(NamespaceState(0, interfaces=links, routes=routes)) == ("192.0.2.2", "198.51.100.7")
    behind_bridge = (link("br0", "bridge", "192.0.2.2"), *links[:3])
    routes = (Route(Family.INET, "default", "192.0.2.1", "br0"),)
    assert reachable_addresses(NamespaceState(0, interfaces=behind_bridge, routes=routes)) == ("192.0.2.2",)
