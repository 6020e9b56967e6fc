"""Observations of a whole engine."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.core.workshops.observation import (
    ContainerSelector,
    describe_owner,
    format_list,
    is_image,
    listeners_on,
    local_addresses,
    mode_of,
    newest,
    running,
)
from tests.core.builders import make_listener
from tests.core.observations import NOW, make_container, make_machine, make_observation


@pytest.mark.parametrize(
    ("network_mode", "mode"),
    [
        ("host", "host"),
        ("none", "none"),
        ("bridge", "bridge"),
        ("default", "bridge"),
        ("", "bridge"),
        ("container:0123", "container"),
        ("lab", "user-bridge"),
        ("gone", "user-bridge"),
        ("lan", "macvlan"),
        ("swarm", "overlay"),
    ],
)
def test_a_mode_follows_from_the_network_mode(network_mode: str, mode: str) -> None:
    assert mode_of(network_mode, {"lab": "bridge", "lan": "macvlan", "swarm": "overlay"}) == mode


@pytest.mark.parametrize(
    ("given", "wanted", "fits"),
    [
        ("nginx", "nginx", True),
        ("nginx:latest", "nginx", True),
        ("nginx:1.27", "nginx", True),
        ("netmodes-lab:1", "nginx", True),
        ("netmodes-lab:1", "httpd", False),
        ("httpd", "nginx", False),
        ("my-nginx", "nginx", False),
    ],
)
def test_the_lab_image_counts_as_nginx_only(given: str, wanted: str, fits: bool) -> None:
    assert is_image(given, wanted) is fits


def test_the_newest_matching_container_is_selected() -> None:
    old, new = make_container("old", started=NOW - 100), make_container("new", started=NOW - 1)
    ended = make_container("ended", running=False, started=NOW)
    observation = make_observation(old, new, ended)
    assert newest(observation, ContainerSelector(image="nginx")) == new
    assert running(observation, ContainerSelector(mode="bridge")) == (new, old)
    assert newest(observation, ContainerSelector(name="old", mode="host")) is None
    assert ContainerSelector("host", "nginx", "web").describe() == "a container of nginx in mode host named web"


def test_the_owner_of_a_socket_is_named_by_its_container() -> None:
    web = make_container("web", "host")
    observation = make_observation(web, machine=make_machine(make_listener(22, "sshd")))
    assert [describe_owner(observation, one) for one in listeners_on(observation.machine, 80)] == [
        "nginx of container web"
    ]
    assert [describe_owner(observation, one) for one in listeners_on(observation.machine, 22)] == [
        "sshd of the machine"
    ]
    nameless = make_listener(81, None, container="f" * 64)
    assert describe_owner(observation, nameless) == "an unknown process of container ffffffffffff"


def test_a_selector_compares_only_what_it_names() -> None:
    web = make_container("web", "host")
    assert ContainerSelector().matches(web)
    assert ContainerSelector("host", "nginx", "web").matches(web)
    assert not ContainerSelector("bridge", "nginx", "web").matches(web)
    assert not ContainerSelector("host", "httpd", "web").matches(web)
    assert not ContainerSelector("host", "nginx", "db").matches(web)


@pytest.mark.parametrize(
    ("which", "text"),
    [
        (ContainerSelector(), "a container"),
        (ContainerSelector(image="nginx"), "a container of nginx"),
        (ContainerSelector(mode="host"), "a container in mode host"),
        (ContainerSelector(name="web"), "a container named web"),
    ],
)
def test_a_selector_is_described_by_what_it_names(which: ContainerSelector, text: str) -> None:
    assert which.describe() == text


def test_containers_started_together_are_in_the_order_of_their_names() -> None:
    observation = make_observation(make_container("b", started=NOW), make_container("a", started=NOW))
    assert [one.name for one in running(observation, ContainerSelector())] == ["a", "b"]


def test_listeners_are_found_by_port_and_protocol() -> None:
    machine = make_machine(make_listener(53, "dnsmasq"), make_listener(54, "other"))
    assert [one.port for one in listeners_on(machine, 53)] == [53]
    assert listeners_on(machine, 53, "udp") == ()
    assert listeners_on(None, 53) == ()


def test_an_image_is_compared_with_its_tag() -> None:
    assert is_image("httpd:2.4", "httpd:2.4")
    assert not is_image("httpd:2.4", "httpd")
    assert is_image("httpd", "httpd:latest")
    assert not is_image("netmodes-lab", "nginx:1.27")


def test_a_list_names_each_item_once() -> None:
    assert format_list(["b", "a", "b"], "nothing") == "b, a"
    assert format_list([], "nothing") == "nothing"


def test_addresses_of_a_namespace_and_of_a_container_are_found() -> None:
    machine = make_machine()
    assert local_addresses(machine) == {one.address for link in machine.interfaces for one in link.addresses}
    assert "127.0.0.1" in local_addresses(machine)
    web = replace(make_container("web"), networks={"lab": "172.18.0.2", "later": ""})
    assert web.addresses == ("172.18.0.2",)
    observation = make_observation(web)
    assert observation.by_id(web.id) == web
    assert observation.by_id("0" * 64) is None
