"""The paths that are requested, for every mode."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from dashboard.core.experiments.messages import ArmStatus, PublishedPort
from dashboard.core.namespaces.state import Family
from dashboard.core.paths.model import Path, PathKind
from dashboard.core.paths.requests import new_attempt, path_to_compare, request_key, requested_paths
from tests.core.builders import (
    MACHINE,
    Columns,
    States,
    end,
    make_interface,
    make_listener,
    make_loopback,
    make_ports,
    make_route,
    with_column,
    without,
)
from tests.core.scenes import make_scene, recorded_scene
from tests.core.strategies import engine_scenes, generated_scenes

Requests = tuple[tuple[str, str, str], ...]
NO_MACVLAN = (
    "{} is a macvlan on eth0: the kernel passes nothing between a macvlan and the machine through the parent interface"
)


def requests(scene: tuple[Columns, States], server: str | None = None) -> list[tuple[str, str, str]]:
    """Kind, client, and the target or the reason why it is missing."""
    return [
        (str(path.kind), path.client, path.target or path.unavailable)
        for path in requested_paths(*scene)
        if server in {None, path.server}
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
                ("published-dnat", "machine", "the Engine discarded -p: host uses the machine's own ports"),
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
            (
                ("inside", "none", "127.0.0.1:80"),
                ("bridge-address", "machine", "none has loopback only: no interface leads to it"),
            ),
        ),
        (
            ("bridge", "container"),
            "container",
            (("inside", "container", "127.0.0.1:80"), ("bridge-address", "machine", "172.17.0.2:80")),
        ),
        (
            ("host", "container"),
            "container",
            (
                (
                    "loopback",
                    "machine",
                    "nginx of another container holds port 80: a request would not reach container",
                ),
            ),
        ),
        (
            ("macvlan",),
            "macvlan",
            (
                ("inside", "macvlan", "127.0.0.1:80"),
                (
                    "bridge-address",
                    "machine",
                    NO_MACVLAN.format("macvlan"),
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
                    NO_MACVLAN.format("container"),
                ),
            ),
        ),
    ],
)
def test_every_mode_has_its_paths(modes: tuple[str, ...], server: str, expected: Requests) -> None:
    assert requests(make_scene(modes), server) == list(expected)


def bound_to(*addresses: str, port: int = 8080, **machine: Any) -> list[tuple[str, str, str]]:
    """The requests to the published port of a bridge arm, bound to these addresses."""
    columns, states = make_scene(("bridge",))
    columns = with_column(columns, "bridge", published=make_ports(port, 80, *addresses))
    states = states | {MACHINE: replace(states[MACHINE], **machine)}
    return [request for request in requests((columns, states)) if request[0].startswith("published")]


#: The paths that answered on Docker Engine 26.1.5, an IPv4-only bridge and a machine with 192.0.2.2 and 2001:db8::2.
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
def test_a_published_port_is_requested_where_it_is_bound(addresses: tuple[str, ...], expected: Requests) -> None:
    assert bound_to(*addresses) == list(expected)


def test_a_machine_without_an_address_has_loopback_only() -> None:
    assert bound_to("0.0.0.0", "::", interfaces=(make_loopback(),), routes=()) == [
        ("published-proxy", "machine", "127.0.0.1:8080"),
        ("published-dnat", "machine", "the machine has no IPv4 address except loopback and link-local ones"),
    ]


def test_a_machine_without_an_ipv6_address_is_not_said_to_have_no_address() -> None:
    assert bound_to("::", interfaces=(make_loopback(), make_interface(addresses=("192.0.2.2/24", "fe80::2/64")))) == [
        ("published-proxy", "machine", "[::1]:8080"),
        ("published-dnat", "machine", "the machine has no IPv6 address except loopback and link-local ones"),
    ]


def test_a_machine_with_ipv6_only_is_reached_through_docker_proxy() -> None:
    link = make_interface(addresses=("2001:db8::2/64",))
    route = make_route("default", "2001:db8::1", family="inet6")
    published = bound_to("0.0.0.0", "::", interfaces=(make_loopback(), link), routes=(route,))
    assert published[1] == ("published-proxy", "machine", "[2001:db8::2]:8080")


def test_ipv6_is_forwarded_to_a_container_that_has_it() -> None:
    columns, states = make_scene(("bridge",))
    columns = with_column(columns, "bridge", published=make_ports(8080, 80, "::"))
    links = tuple(
        replace(one, addresses=(*one.addresses, *make_interface(addresses=("2001:db8:1::2/64",)).addresses))
        for one in states["bridge"].interfaces
    )
    scene = columns, states | {"bridge": replace(states["bridge"], interfaces=links)}
    assert ("published-dnat", "machine", "[2001:db8::2]:8080") in requests(scene)


def test_without_docker_proxy_loopback_is_translated_too() -> None:
    columns, states = make_scene(("bridge",))
    held = tuple(replace(one, process="dockerd") for one in states[MACHINE].listeners if one.port == 8080)
    scene = columns, states | {MACHINE: replace(states[MACHINE], listeners=held)}
    assert ("published-dnat", "machine", "127.0.0.1:8080") in requests(scene)


def test_each_family_has_the_port_that_the_engine_gave_it() -> None:
    columns, states = make_scene(("bridge",))
    ports = (PublishedPort(80, "tcp", "::", 32769), PublishedPort(80, "tcp", "0.0.0.0", 32768))
    proxy = make_listener(32768, "docker-proxy")
    states[MACHINE] = replace(states[MACHINE], listeners=(*states[MACHINE].listeners, proxy))
    published = requests((with_column(columns, "bridge", published=ports), states))
    assert ("published-proxy", "machine", "127.0.0.1:32768") in published


def test_a_port_that_is_not_published_is_named() -> None:
    columns, states = make_scene(("bridge",))
    assert requests((with_column(columns, "bridge", port=81), states))[-1][2] == "bridge does not publish 81/tcp"
    udp = tuple(replace(one, protocol="udp") for one in make_ports())
    assert requests((with_column(columns, "bridge", published=udp), states))[-1][2] == "bridge does not publish 80/tcp"


def test_host_mode_without_a_requested_port_has_no_discarded_path() -> None:
    assert [kind for kind, _, _ in requests(make_scene(("host",), publish=None))] == ["loopback", "machine-address"]


def test_the_machine_reaches_an_overlay_through_the_gateway_bridge() -> None:
    """As with Docker 26: eth0 belongs to the overlay, eth1 and the default route to docker_gwbridge."""
    columns, states = make_scene(("overlay",))
    links = (
        make_loopback(),
        make_interface("eth0", 20, "veth", peer="if21", addresses=("10.0.1.2/24",)),
        make_interface("eth1", 22, "veth", peer="if23", addresses=("172.19.0.3/16",)),
    )
    routes = (make_route(gateway="172.19.0.1", interface="eth1"), make_route("10.0.1.0/24", None))
    overlay = replace(states["overlay"], interfaces=links, routes=routes)
    columns = with_column(columns, "overlay", networks={"nm-7f2a9c-overlay": "10.0.1.2"})
    machine = replace(
        states[MACHINE],
        interfaces=(
            *states[MACHINE].interfaces,
            make_interface("docker_gwbridge", 19, "bridge", addresses=("172.19.0.1/16",)),
            make_interface("veth1", 23, "veth", peer="if22", master="docker_gwbridge"),
        ),
    )
    states |= {MACHINE: machine, "overlay": overlay}
    assert ("bridge-address", "machine", "172.19.0.3:80") in requests((columns, states))


def test_a_published_port_leads_to_the_program_s_own_port() -> None:
    for path in requested_paths(*make_scene(("host", "bridge"))):
        assert path.server_port == 80 or path.unavailable


@pytest.mark.parametrize("status", [ArmStatus.EXITED, ArmStatus.REFUSED, ArmStatus.LOST, ArmStatus.CREATED])
def test_an_arm_that_is_not_running_has_no_requests(status: ArmStatus) -> None:
    columns, states = make_scene(("host", "bridge"))
    assert requests((end(columns, "bridge", status), without(states, "bridge")), "bridge") == []


def test_without_the_machine_there_are_only_paths_inside() -> None:
    columns, states = make_scene(("bridge", "none"))
    assert [kind for kind, _, _ in requests((columns, without(states, MACHINE)))] == ["inside", "inside"]


def test_a_recorded_engine_has_all_its_paths() -> None:
    assert requests(recorded_scene(), "user-bridge") == [
        ("inside", "user-bridge", "127.0.0.1:80"),
        ("bridge-address", "machine", "172.18.0.2:80"),
        ("published-proxy", "machine", "127.0.0.1:8081"),
        ("published-dnat", "machine", "192.0.2.2:8081"),
    ]


@given(engine_scenes())
def test_an_attempt_has_a_url_or_a_reason(scene: tuple[Columns, States]) -> None:
    keys = {column.key for column in scene[0]}
    for path in requested_paths(*scene):
        attempt = new_attempt(path)
        assert bool(attempt.url) is not bool(attempt.unavailable)
        assert bool(attempt.key) == bool(attempt.url) == bool(attempt.curl) == bool(path.port)
        assert {attempt.origin, attempt.server} <= keys
        assert attempt.title


@given(generated_scenes())
def test_any_scene_has_requests_with_an_address_or_a_reason(scene: tuple[Columns, States]) -> None:
    paths = requested_paths(*scene)
    for path in paths:
        assert bool(path.address) is not bool(path.unavailable)
    keys = [request_key(path) for path in paths if path.address]
    assert len(keys) == len(set(keys))


def test_an_ipv6_address_is_in_brackets() -> None:
    attempt = new_attempt(Path(PathKind.LOOPBACK, "", MACHINE, "host", Family.INET6, "::1", 80))
    assert (attempt.url, attempt.curl) == ("http://[::1]:80/", "curl -i http://[::1]:80/")
    assert attempt.key == "host/loopback/[::1]:80"
    missing = new_attempt(Path(PathKind.INSIDE, "", "a", "a", unavailable="no address"))
    assert (missing.url, missing.curl, missing.key) == ("", "", "")


PATHS = {
    f"{server}/{kind}": Path(kind, "", MACHINE, server, address="192.0.2.2", port=80)
    for server, kind in (
        ("host", PathKind.LOOPBACK),
        ("bridge", PathKind.PUBLISHED_PROXY),
        ("bridge", PathKind.PUBLISHED_DNAT),
        ("bridge", PathKind.BRIDGE_ADDRESS),
    )
}
INSIDE = Path(PathKind.INSIDE, "inside", "bridge", "bridge", address="127.0.0.1", port=80)


@pytest.mark.parametrize(
    ("names", "chosen", "expected"),
    [
        (tuple(PATHS), "host/loopback", "bridge/published-proxy"),
        (tuple(PATHS), "bridge/published-dnat", "host/loopback"),
        (("host/loopback", "bridge/bridge-address"), "host/loopback", "bridge/bridge-address"),
        (("bridge/published-proxy", "bridge/published-dnat"), "bridge/published-dnat", "bridge/published-proxy"),
        (("host/loopback",), "host/loopback", None),
    ],
)
def test_a_path_is_compared_with_one_of_another_mode(names: tuple[str, ...], chosen: str, expected: str | None) -> None:
    missing = Path(PathKind.PUBLISHED_DNAT, "", MACHINE, "none", unavailable="none publishes no port")
    compared = path_to_compare((INSIDE, missing, *(PATHS[name] for name in names)), PATHS[chosen])
    assert compared == (PATHS[expected] if expected else INSIDE)
