"""From an arm to the create body and the docker run line."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.experiments.docker_run import parse_run
from dashboard.core.experiments.launch import container_config, requested_ports, run_line, warnings_about_the_arm
from dashboard.core.experiments.messages import PublishedPort
from dashboard.core.modes import PODMAN_MODES, ArmSpec, Mode, NetworkAttachment, Publish

FULL = ArmSpec(
    key="web",
    mode=Mode.BRIDGE,
    image="nginx:1.27",
    command=("nginx", "-g", "daemon off;"),
    publish=(Publish(80, 8080), Publish(53, 0, "udp"), Publish(80, 8443, "tcp", "::1")),
    publish_all=True,
    environment={"A": "1", "B": "two words"},
    hostname="mine",
    dns=("192.0.2.53",),
    add_host=("one:192.0.2.7", "six=[2001:db8::7]"),
    sysctls={"net.ipv4.ip_forward": "1"},
    user="1000:1000",
)


def config(arm: ArmSpec, **options: Any) -> dict[str, Any]:
    return container_config(arm, name="nm-web", labels={"netmodes.arm": "web"}, **options)


def test_the_ports_that_an_arm_asks_for_do_not_depend_on_its_mode() -> None:
    publish = (Publish(80, 8080), Publish(53, 0, "udp", "127.0.0.1"))
    ports = (PublishedPort(80, "tcp", "", 8080), PublishedPort(53, "udp", "127.0.0.1", 0))
    assert requested_ports(ArmSpec("host", Mode.HOST, publish=publish)) == ports
    assert requested_ports(ArmSpec("none", Mode.NONE)) == ()


def test_the_create_body_of_an_owners_arm_is_exactly_this() -> None:
    assert config(FULL) == {
        "Image": "nginx:1.27",
        "Cmd": ["nginx", "-g", "daemon off;"],
        "Env": ["A=1", "B=two words"],
        "Hostname": "mine",
        "User": "1000:1000",
        "ExposedPorts": {"80/tcp": {}, "53/udp": {}},
        "Labels": {"netmodes.arm": "web"},
        "HostConfig": {
            "NetworkMode": "bridge",
            "PortBindings": {
                "80/tcp": [{"HostIp": "", "HostPort": "8080"}, {"HostIp": "::1", "HostPort": "8443"}],
                "53/udp": [{"HostIp": "", "HostPort": ""}],
            },
            "PublishAllPorts": True,
            "Dns": ["192.0.2.53"],
            "ExtraHosts": ["one:192.0.2.7", "six:2001:db8::7"],
            "Sysctls": {"net.ipv4.ip_forward": "1"},
            "AutoRemove": False,
            "SecurityOpt": ["no-new-privileges"],
            "PidsLimit": 512,
            "Memory": 536870912,
            "MemorySwap": 536870912,
            "NanoCpus": 1000000000,
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "1"}},
        },
    }


@pytest.mark.parametrize(
    ("arm", "options", "expected"),
    [
        (ArmSpec("a", Mode.HOST), {}, "host"),
        (ArmSpec("a", Mode.BRIDGE), {}, "bridge"),
        (ArmSpec("a", Mode.NONE), {}, "none"),
        (ArmSpec("a", Mode.USER_BRIDGE), {"network": "net-1"}, "net-1"),
        (ArmSpec("a", Mode.MACVLAN), {"network": "net-1"}, "net-1"),
        (ArmSpec("a", Mode.IPVLAN), {"network": "net-1"}, "net-1"),
        (ArmSpec("a", Mode.OVERLAY), {"network": "net-1"}, "net-1"),
        (ArmSpec("a", Mode.CONTAINER, target="b"), {"target_container": "f00"}, "container:f00"),
        (ArmSpec("a", Mode.PASTA), {}, "pasta"),
        (ArmSpec("a", Mode.SLIRP4NETNS), {}, "slirp4netns"),
        (ArmSpec("a", Mode.PRIVATE), {}, "private"),
        (ArmSpec("a", Mode.NS, netns="/run/netns/lab"), {}, "ns:/run/netns/lab"),
    ],
)
def test_every_mode_has_its_network_mode(arm: ArmSpec, options: dict[str, str], expected: str) -> None:
    assert config(arm, **options)["HostConfig"]["NetworkMode"] == expected


def test_an_arm_answers_to_its_key_on_the_experiments_network() -> None:
    body = config(ArmSpec("web", Mode.USER_BRIDGE), network="net-1")
    assert body["NetworkingConfig"] == {"EndpointsConfig": {"net-1": {"Aliases": ["web"]}}}
    assert "NetworkingConfig" not in config(ArmSpec("web", Mode.BRIDGE))


def test_a_port_requested_in_host_mode_stays_in_the_body() -> None:
    body = config(ArmSpec("web", Mode.HOST, publish=(Publish(80, 8080),)))
    assert body["HostConfig"]["PortBindings"] == {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}


def test_an_empty_command_is_left_to_the_image() -> None:
    assert "Cmd" not in config(ArmSpec("web", Mode.BRIDGE))


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        (Mode.CONTAINER, "shares a container's namespace"),
        (Mode.USER_BRIDGE, "needs the experiment's network"),
        (Mode.MACVLAN, "needs the experiment's network"),
    ],
)
def test_a_mode_without_its_network_or_target_is_an_error(mode: Mode, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        config(ArmSpec("web", mode))


@pytest.mark.parametrize(
    ("arm", "options", "line"),
    [
        (ArmSpec("a", Mode.BRIDGE), {}, "docker run --rm -d nginx"),
        (ArmSpec("a", Mode.HOST), {}, "docker run --rm -d --network host nginx"),
        (ArmSpec("a", Mode.NONE), {}, "docker run --rm -d --network none nginx"),
        (ArmSpec("a", Mode.USER_BRIDGE), {"network": "lab"}, "docker run --rm -d --network lab nginx"),
        (
            ArmSpec("a", Mode.CONTAINER, target="b"),
            {"target_name": "web-1"},
            "docker run --rm -d --network container:web-1 nginx",
        ),
        (ArmSpec("a", Mode.PASTA), {}, "podman run --rm -d --network pasta nginx"),
        (
            ArmSpec("a", Mode.NS, netns="/run/netns/my lab"),
            {},
            "podman run --rm -d --network 'ns:/run/netns/my lab' nginx",
        ),
        (ArmSpec("a", Mode.BRIDGE), {"name": "web-1"}, "docker run --rm -d --name web-1 nginx"),
        (
            ArmSpec("a", Mode.HOST, publish=(Publish(80, 8080),)),
            {},
            "docker run --rm -d --network host -p 8080:80 nginx",
        ),
        (ArmSpec("a", Mode.BRIDGE, publish=(Publish(80),)), {}, "docker run --rm -d -p 80 nginx"),
        (
            ArmSpec("a", Mode.BRIDGE, publish=(Publish(53, 0, "udp", "127.0.0.1"),)),
            {},
            "docker run --rm -d -p 127.0.0.1::53/udp nginx",
        ),
        (
            FULL,
            {},
            (
                "docker run --rm -d -p 8080:80 -p 53/udp -p '[::1]:8443:80' -P -e A=1 -e 'B=two words' --hostname mine "
                "--dns 192.0.2.53 --add-host one:192.0.2.7 --add-host 'six=[2001:db8::7]' "
                "--sysctl net.ipv4.ip_forward=1 --user 1000:1000 nginx:1.27 nginx -g 'daemon off;'"
            ),
        ),
    ],
)
def test_the_line_is_equivalent_to_the_create_body(arm: ArmSpec, options: dict[str, Any], line: str) -> None:
    assert run_line(arm, **options) == line


texts = st.text(min_size=1, max_size=30)
arms = st.builds(
    ArmSpec,
    key=st.just("a"),
    mode=st.sampled_from(list(Mode)),
    image=texts,
    command=st.lists(texts, max_size=4).map(tuple),
    publish=st.lists(
        st.builds(Publish, st.integers(1, 65535), st.integers(0, 65535), st.sampled_from(["tcp", "udp"])), max_size=4
    ).map(tuple),
    publish_all=st.booleans(),
    environment=st.dictionaries(texts, texts, max_size=3),
    hostname=texts,
    dns=st.lists(texts, max_size=2).map(tuple),
    add_host=st.lists(texts, max_size=2).map(tuple),
    sysctls=st.dictionaries(texts, texts, max_size=2),
    user=texts,
)


@given(arms)
def test_a_shell_splits_the_line_into_the_intended_words(arm: ArmSpec) -> None:
    words = shlex.split(run_line(arm, network="n", target_name="t"))
    assert words[:4] == ["podman" if arm.mode in PODMAN_MODES else "docker", "run", "--rm", "-d"]
    tail = [arm.image, *arm.command]
    assert words[-len(tail) :] == tail


#: HostConfig fields that give a container something of the machine (Engine API reference).
DANGEROUS = {
    "Binds", "Mounts", "Devices", "DeviceRequests", "Privileged", "PidMode", "UsernsMode", "UTSMode",
    "VolumesFrom", "CgroupParent", "Cgroup", "GroupAdd", "Runtime", "Links", "DeviceCgroupRules", "CapAdd",
}  # fmt: skip


@given(arms)
def test_no_arm_gets_access_to_the_machine(arm: ArmSpec) -> None:
    body = container_config(arm, name="x", labels={}, network="n", target_container="t")
    json.dumps(body)
    host = body["HostConfig"]
    assert not DANGEROUS & set(host)
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert 0 < host["PidsLimit"] <= 512
    assert 0 < host["Memory"] == host["MemorySwap"]
    assert 0 < host["NanoCpus"] <= 1_000_000_000
    assert host["AutoRemove"] is False


def test_further_networks_are_endpoints_of_the_body_and_options_of_the_line() -> None:
    arm = ArmSpec("web", Mode.USER_BRIDGE)
    attached = {"back": NetworkAttachment("back", gw_priority=1, ifname="eth7"), "side": NetworkAttachment("side")}
    body = container_config(arm, name="n", labels={}, network="own", attached=attached)
    assert body["HostConfig"]["NetworkMode"] == "own"
    assert body["NetworkingConfig"]["EndpointsConfig"] == {
        "own": {"Aliases": ["web"]},
        "back": {
            "Aliases": ["web"],
            "GwPriority": 1,
            "DriverOpts": {"com.docker.network.endpoint.ifname": "eth7"},
        },
        "side": {"Aliases": ["web"]},
    }
    line = run_line(arm, network="own", attached=attached)
    assert line == (
        "docker run --rm -d --network own --network "
        "name=back,gw-priority=1,driver-opt=com.docker.network.endpoint.ifname=eth7 --network side nginx"
    )
    parsed = parse_run(line).config
    endpoints = {
        name: {**endpoint, "Aliases": ["web"]}
        for name, endpoint in parsed["NetworkingConfig"]["EndpointsConfig"].items()
    }
    assert endpoints == body["NetworkingConfig"]["EndpointsConfig"]


def test_warnings_about_limits_of_netmodes_are_left_out() -> None:
    ours = "Your kernel does not support swap limit capabilities or the cgroup is not mounted."
    theirs = "Published ports are discarded when using host network mode"
    assert warnings_about_the_arm([ours, theirs]) == (theirs,)


@pytest.mark.parametrize(("cpus", "nano"), [(0.0, 1_000_000_000), (0.5, 500_000_000), (2.0, 1_000_000_000)])
def test_a_container_has_no_more_cores_than_its_private_host(cpus: float, nano: int) -> None:
    config = container_config(ArmSpec("none", Mode.NONE), name="a", labels={}, cpus=cpus)
    assert config["HostConfig"]["NanoCpus"] == nano
