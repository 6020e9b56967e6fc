"""What the preset “Multicast discovery” states, with datagrams on a real engine."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import pytest

from dashboard.core.modes import MACHINE
from dashboard.lab.experiments.actions import column_namespace
from dashboard.netns.namespace import Namespace
from tests.support.lab_harness import LabHarness

pytestmark = pytest.mark.engine
#: The group of mDNS (RFC 6762); the port is another one, in case mDNS runs on this machine.
GROUP, PORT = "224.0.0.251", 25353
TIMEOUT_S = 10.0


def join_group() -> socket.socket:
    """A socket that has joined the group on the link of the default route, as a program that discovers others does."""
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.settimeout(TIMEOUT_S)
    opened.bind(("", PORT))
    opened.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP) + bytes(4))
    return opened


def send(machine: Namespace, text: bytes, link: str) -> None:
    """Sends a datagram to the group over a link of the machine, whose own sockets receive it as well."""
    with machine.run(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as opened:
        opened.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(link))
        opened.sendto(text, (GROUP, PORT))


async def test_a_datagram_to_a_group_on_the_machine_s_link_reaches_host_mode_and_not_bridge(
    lab_harness: LabHarness,
) -> None:
    identity = await lab_harness.running("host", "bridge")
    driver = lab_harness.lab.driver_of(identity)
    assert driver is not None
    states = driver.view.states
    links = {
        link.name: next(one.address for one in link.addresses if one.family == "inet")
        for link in states[MACHINE].interfaces
        if any(one.family == "inet" and one.scope == "global" for one in link.addresses)
    }
    routes = states[MACHINE].routes
    default = next(one for one in routes if one.destination == "default" and one.family == "inet" and one.interface)
    assert default.interface is not None
    namespaces = {key: column_namespace(lab_harness.lab, driver, key) for key in (MACHINE, "host", "bridge")}
    with ExitStack() as opened:
        sockets = {}
        for key in ("host", "bridge"):
            namespace = namespaces[key]
            assert namespace is not None
            sockets[key] = opened.enter_context(namespace.run(join_group))
        machine = namespaces[MACHINE]
        assert machine is not None
        send(machine, b"on the machine's link", links[default.interface])
        send(machine, b"on docker0", links["docker0"])
        assert sockets["host"].recv(100) == b"on the machine's link"
        assert sockets["bridge"].recv(100) == b"on docker0", "the first datagram did not leave its link"
