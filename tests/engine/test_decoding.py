"""Every response of an engine is decoded, shortened to its limit, or refused as not from Docker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.core.experiments.engine_kind import EngineKind
from dashboard.engine import decoding
from dashboard.engine.protocol import EngineError, PullProgress, RootlessKit
from tests.properties import examples

ENDPOINT = "unix:///x"
FIELDS = (
    "Id", "Name", "State", "Status", "Running", "Pid", "ExitCode", "Error", "StartedAt", "HostConfig", "NetworkMode",
    "PortBindings", "Dns", "Config", "Labels", "Image", "NetworkSettings", "Ports",
    "Networks", "IPAddress", "HostIp", "HostPort", "80/tcp", "99999/tcp", "x/y", "Driver", "IPAM",
    "Subnet", "Options", "RepoTags", "SecurityOptions", "OperatingSystem", "Swarm",
    "LocalNodeState", "Plugins", "Network", "FirewallBackend", "Version", "Type", "Action", "Actor", "ID",
    "Attributes", "status", "id", "error", "errorDetail", "message", "progressDetail", "current",
    "total",
)  # fmt: skip

odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("9" * 400),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=12),
    max_leaves=40,
)


def longest_text(value: object) -> int:
    """The longest text anywhere in decoded facts."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return max((longest_text(one) for pair in value.items() for one in pair), default=0)
    if isinstance(value, tuple):
        return max(map(longest_text, value), default=0)
    slots = getattr(type(value), "__slots__", ())
    return max((longest_text(getattr(value, one)) for one in slots), default=0)


@settings(max_examples=examples(4))
@given(odd)
def test_no_answer_breaks_a_decoder(answer: Any) -> None:
    for decode in (decoding.container_facts, decoding.network_facts, decoding.image_facts):
        facts = decode(answer)
        json.dumps(longest_text(facts))
        assert longest_text(facts) <= decoding.MAX_TEXT
    info = decoding.engine_info(answer, answer, api="1.45", pid=1, endpoint="unix:///x")
    assert longest_text(info) <= decoding.MAX_TEXT
    container = decoding.container_facts(answer)
    assert container.pid >= 0
    assert all(0 < one.container_port < 65536 and 0 <= one.host_port < 65536 for one in container.published)


@settings(max_examples=examples(2))
@given(st.binary(max_size=200) | odd.map(lambda value: json.dumps(value).encode()))
def test_no_line_breaks_a_stream(line: bytes) -> None:
    event = decoding.engine_event(line)
    assert event is None or (event.kind and event.action)
    try:
        step = decoding.progress_step(line)
    except EngineError as error:
        assert str(error)  # noqa: PT017  either outcome is right
    else:
        assert step is None or step.fraction is None or 0 <= step.fraction <= 1


@given(st.binary(max_size=300), st.integers(400, 599))
def test_every_refusal_has_a_message(body: bytes, status: int) -> None:
    error = decoding.refusal(status, body, ENDPOINT)
    assert error.status == status
    assert str(error)


def test_a_refusal_is_dockers_sentence_and_nothing_around_it() -> None:
    body = b'{"message":"Conflict. The container name \\"/one\\" is already in use"}\n'
    error = decoding.refusal(409, body, ENDPOINT)
    assert str(error) == 'Conflict. The container name "/one" is already in use'


@given(st.binary(max_size=5000), st.integers(-1, 40))
def test_logs_are_bounded_text(data: bytes, lines: int) -> None:
    found = decoding.log_lines(data, lines)
    assert len(found) <= max(lines, 0)
    assert all(len(line) <= 500 and "\n" not in line for line in found)


def test_deeply_nested_json_is_no_event_and_no_step() -> None:
    line = b"[" * 200_000
    assert decoding.engine_event(line) is None
    assert decoding.progress_step(line) is None


def test_lone_surrogates_can_be_encoded_again() -> None:
    assert decoding.text("\ud800x").encode() == b"?x"


def test_fields_that_api_1_52_dropped_are_not_read() -> None:
    answer = {
        "NetworkSettings": {"IPAddress": "192.0.2.66", "Networks": {"bridge": {"IPAddress": "172.17.0.2"}}},
    }
    assert decoding.container_facts(answer).networks == {"bridge": "172.17.0.2"}


def test_on_a_network_with_ipv6_only_a_container_has_its_ipv6_address() -> None:
    networks = {"only6": {"IPAddress": "", "GlobalIPv6Address": "fd00:98::2"}, "both": {"IPAddress": "172.18.0.2"}}
    networks["both"]["GlobalIPv6Address"] = "fd00:99::2"
    answer = {"NetworkSettings": {"Networks": networks}}
    assert decoding.container_facts(answer).networks == {"only6": "fd00:98::2", "both": "172.18.0.2"}


def test_published_ports_come_in_order_and_exposed_ones_are_not_published() -> None:
    found = decoding.ports(
        {
            "81/tcp": None,
            "80/tcp": [{"HostIp": "::", "HostPort": "8080"}, {"HostIp": "0.0.0.0", "HostPort": "8080"}],
            "53/udp": [{"HostIp": "", "HostPort": ""}],
        }
    )
    assert [(one.container_port, one.protocol, one.host_address, one.host_port) for one in found] == [
        (53, "udp", "", 0),
        (80, "tcp", "0.0.0.0", 8080),
        (80, "tcp", "::", 8080),
    ]


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ({"SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless"]}, {"rootless": True}),
        ({"SecurityOptions": ["name=userns"]}, {"userns_remap": True}),
        ({"OperatingSystem": "Docker Desktop"}, {"desktop": True, "pid": None}),
        ({"Swarm": {"LocalNodeState": "active"}}, {"swarm_active": True}),
        ({"Swarm": {"LocalNodeState": "inactive"}}, {"swarm_active": False}),
        ({"FirewallBackend": {"Driver": "nftables"}}, {"firewall_backend": "nftables", "userland_proxy": None}),
        ({"FirewallBackend": {"Info": [["EnableUserlandProxy", "true"], ["x"], 7]}}, {"userland_proxy": True}),
        ({"FirewallBackend": {"Info": [["EnableUserlandProxy", "false"]]}}, {"userland_proxy": False}),
        ({"FirewallBackend": {"Info": "EnableUserlandProxy"}}, {"userland_proxy": None}),
        ({}, {"firewall_backend": "iptables", "rootless": False, "pid": 7}),
    ],
)
def test_properties_of_an_engine_follow_from_its_info(info: dict[str, Any], expected: dict[str, Any]) -> None:
    found = decoding.engine_info({"Version": "29.0.0"}, info, api="1.52", pid=7, endpoint="unix:///x")
    assert {name: getattr(found, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("version", "kind", "firewall"),
    [
        ({"Version": "26.1.5", "Components": [{"Name": "Engine"}, {"Name": "runc"}]}, EngineKind.DOCKER, "iptables"),
        ({"Version": "26.1.5"}, EngineKind.DOCKER, "iptables"),
        ({"Version": "5.4.2", "Components": [{"Name": "Podman Engine"}, {"Name": "Conmon"}]}, EngineKind.PODMAN, ""),
    ],
)
def test_the_kind_of_an_engine_follows_from_its_components(version: Any, kind: EngineKind, firewall: str) -> None:
    found = decoding.engine_info(version, {}, api="1.41", pid=7, endpoint="unix:///x")
    assert (found.kind, found.firewall_backend) == (kind, firewall)


PODMAN = json.loads((Path(__file__).resolve().parent.parent / "recorded" / "podman-5.4.2.json").read_text())


def test_podman_is_decoded_from_its_answers() -> None:
    info = decoding.engine_info(PODMAN["version"], PODMAN["info"], api="1.41", pid=7, endpoint="unix:///x")
    assert (info.kind, info.version, info.rootless, info.firewall_backend) == (EngineKind.PODMAN, "5.4.2", False, "")
    assert (info.network_plugins, info.swarm_active) == (("bridge", "macvlan", "ipvlan"), False)


def test_podman_s_own_api_names_its_programs_and_bridges() -> None:
    host = {
        "networkBackendInfo": {"version": "netavark 1.14.0", "dns": {"version": "aardvark-dns 1.14.0"}},
        "pasta": {"executable": "/usr/bin/pasta", "version": ""},
        "slirp4netns": {"executable": ""},
    }
    assert decoding.podman_programs({"host": host}) == ("netavark 1.14.0", "aardvark-dns 1.14.0", "pasta")
    networks = [
        {"name": "podman", "id": "2f25", "driver": "bridge", "network_interface": "podman0"},
        {"name": "lan", "id": "88aa", "driver": "macvlan", "network_interface": "eth0"},
    ]
    assert decoding.podman_bridges(networks) == {"2f25": "podman0"}
    invalid: tuple[object, ...] = (None, [], {}, "x", {"host": []})
    for nothing in invalid:
        assert decoding.podman_programs(nothing) == ()
        assert decoding.podman_bridges(nothing) == {}


@pytest.mark.parametrize(
    ("key", "mode", "host_port", "asked", "network"),
    [
        ("host", "host", 0, False, "host"),
        ("bridge", "bridge", 8080, True, "podman"),
        ("user-bridge", "bridge", 8081, True, "lab"),
        ("container", "container:", 8081, False, "lab"),
        ("none", "none", 0, False, "none"),
    ],
)
def test_containers_of_podman_have_their_ports_and_their_network(
    key: str, mode: str, host_port: int, network: str, *, asked: bool
) -> None:
    """Podman omits the requested ports of modes that forward none, and repeats those of the owner of a namespace."""
    facts = decoding.container_facts(PODMAN["containers"][key])
    assert facts.name == key
    assert facts.network_mode.startswith(mode)
    assert [port.host_port for port in facts.published] == ([host_port] if host_port else [])
    assert bool(facts.asked) is asked
    assert list(facts.networks) == [network]
    assert bool(facts.resolv_conf_path) is (key != "none")


#: What RootlessKit 2.0.2 adds to /version of Docker Engine 26.1.5.
ROOTLESSKIT = {
    "Name": "rootlesskit",
    "Version": "2.0.2",
    "Details": {
        "ApiVersion": "1.1.1",
        "NetworkDriver": "slirp4netns",
        "PortDriver": "builtin",
    },
}


def test_a_container_that_podman_calls_stopped_has_exited() -> None:
    facts = decoding.container_facts({"State": {"Status": "stopped", "ExitCode": 3}})
    assert (facts.status, facts.exit_code) == ("exited", 3)


def test_a_rootless_engine_names_the_drivers_of_its_network() -> None:
    version = {"Version": "26.1.5", "Components": [{"Name": "Engine"}, ROOTLESSKIT]}
    found = decoding.engine_info(version, {}, api="1.45", pid=7, endpoint="unix:///x").rootlesskit
    assert found == RootlessKit("slirp4netns", "builtin")
    assert decoding.engine_info({}, {}, api="1.45", pid=7, endpoint="unix:///x").rootlesskit is None


def test_a_bridge_has_its_linux_name() -> None:
    named = {"Driver": "bridge", "Id": "f" * 64, "Options": {"com.docker.network.bridge.name": "docker0"}}
    assert decoding.network_facts(named).bridge == "docker0"
    assert decoding.network_facts({"Driver": "bridge", "Id": "0123456789abcdef"}).bridge == "br-0123456789ab"
    assert decoding.network_facts({"Driver": "macvlan", "Id": "f" * 64}).bridge is None
    assert decoding.network_facts({"EnableIPv6": True}).ipv6
    assert not decoding.network_facts({"EnableIPv6": "yes"}).ipv6


def test_a_step_of_a_pull_has_words_and_a_fraction() -> None:
    line = b'{"status":"Downloading","id":"abc","progressDetail":{"current":50,"total":200}}'
    assert decoding.progress_step(line) == PullProgress("abc Downloading", 0.25)
    assert decoding.progress_step(b'{"status":"Pulling fs layer"}') == PullProgress("Pulling fs layer", None)
    with pytest.raises(EngineError, match="manifest unknown"):
        decoding.progress_step(b'{"errorDetail":{"message":"manifest unknown"},"error":"manifest unknown"}')


def test_an_event_has_its_labels() -> None:
    actor = {"ID": "abc", "Attributes": {"netmodes.arm": "web", "name": "one"}}
    event = decoding.engine_event(json.dumps({"Type": "container", "Action": "start", "Actor": actor}).encode())
    assert event is not None
    assert (event.kind, event.action, event.id) == ("container", "start", "abc")
    assert event.labels["netmodes.arm"] == "web"


def test_an_event_of_a_json_sequence_begins_with_a_record_separator() -> None:
    event = decoding.engine_event(b'\x1e{"Type":"container","Action":"start"}')
    assert event is not None
    assert event.action == "start"
