"""The paths to published ports that are measured: what is translated, and what goes through docker-proxy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dashboard.core.experiments.messages import PublishedPort
from dashboard.core.namespaces.state import Family, Listener, Protocol
from tests.core.builders import MACHINE, make_listener, make_ports
from tests.core.scenes import make_scene, paths_by_key


def test_without_p_no_port_is_published() -> None:
    paths = paths_by_key(*make_scene(("bridge",), publish=None))
    assert paths["bridge/published-dnat"].unavailable == "bridge publishes no port"
    assert paths["bridge/published-proxy"].unavailable == "bridge publishes no port"


def test_docker_proxy_is_a_path_only_if_it_was_seen_to_listen() -> None:
    columns, states = make_scene(("bridge",))
    others = tuple(listener for listener in states[MACHINE].listeners if listener.process != "docker-proxy")
    states[MACHINE] = replace(states[MACHINE], listeners=others)
    assert "no observed process listens there" in paths_by_key(columns, states)["bridge/published-proxy"].unavailable
    taken = tuple(
        replace(listener, port=8080, process="dockerd") if listener.process == "sshd" else listener
        for listener in others
    )
    states[MACHINE] = replace(states[MACHINE], listeners=taken)
    assert "dockerd holds the port" in paths_by_key(columns, states)["bridge/published-proxy"].unavailable


def test_a_port_published_on_loopback_has_no_dnat() -> None:
    columns, states = make_scene(("bridge",))
    columns = (columns[0], replace(columns[1], published=make_ports(8080, 80, "127.0.0.2")))
    paths = paths_by_key(columns, states)
    assert paths["bridge/published-proxy"].target == "127.0.0.2:8080"
    assert paths["bridge/published-dnat"].unavailable == "bridge publishes on 127.0.0.2 only"


def test_a_port_published_on_one_address_is_reached_there() -> None:
    columns, states = make_scene(("bridge",))
    columns = (columns[0], replace(columns[1], published=make_ports(8080, 80, "192.0.2.2")))
    paths = paths_by_key(columns, states)
    assert paths["bridge/published-dnat"].target == "192.0.2.2:8080"
    assert "bridge/published-proxy" not in paths


def test_udp_has_a_path_if_it_is_published_too() -> None:
    columns, states = make_scene(("bridge",))
    both = (*make_ports(8080), PublishedPort(80, "udp", "0.0.0.0", 8085))
    columns = (columns[0], replace(columns[1], published=both))
    assert paths_by_key(columns, states)["bridge/published-dnat"].udp_port == 8085
    assert paths_by_key(columns, states)["bridge/published-proxy-ipv6"].udp_port == 0


def published(*ports: PublishedPort, **machine: Any) -> dict[str, tuple[str, str]]:
    """Target and reason of each path through these ports of a container in bridge mode."""
    columns, states = make_scene(("bridge",))
    columns = (columns[0], replace(columns[1], published=ports))
    states[MACHINE] = replace(states[MACHINE], **machine)
    paths = paths_by_key(columns, states).values()
    return {path.name: (path.target, path.unavailable) for path in paths if path.name.startswith("published")}


def test_a_mapping_for_all_addresses_is_preferred_to_one_for_a_single_address() -> None:
    single, everywhere = PublishedPort(80, "tcp", "192.0.2.2", 8080), PublishedPort(80, "tcp", "0.0.0.0", 8080)
    for ports in ((single, everywhere), (everywhere, single), (single, replace(everywhere, host_address=""))):
        assert published(*ports)["published-proxy"][0] == "127.0.0.1:8080"
    assert "published-proxy" not in published(single)
    assert published(single)["published-dnat"] == ("192.0.2.2:8080", "")


def test_only_the_port_of_the_program_over_tcp_counts_as_published() -> None:
    for port in (PublishedPort(81, "tcp", "0.0.0.0", 8080), PublishedPort(80, "udp", "0.0.0.0", 8080)):
        assert [reason for _target, reason in published(port).values()] == ["bridge does not publish 80/tcp"] * 2
    assert [reason for _target, reason in published().values()] == ["bridge publishes no port"] * 2


@pytest.mark.parametrize(
    ("listener", "proxied", "over_ipv6"),
    [
        (make_listener(8080, "docker-proxy"), True, False),
        (make_listener(8080, "docker-proxy", family=Family.INET6, address="::", v6only=False), True, True),
        (make_listener(8080, "docker-proxy", family=Family.INET6, address="::", v6only=True), False, True),
        (make_listener(8081, "docker-proxy"), False, False),
        (make_listener(8080, "docker-proxy", protocol=Protocol.UDP), False, False),
        (make_listener(8080, None), False, False),
    ],
)
def test_docker_proxy_must_listen_on_the_port_for_the_family(
    listener: Listener, proxied: bool, over_ipv6: bool
) -> None:
    paths = published(*make_ports(8080), listeners=(listener,))
    assert (paths["published-proxy"][0] != "") is proxied
    assert ("published-proxy-ipv6" in paths) is over_ipv6


def test_without_docker_proxy_loopback_is_translated_and_measured_where_nothing_else_is() -> None:
    dockerd = (make_listener(8080, "dockerd"),)
    everywhere = published(*make_ports(8080), listeners=dockerd)
    assert everywhere["published-dnat"] == ("192.0.2.2:8080", ""), "the machine's address comes first"
    assert "dockerd holds" in everywhere["published-proxy"][1]
    assert published(*make_ports(8080, 80, "127.0.0.1"), listeners=dockerd)["published-dnat"][0] == "127.0.0.1:8080"


def test_a_port_that_is_published_on_ipv6_only_has_paths_over_ipv6_only() -> None:
    assert published(*make_ports(8080, 80, "::")) == {"published-proxy-ipv6": ("[::1]:8080", "")}
    assert published(*make_ports(8080, 80, "2001:db8::2")) == {"published-proxy-ipv6": ("[2001:db8::2]:8080", "")}
    assert published(*make_ports(8080, 80, "2001:db8::2"), listeners=()) == {}


def test_docker_proxy_is_found_among_other_listeners_on_a_port() -> None:
    both = (make_listener(8080, "nginx"), make_listener(8080, "docker-proxy"))
    assert published(*make_ports(8080), listeners=both)["published-proxy"][0]
    assert "nginx holds" in published(*make_ports(8080), listeners=both[:1])["published-proxy"][1]
    assert (
        "unknown process" in published(*make_ports(8080), listeners=(make_listener(8080, None),))["published-proxy"][1]
    )


def test_a_translation_needs_an_address_of_the_container_behind_a_bridge() -> None:
    columns, states = make_scene(("bridge",))
    states["bridge"] = replace(states["bridge"], interfaces=states["bridge"].interfaces[:1])
    path = paths_by_key(columns, states)["bridge/published-dnat"]
    assert "no observed address of bridge" in path.unavailable
    assert "bridge/published-dnat-ipv6" not in paths_by_key(columns, states)


def test_a_machine_without_an_address_translates_nothing() -> None:
    lo = tuple(link for link in make_scene(("bridge",))[1][MACHINE].interfaces if link.kind == "loopback")
    paths = published(*make_ports(8080), interfaces=lo, routes=())
    assert "except loopback" in paths["published-dnat"][1]
    assert "bridge publishes on 127.0.0.1 only" in published(*make_ports(8080, 80, "127.0.0.1"))["published-dnat"][1]
