"""``docker run`` lines, parsed into the body of a create request."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.experiments.docker_run import parse_network_create, parse_run
from dashboard.core.experiments.launch import container_config, run_line
from dashboard.core.modes import ArmSpec, Mode, Publish


@pytest.mark.parametrize(
    ("options", "where", "value"),
    [
        ("--network host", ("HostConfig", "NetworkMode"), "host"),
        ("--net=none", ("HostConfig", "NetworkMode"), "none"),
        ("", ("HostConfig", "NetworkMode"), "bridge"),
        ("-p 8080:80", ("HostConfig", "PortBindings"), {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}),
        ("-p 8080:80", ("ExposedPorts",), {"80/tcp": {}}),
        ("-P", ("HostConfig", "PublishAllPorts"), True),
        ("--rm", ("HostConfig", "AutoRemove"), True),
        ("--rm=true", ("HostConfig", "AutoRemove"), True),
        ("--rm=false", ("HostConfig", "AutoRemove"), False),
        ("--expose 53/udp --expose 80", ("ExposedPorts",), {"53/udp": {}, "80/tcp": {}}),
        ("--dns 192.0.2.53 --dns 192.0.2.54", ("HostConfig", "Dns"), ["192.0.2.53", "192.0.2.54"]),
        ("--add-host db=[::1]", ("HostConfig", "ExtraHosts"), ["db:::1"]),
        ("--sysctl net.core.somaxconn=1", ("HostConfig", "Sysctls"), {"net.core.somaxconn": "1"}),
        ("--uts host", ("HostConfig", "UTSMode"), "host"),
        ("-h one", ("Hostname",), "one"),
        ("--user 1000", ("User",), "1000"),
        ("-e A=b -e C=d", ("Env",), ["A=b", "C=d"]),
        ("--mac-address 02:42:ac:11:00:02", ("MacAddress",), "02:42:ac:11:00:02"),
    ],
)
def test_an_option_sets_the_field_that_the_engine_reads(options: str, where: tuple[str, ...], value: Any) -> None:
    found: Any = parse_run(f"docker run -d {options} lab").config
    for key in where:
        found = found[key]
    assert found == value


def test_options_of_an_endpoint_go_to_its_network() -> None:
    line = parse_run("docker run --network net1 --ip 192.0.2.9 --network-alias web lab")
    endpoint = line.config["NetworkingConfig"]["EndpointsConfig"]
    assert endpoint == {"net1": {"IPAMConfig": {"IPv4Address": "192.0.2.9"}, "Aliases": ["web"]}}
    assert line.network == "net1"


def test_each_further_network_is_an_endpoint() -> None:
    options = (
        "name=net2,alias=web,ip=192.0.2.9,ip6=fd00::9,mac-address=02:42:ac:11:00:02,gw-priority=-1,driver-opt=a.b=c"
    )
    line = parse_run(f"docker run --network name=net1 --network {options} --network net3 lab")
    assert line.network == "net1"
    assert line.config["NetworkingConfig"]["EndpointsConfig"] == {
        "net1": {},
        "net2": {
            "Aliases": ["web"],
            "IPAMConfig": {"IPv4Address": "192.0.2.9", "IPv6Address": "fd00::9"},
            "MacAddress": "02:42:ac:11:00:02",
            "GwPriority": -1,
            "DriverOpts": {"a.b": "c"},
        },
        "net3": {},
    }


@pytest.mark.parametrize("value", ["name=net1,other=1", "gw-priority=1", "name=net1,gw-priority=x"])
def test_an_option_of_a_network_that_is_not_supported_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="docker run"):
        parse_run(f"docker run --network {value} lab")


def test_words_after_the_image_are_the_command_even_if_they_look_like_options() -> None:
    line = parse_run("docker run -d --name one lab sh -c 'sleep 5'")
    assert (line.image, line.name, line.config["Cmd"]) == ("lab", "one", ["sh", "-c", "sleep 5"])
    assert "Cmd" not in parse_run("lab").config


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("docker run --volume /:/host lab", "--volume"),
        ("docker run --network", "value"),
        ("docker run -d", "image"),
        ("docker run -p nonsense lab", "port"),
        ("docker run --rm=maybe lab", "--rm=maybe"),
    ],
)
def test_an_unsupported_line_is_refused_with_a_sentence(line: str, part: str) -> None:
    with pytest.raises(ValueError, match=part):
        parse_run(line)


ARM = ArmSpec("a", Mode.HOST, image="lab", publish=(Publish(80, 8080),), dns=("192.0.2.1",), user="7", command=("x",))


def test_the_line_shown_for_an_arm_asks_for_what_the_arm_asks_for() -> None:
    asked = container_config(ARM, name="a", labels={})
    read = parse_run(run_line(ARM)).labelled({})
    for part in ("Image", "User", "ExposedPorts", "Cmd", "Env"):
        assert read[part] == asked[part]
    for part in ("NetworkMode", "PortBindings", "Dns", "PidsLimit", "Memory", "SecurityOpt", "LogConfig"):
        assert read["HostConfig"][part] == asked["HostConfig"][part]


@given(st.lists(st.text(st.characters(blacklist_categories=["Cs"]), min_size=1), max_size=6))
def test_any_words_are_parsed_or_refused_with_a_sentence(words: list[str]) -> None:
    try:
        assert parse_run(words).image
    except ValueError as error:
        said = str(error)
    else:
        said = "read"
    assert said


def test_a_network_is_parsed_with_its_driver_and_options() -> None:
    line = "docker network create -d macvlan --subnet 192.0.2.0/24 -o parent=eth0 --internal lab"
    read = parse_network_create(line)
    assert (read.name, read.driver) == ("lab", "macvlan")
    assert read.options == {"subnet": "192.0.2.0/24", "parent": "eth0", "internal": True}


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("docker network create", "name"),
        ("docker network create one two", "name"),
        ("docker network create --subnet", "value"),
        ("docker network create --scope global lab", "--scope"),
    ],
)
def test_an_unsupported_network_is_refused_with_a_sentence(line: str, part: str) -> None:
    with pytest.raises(ValueError, match=part):
        parse_network_create(line)


def test_a_host_port_that_is_left_to_docker_is_empty() -> None:
    config: Any = parse_run("docker run -p 80 -p 81:80 lab").config
    assert config["HostConfig"]["PortBindings"] == {
        "80/tcp": [{"HostIp": "", "HostPort": ""}, {"HostIp": "", "HostPort": "81"}]
    }


@pytest.mark.parametrize("line", ["docker run -d lab", "-d lab", "--detach lab"])
def test_the_first_two_words_may_be_left_out(line: str) -> None:
    read = parse_run(line)
    assert (read.image, read.line.split()[:2]) == ("lab", ["docker", "run"])
    assert read.config["HostConfig"]["AutoRemove"] is False


def test_a_network_may_be_given_without_the_first_three_words() -> None:
    read = parse_network_create("--driver ipvlan --opt mode=l3 --gateway 192.0.2.1 --ipv6 --attachable lab")
    assert (read.name, read.driver) == ("lab", "ipvlan")
    assert read.options == {"mode": "l3", "gateway": "192.0.2.1", "ipv6": True, "attachable": True}
    assert parse_network_create("lab").driver == "bridge"
