"""dashboard.core.experiments.launching.ports."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.core.experiments.launching.ports import (
    HostPort,
    PortUser,
    find_holder,
    held_ports,
    may_belong_to,
    needed_ports,
    port_in_message,
)
from dashboard.core.experiments.messages import ExperimentRef
from dashboard.core.modes import ArmSpec, Mode, Publish
from dashboard.core.namespaces.state import Family, Listener, Protocol
from tests.core.builders import container_id, make_column

OTHER = ExperimentRef("other", "nginx on port 80")
NGINX = Listener(Protocol.TCP, Family.INET, "0.0.0.0", 80, 812, "nginx")
PROXY = Listener(Protocol.TCP, Family.INET, "0.0.0.0", 8080, 7, "docker-proxy")


def test_host_mode_needs_the_port_that_the_program_listens_on_and_others_the_ports_that_they_publish() -> None:
    arms = [
        ArmSpec("host", Mode.HOST, port=80, publish=(Publish(80, 8080),)),
        ArmSpec("inside", Mode.CONTAINER, target="host", port=81),
        ArmSpec("beside", Mode.CONTAINER, target="bridge", port=82),
        ArmSpec("bridge", Mode.BRIDGE, publish=(Publish(80, 8080), Publish(80), Publish(53, 53, "udp", "127.0.0.1"))),
        ArmSpec("user", Mode.USER_BRIDGE, publish=(Publish(80, 8080),)),
        ArmSpec("none", Mode.NONE, publish=(Publish(80, 9999),)),
        ArmSpec("macvlan", Mode.MACVLAN, publish=(Publish(80, 9998),)),
    ]
    assert needed_ports(arms) == (HostPort(80), HostPort(81), HostPort(8080), HostPort(53, "udp", "127.0.0.1"))


@pytest.mark.parametrize(
    ("message", "port"),
    [
        ("Bind for 0.0.0.0:8080 failed: port is already allocated", 8080),
        ("Bind for :::8081 failed: port is already allocated", 8081),
        ("Error starting userland proxy: listen tcp4 127.0.0.1:80: bind: address already in use", 80),
        ("failed to bind host port for 0.0.0.0:8080:172.17.0.2:80/tcp: address already in use", 8080),
        ("failed to bind host port [::]:8082/tcp: address already in use", 8082),
        ("failed to bind host port for [2001:db8::12:1]:8083:[fd00::2]:80/tcp: address already in use", 8083),
        ("listen tcp :9090: bind: address already in use", 9090),
        ("nginx: [emerg] bind() to [::]:81 failed (98: Address already in use)", 81),
        ("(98)Address already in use: AH00072: make_sock: could not bind to address 0.0.0.0:82", 82),
        ("Could not create server TCP listening socket *:6379: bind: Address already in use", 6379),
        ("Error: listen EADDRINUSE: address already in use :::3000", 3000),
        ("OSError: [Errno 98] Address already in use", None),
        ("No such image: nginx:9", None),
    ],
)
def test_the_port_is_read_from_a_message_of_the_engine_or_of_a_program(message: str, port: int | None) -> None:
    assert port_in_message(message) == port


def test_a_process_of_the_machine_holds_a_port() -> None:
    holder = find_holder(HostPort(80), [NGINX], [])
    assert holder is not None
    assert (holder.sentence, holder.experiment) == ("nginx (pid 812) listens on port 80 of this machine.", None)


def test_a_socket_may_belong_to_an_arm_unless_its_process_is_known_to_be_elsewhere() -> None:
    host = make_column("host")
    inside = replace(NGINX, container=container_id("host"))
    assert may_belong_to(inside, host)
    assert not may_belong_to(NGINX, host)
    assert not may_belong_to(inside, make_column("bridge"))
    assert may_belong_to(replace(NGINX, process=None, pid=None), host)
    assert may_belong_to(NGINX, make_column("host", container=None))


def test_a_container_of_another_experiment_holds_a_port() -> None:
    listener = Listener(Protocol.TCP, Family.INET6, "::", 80, 812, "nginx", "c" * 64)
    holder = find_holder(HostPort(80), [listener], [PortUser("c" * 64, "experiment “x”", (), OTHER)])
    assert holder is not None
    assert holder.sentence == "nginx (pid 812) of experiment “x” listens on port 80 of this machine."
    assert holder.experiment == OTHER


@pytest.mark.parametrize(
    "listeners",
    [
        [],
        [PROXY],
        *([replace(PROXY, process=name)] for name in ("conmon", "rootlessport", "pasta.avx2", "slirp4netns")),
    ],
)
def test_the_engine_publishes_a_port_with_and_without_docker_proxy(listeners: list[Listener]) -> None:
    holder = find_holder(HostPort(8080), listeners, [PortUser("c", "container web", (HostPort(8080),))])
    assert holder is not None
    assert holder.sentence == "The Engine publishes port 8080 of this machine for container web."


@pytest.mark.parametrize(
    ("port", "held"),
    [
        (HostPort(53, "udp", "127.0.0.1"), True),
        (HostPort(53, "udp"), True),
        (HostPort(53, "udp", "192.0.2.2"), False),
        (HostPort(53, "tcp", "127.0.0.1"), False),
        (HostPort(54, "udp", "127.0.0.1"), False),
    ],
)
def test_only_an_overlapping_address_and_the_same_protocol_hold_a_port(port: HostPort, held: bool) -> None:
    listener = Listener(Protocol.UDP, Family.INET, "127.0.0.1", 53, 9, "dnsmasq")
    assert (find_holder(port, [listener], []) is not None) is held


@pytest.mark.parametrize("process", ["docker-proxy", "rootlessport", "pasta", "pasta.avx2", "slirp4netns"])
def test_ports_of_the_experiment_itself_do_not_count(process: str) -> None:
    own = PortUser("a" * 64, "experiment “mine”", (HostPort(8080),), ExperimentRef("mine", "mine"))
    listener = Listener(Protocol.TCP, Family.INET, "0.0.0.0", 80, 5, "nginx", "a" * 64)
    forwarder = replace(PROXY, process=process)
    needed = [HostPort(80), HostPort(8080)]
    assert held_ports(needed, [listener, forwarder], [own], "mine") == ()
    assert [one.experiment for one in held_ports(needed, [listener, forwarder], [own], "another")] == [
        own.experiment
    ] * 2


def test_a_foreign_program_on_a_port_that_the_experiment_published_counts() -> None:
    own = PortUser("a" * 64, "experiment “mine”", (HostPort(8080),), ExperimentRef("mine", "mine"))
    python = Listener(Protocol.TCP, Family.INET, "127.0.0.1", 8080, 5, "python3")
    (holder,) = held_ports([HostPort(8080)], [python], [own], "mine")
    assert holder.sentence.startswith("python3 (pid 5) listens on port 8080")


def test_a_holder_of_a_port_on_two_addresses_is_named_once() -> None:
    needed = [HostPort(80, "tcp", "127.0.0.1"), HostPort(80, "tcp", "192.0.2.2")]
    assert len(held_ports(needed, [NGINX], [])) == 1
