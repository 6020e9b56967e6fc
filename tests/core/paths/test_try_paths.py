"""Which ways a request can take, for every mode."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from dashboard.core.experiments.messages import ArmStatus, PublishedPort
from dashboard.core.paths.try_paths import Way, ways
from tests.core.builders import (
    MACHINE,
    Columns,
    States,
    end,
    engine_scenes,
    generated_scenes,
    make_interface,
    make_loopback,
    make_ports,
    make_route,
    make_scene,
    recorded_scene,
    with_column,
    without,
)

Found = tuple[tuple[str, str, str], ...]


def found(scene: tuple[Columns, States], server: str | None = None) -> list[tuple[str, str, str]]:
    """Path, from where, and the address (or why there is none)."""
    return [
        (way.path, way.origin, way.url.removeprefix("http://").removesuffix("/") or way.unavailable)
        for way in ways(*scene)
        if server in {None, way.server}
    ]


@pytest.mark.parametrize(
    ("modes", "server", "expected"),
    [
        (
            ("host",),
            "host",
            (
                ("loopback", "machine", "127.0.0.1:80"),
                ("machine-address", "machine", "192.0.2.2:80"),
                ("published-dnat", "machine", "the Engine discarded -p: host has no mapping"),
            ),
        ),
        (
            ("bridge",),
            "bridge",
            (
                ("inside", "bridge", "127.0.0.1:80"),
                ("bridge-address", "machine", "172.17.0.2:80"),
                ("published-proxy", "machine", "127.0.0.1:8080"),
                ("published-dnat", "machine", "192.0.2.2:8080"),
            ),
        ),
        (
            ("user-bridge",),
            "user-bridge",
            (
                ("inside", "user-bridge", "127.0.0.1:80"),
                ("bridge-address", "machine", "172.18.0.2:80"),
                ("published-proxy", "machine", "127.0.0.1:8080"),
                ("published-dnat", "machine", "192.0.2.2:8080"),
            ),
        ),
        (
            ("none",),
            "none",
            (("inside", "none", "127.0.0.1:80"), ("bridge-address", "machine", "none has no address")),
        ),
        (
            ("bridge", "container"),
            "container",
            (("inside", "container", "127.0.0.1:80"), ("bridge-address", "machine", "172.17.0.2:80")),
        ),
        (
            ("host", "container"),
            "container",
            (("loopback", "machine", "127.0.0.1:80"), ("machine-address", "machine", "192.0.2.2:80")),
        ),
        (
            ("macvlan",),
            "macvlan",
            (
                ("inside", "macvlan", "127.0.0.1:80"),
                (
                    "bridge-address",
                    "machine",
                    "a macvlan container cannot be reached by its own machine through the parent interface",
                ),
            ),
        ),
        (
            ("macvlan", "container"),
            "container",
            (
                ("inside", "container", "127.0.0.1:80"),
                (
                    "bridge-address",
                    "machine",
                    "a macvlan container cannot be reached by its own machine through the parent interface",
                ),
            ),
        ),
    ],
)
def test_every_mode_has_its_ways(modes: tuple[str, ...], server: str, expected: Found) -> None:
    assert found(make_scene(modes), server) == list(expected)


def bound_to(*addresses: str, port: int = 8080, **machine: Any) -> list[tuple[str, str, str]]:
    """The ways through the published port of a bridge arm, bound to these addresses."""
    columns, states = make_scene(("bridge",))
    columns = with_column(columns, "bridge", published=make_ports(port, 80, *addresses))
    states = states | {MACHINE: replace(states[MACHINE], **machine)}
    return [one for one in found((columns, states)) if one[0].startswith("published")]


#: What answered on Docker Engine 26.1.5, an IPv4-only bridge and a machine with 192.0.2.2 and 2001:db8::2.
@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        (
            ("0.0.0.0", "::"),
            (("published-proxy", "machine", "127.0.0.1:8080"), ("published-dnat", "machine", "192.0.2.2:8080")),
        ),
        (
            ("",),
            (("published-proxy", "machine", "127.0.0.1:8080"), ("published-dnat", "machine", "192.0.2.2:8080")),
        ),
        (
            ("127.0.0.1",),
            (
                ("published-proxy", "machine", "127.0.0.1:8080"),
                ("published-dnat", "machine", "bridge publishes on 127.0.0.1 only"),
            ),
        ),
        (
            ("127.0.0.2",),
            (
                ("published-proxy", "machine", "127.0.0.2:8080"),
                ("published-dnat", "machine", "bridge publishes on 127.0.0.2 only"),
            ),
        ),
        (("192.0.2.2",), (("published-dnat", "machine", "192.0.2.2:8080"),)),
        (
            ("::",),
            (("published-proxy", "machine", "[::1]:8080"), ("published-proxy", "machine", "[2001:db8::2]:8080")),
        ),
        (
            ("::1",),
            (
                ("published-proxy", "machine", "[::1]:8080"),
                ("published-dnat", "machine", "bridge publishes on ::1 only"),
            ),
        ),
        (("2001:db8::2",), (("published-proxy", "machine", "[2001:db8::2]:8080"),)),
    ],
)
def test_a_published_port_is_tried_where_it_is_bound(addresses: tuple[str, ...], expected: Found) -> None:
    assert bound_to(*addresses) == list(expected)


def test_a_machine_without_an_address_has_loopback_only() -> None:
    assert bound_to("0.0.0.0", "::", interfaces=(make_loopback(),), routes=()) == [
        ("published-proxy", "machine", "127.0.0.1:8080"),
        ("published-dnat", "machine", "the machine has no address besides loopback"),
    ]


def test_a_machine_with_ipv6_only_is_reached_through_docker_proxy() -> None:
    link = make_interface(addresses=("2001:db8::2/64",))
    route = make_route("default", "2001:db8::1", family="inet6")
    ways_through = bound_to("0.0.0.0", "::", interfaces=(make_loopback(), link), routes=(route,))
    assert ways_through[1] == ("published-proxy", "machine", "[2001:db8::2]:8080")


def test_ipv6_is_forwarded_to_a_container_that_has_it() -> None:
    columns, states = make_scene(("bridge",))
    columns = with_column(columns, "bridge", published=make_ports(8080, 80, "::"))
    links = tuple(
        replace(one, addresses=(*one.addresses, *make_interface(addresses=("2001:db8:1::2/64",)).addresses))
        for one in states["bridge"].interfaces
    )
    scene = columns, states | {"bridge": replace(states["bridge"], interfaces=links)}
    assert ("published-dnat", "machine", "[2001:db8::2]:8080") in found(scene)


def test_without_docker_proxy_loopback_is_forwarded_too() -> None:
    columns, states = make_scene(("bridge",))
    held = tuple(replace(one, process="dockerd") for one in states[MACHINE].listeners if one.port == 8080)
    scene = columns, states | {MACHINE: replace(states[MACHINE], listeners=held)}
    assert ("published-dnat", "machine", "127.0.0.1:8080") in found(scene)


def test_each_family_has_the_port_that_the_engine_gave_it() -> None:
    columns, states = make_scene(("bridge",))
    ports = (PublishedPort(80, "tcp", "::", 32769), PublishedPort(80, "tcp", "0.0.0.0", 32768))
    published = found((with_column(columns, "bridge", published=ports), states))
    assert ("published-proxy", "machine", "127.0.0.1:32768") in published


def test_a_port_that_is_not_published_says_which() -> None:
    columns, states = make_scene(("bridge",))
    assert found((with_column(columns, "bridge", port=81), states))[-1][2] == "bridge does not publish its port 81"
    udp = tuple(replace(one, protocol="udp") for one in make_ports())
    assert found((with_column(columns, "bridge", published=udp), states))[-1][2] == (
        "bridge does not publish its port 80"
    )


def test_host_mode_that_asked_for_nothing_has_no_discarded_way() -> None:
    assert [path for path, _, _ in found(make_scene(("host",), publish=None))] == ["loopback", "machine-address"]


def test_the_machine_reaches_an_overlay_through_the_gateway_bridge() -> None:
    """As on Docker 26: eth0 is the overlay's, eth1 and the default route are docker_gwbridge's."""
    columns, states = make_scene(("overlay",))
    links = (
        make_loopback(),
        make_interface("eth0", 20, "veth", peer="if21", addresses=("10.0.1.2/24",)),
        make_interface("eth1", 22, "veth", peer="if23", addresses=("172.19.0.3/16",)),
    )
    routes = (make_route(gateway="172.19.0.1", interface="eth1"), make_route("10.0.1.0/24", None))
    overlay = replace(states["overlay"], interfaces=links, routes=routes)
    columns = with_column(columns, "overlay", networks={"nm-7f2a9c-overlay": "10.0.1.2"})
    assert ("bridge-address", "machine", "172.19.0.3:80") in found((columns, states | {"overlay": overlay}))


def test_a_published_port_leads_to_the_program_s_own_port() -> None:
    for way in ways(*make_scene(("host", "bridge"))):
        assert way.server_port == 80


@pytest.mark.parametrize("status", [ArmStatus.EXITED, ArmStatus.REFUSED, ArmStatus.LOST, ArmStatus.CREATED])
def test_an_arm_that_does_not_run_has_no_ways(status: ArmStatus) -> None:
    columns, states = make_scene(("host", "bridge"))
    assert found((end(columns, "bridge", status), without(states, "bridge")), "bridge") == []


def test_without_the_machine_there_are_only_ways_inside() -> None:
    columns, states = make_scene(("bridge", "none"))
    assert [path for path, _, _ in found((columns, without(states, MACHINE)))] == ["inside", "inside"]


def test_what_was_recorded_from_an_engine_has_all_its_ways() -> None:
    assert found(recorded_scene(), "user-bridge") == [
        ("inside", "user-bridge", "127.0.0.1:80"),
        ("bridge-address", "machine", "172.18.0.2:80"),
        ("published-proxy", "machine", "127.0.0.1:8081"),
        ("published-dnat", "machine", "192.0.2.2:8081"),
    ]


@given(engine_scenes())
def test_a_way_has_an_address_or_a_reason(scene: tuple[Columns, States]) -> None:
    keys = {column.key for column in scene[0]}
    for way in ways(*scene):
        assert bool(way.address) is not bool(way.unavailable)
        assert bool(way.address) == bool(way.url) == bool(way.curl) == bool(way.port)
        assert {way.origin, way.server} <= keys
        assert way.title


@given(generated_scenes())
def test_ways_are_found_whatever_was_observed(scene: tuple[Columns, States]) -> None:
    for way in ways(*scene):
        assert bool(way.address) is not bool(way.unavailable)


def test_an_ipv6_address_is_typed_in_brackets() -> None:
    way = Way("loopback", "", MACHINE, "host", "::1", 80)
    assert (way.url, way.curl) == ("http://[::1]:80/", "curl -i http://[::1]:80/")
    assert (Way("inside", "", "a", "a").url, Way("inside", "", "a", "a").curl) == ("", "")
