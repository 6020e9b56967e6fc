"""What is seen of a whole engine."""

from __future__ import annotations

import pytest

from dashboard.core.workshops.observation import Which, is_image, listeners_on, mode_of, newest, owner_of, running
from tests.core.builders import make_listener
from tests.core.observations import NOW, make_container, make_machine, make_sight


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
def test_a_mode_follows_from_what_the_engine_says_of_a_container(network_mode: str, mode: str) -> None:
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
def test_the_lab_image_stands_in_for_nginx_alone(given: str, wanted: str, fits: bool) -> None:
    assert is_image(given, wanted) is fits


def test_the_newest_container_that_fits_is_meant() -> None:
    old, new = make_container("old", started=NOW - 100), make_container("new", started=NOW - 1)
    ended = make_container("ended", running=False, started=NOW)
    sight = make_sight(old, new, ended)
    assert newest(sight, Which(image="nginx")) == new
    assert running(sight, Which(mode="bridge")) == (new, old)
    assert newest(sight, Which(name="old", mode="host")) is None
    assert Which("host", "nginx", "web").said() == "a container of nginx in mode host called web"


def test_who_holds_a_socket_is_said_by_the_name_of_its_container() -> None:
    web = make_container("web", "host")
    sight = make_sight(web, machine=make_machine(make_listener(22, "sshd")))
    assert [owner_of(sight, one) for one in listeners_on(sight.machine, 80)] == ["nginx of container web"]
    assert [owner_of(sight, one) for one in listeners_on(sight.machine, 22)] == ["sshd of the machine"]
    nameless = make_listener(81, None, container="f" * 64)
    assert owner_of(sight, nameless) == "a process that cannot be seen of container ffffffffffff"
