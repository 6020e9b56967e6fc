"""Tracepoints of the packets that one thread sends, in a namespace of the test."""

from __future__ import annotations

import os
import resource
import socket

import pytest

from dashboard.core.paths.packets import EventKind, FirstPacket
from dashboard.netns import packet_events
from dashboard.netns.namespace import Namespace
from dashboard.netns.packet_events import EventsUnavailableError, connect_observed, read_formats
from tests.netns.namespaces import Netns

FORMATS = """name: net_dev_start_xmit
ID: 7
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:__data_loc char[] name;\toffset:8;\tsize:4;\tsigned:0;
\tfield:const void * skbaddr;\toffset:16;\tsize:8;\tsigned:0;
\tfield:u16 protocol;\toffset:30;\tsize:2;\tsigned:0;
\tfield:unsigned int len;\toffset:36;\tsize:4;\tsigned:0;
name: netif_receive_skb
ID: 8
format:
\tfield:void * skbaddr;\toffset:8;\tsize:8;\tsigned:0;
\tfield:__data_loc char[] name;\toffset:20;\tsize:4;\tsigned:0;
name: kfree_skb
ID: 9
format:
\tfield:void * skbaddr;\toffset:8;\tsize:8;\tsigned:0;
\tfield:enum skb_drop_reason reason;\toffset:36;\tsize:4;\tsigned:0;
print fmt: "reason: %s", __print_symbolic(REC->reason, { 2, "NOT_SPECIFIED" }, { 12, "NETFILTER_DROP" })
"""


@pytest.fixture(autouse=True)
def _needs_tracepoints(request: pytest.FixtureRequest) -> None:
    if "namespace" in request.fixturenames:
        try:
            packet_events._formats()
        except EventsUnavailableError as error:
            pytest.skip(str(error))


def test_a_connection_to_a_port_without_a_program_is_refused_with_the_kernels_reason(
    netns: Netns, namespace: Namespace
) -> None:
    netns.ip("link", "set", "lo", "up")
    connection = connect_observed(namespace, "127.0.0.1", 81, 1.0)
    first = FirstPacket(connection.events)
    assert connection.client.startswith("127.0.0.1:")
    assert (first.links, first.reason) == (("lo → lo",), "NO_SOCKET")


def test_a_packet_that_a_rule_drops_has_the_kernels_reason(netns: Netns, namespace: Namespace) -> None:
    netns.ip("link", "set", "lo", "up")
    netns.run("iptables", "-A", "INPUT", "-p", "tcp", "--dport", "82", "-j", "DROP")
    assert FirstPacket(connect_observed(namespace, "127.0.0.1", 82, 0.05).events).reason == "NETFILTER_DROP"


def test_a_packet_that_arrives_is_not_dropped(netns: Netns, namespace: Namespace) -> None:
    netns.ip("link", "set", "lo", "up")
    netns.ip("-6", "address", "replace", "::1/128", "dev", "lo", "nodad")
    with namespace.run(lambda: socket.create_server(("::", 83), family=socket.AF_INET6, dualstack_ipv6=True)):
        for address in ("127.0.0.1", "::1"):
            first = FirstPacket(connect_observed(namespace, address, 83, 1.0).events)
            assert (first.links, first.reason) == (("lo → lo",), ""), address


def test_a_descriptor_above_1023_is_no_obstacle(netns: Netns, namespace: Namespace) -> None:
    netns.ip("link", "set", "lo", "up")
    netns.run("iptables", "-A", "INPUT", "-p", "tcp", "--dport", "84", "-j", "DROP")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(limits[0], 2048), max(limits[1], 2048)))
    opened = [os.open("/dev/null", os.O_RDONLY) for _ in range(1100)]
    try:
        assert connect_observed(namespace, "127.0.0.1", 84, 0.05).client.startswith("127.0.0.1:")
    finally:
        for one in opened:
            os.close(one)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_without_tracepoints_the_connection_is_made_and_the_reason_stated(
    netns: Netns, namespace: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rules are traced all the same, for which a packet is needed."""

    def refuse(*_: object) -> None:
        raise EventsUnavailableError("no tracepoints")

    netns.ip("link", "set", "lo", "up")
    for step in ("_open_ring", "_formats"):
        monkeypatch.setattr(packet_events, step, refuse)
        connection = connect_observed(namespace, "127.0.0.1", 85, 0.05)
        assert connection.client.startswith("127.0.0.1:")
        assert (connection.events, connection.error) == ((), "no tracepoints")


def test_formats_are_read_by_name_and_a_kernel_without_reasons_is_refused() -> None:
    start, receive, drop = read_formats(FORMATS)
    assert (start.identity, start.kind, start.offsets["protocol"]) == (7, EventKind.SENT, 30)
    assert (receive.identity, receive.offsets["name"]) == (8, 20)
    assert drop.reasons == {2: "NOT_SPECIFIED", 12: "NETFILTER_DROP"}
    with pytest.raises(EventsUnavailableError, match="no drop reasons"):
        read_formats(FORMATS.replace("reason;", "location;"))
