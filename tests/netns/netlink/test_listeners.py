"""The poll of listening sockets."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.namespaces.addresses import format_endpoint
from dashboard.core.namespaces.state import Family, Protocol
from dashboard.netns.namespace import Namespace
from dashboard.netns.netlink import listeners
from dashboard.netns.netlink.framing import MalformedMessage
from dashboard.netns.netlink.listeners import (
    REMEMBERED_MS,
    ListenerTable,
    decode_socket,
    open_diag_socket,
    read_connections,
    read_listeners,
    read_past_connections,
)
from tests.netns.namespaces import Netns, wanted
from tests.support.polling import until


@pytest.fixture
def diag(namespace: Namespace) -> Iterator[socket.socket]:
    with namespace.run(open_diag_socket) as opened:
        yield opened


def test_a_poll_tells_whether_anything_changed(netns: Netns, diag: socket.socket) -> None:
    table = ListenerTable(diag)
    assert not table.poll()
    process = netns.hold([wanted("tcp", "inet", "127.0.0.1", 80)])
    assert table.poll()
    assert [(one.address, one.port) for one in table.sockets] == [("127.0.0.1", 80)]
    before = table.sockets
    assert not table.poll()
    assert table.sockets is before
    netns.release(process)
    assert table.poll()
    assert table.sockets == ()


def test_a_growing_queue_is_not_a_change(netns: Netns, namespace: Namespace, diag: socket.socket) -> None:
    """The backlog is part of the kernel's answer, so its bytes differ; the set of listeners does not."""
    netns.hold([wanted("tcp", "inet", "127.0.0.1", 80)])
    table = ListenerTable(diag)
    table.poll()
    with namespace.run(lambda: socket.create_connection(("127.0.0.1", 80))):
        assert not table.poll()


def test_one_poll_sees_the_same_port_taken_again_by_another_socket(netns: Netns, diag: socket.socket) -> None:
    table = ListenerTable(diag)
    for _ in range(2):
        process = netns.hold([wanted("tcp", "inet6", "::", 80, v6only=True)])
        assert table.poll()
        netns.release(process)
    assert table.poll()


def test_a_large_dump_that_changes_under_way_is_repeated_until_two_agree(
    netns: Netns, diag: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    netns.hold([wanted("tcp", "inet", "127.0.0.1", 2000 + number) for number in range(600)])
    table = ListenerTable(diag)
    table.poll()
    assert len(table.sockets) == 600
    real = listeners._exchange
    asked = []

    def torn(opened: socket.socket, request: bytes) -> list[bytes]:
        chunks = real(opened, request)
        asked.append(len(chunks))
        return chunks[:1] if len(chunks) > 1 and len(asked) == 1 else chunks

    monkeypatch.setattr(listeners, "_exchange", torn)
    table.poll()
    assert len(table.sockets) == 600
    assert asked[0] > 1


def test_a_protocol_that_the_kernel_cannot_list_is_named(diag: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    real = listeners._exchange
    calls = []

    def without_udp(opened: socket.socket, request: bytes) -> list[bytes]:
        calls.append(request[17])
        if request[17] == socket.IPPROTO_UDP:
            raise OSError(errno.ENOENT, "No such file or directory")
        return real(opened, request)

    monkeypatch.setattr(listeners, "_exchange", without_udp)
    table = ListenerTable(diag)
    table.poll()
    table.poll()
    assert table.unreadable == {Protocol.UDP}
    assert calls.count(socket.IPPROTO_UDP) == 1


def test_a_refused_dump_leaves_the_socket_usable(diag: socket.socket) -> None:
    request = bytearray(listeners.pack_request(Protocol.TCP, Family.INET, 1))
    request[16] = 99
    with pytest.raises(OSError, match="Invalid argument"):
        listeners._exchange(diag, bytes(request))
    assert listeners._exchange(diag, listeners.pack_request(Protocol.TCP, Family.INET, 1 << 10)) == []


def test_connections_are_found_by_port_on_either_side(netns: Netns, namespace: Namespace, diag: socket.socket) -> None:
    netns.hold([wanted("tcp", "inet6", "::", 80, v6only=False), wanted("tcp", "inet", "127.0.0.1", 81)])
    with (
        namespace.run(lambda: socket.create_connection(("127.0.0.1", 80))) as one,
        namespace.run(lambda: socket.create_connection(("::1", 80))) as two,
        namespace.run(lambda: socket.create_connection(("127.0.0.1", 81))),
    ):
        peers = {found.peer for found in read_connections(diag, source_port=80)}
        assert peers == {f"127.0.0.1:{one.getsockname()[1]}", f"[::1]:{two.getsockname()[1]}"}
        (found,) = read_connections(diag, source_port=80, peer_port=one.getsockname()[1])
        assert (found.local, found.peer) == ("127.0.0.1:80", f"127.0.0.1:{one.getsockname()[1]}")
        assert len(read_connections(diag)) == 6


@pytest.mark.parametrize(
    ("address", "expected"),
    [("192.0.2.1", "192.0.2.1:80"), ("::1", "[::1]:80"), ("::ffff:192.0.2.1", "192.0.2.1:80")],
)
def test_an_endpoint_has_one_format(address: str, expected: str) -> None:
    assert format_endpoint(address, 80) == expected


@given(st.binary(max_size=120), st.sampled_from(Protocol), st.sampled_from(Family))
def test_any_bytes_are_a_socket_or_refused(body: bytes, protocol: Protocol, family: Family) -> None:
    try:
        decode_socket(protocol, family, body)
    except MalformedMessage:
        return
    assert len(body) >= 72


@given(st.binary(max_size=200))
def test_any_datagram_is_split_or_refused(chunk: bytes) -> None:
    try:
        for start, end in listeners._answers(chunk):
            assert 16 <= start <= end <= len(chunk)
        listeners._is_last(chunk)
    except (MalformedMessage, OSError):
        pass


def test_a_namespace_without_servers_has_no_listeners(namespace: Namespace) -> None:
    assert read_listeners(namespace) == ()


def test_a_closed_connection_remains_at_the_end_that_closed_it(namespace: Namespace, diag: socket.socket) -> None:
    """A finished request leaves a socket in TIME_WAIT; ``read_connections`` returns only open ones."""
    with namespace.run(lambda: socket.create_server(("127.0.0.1", 80))) as server:
        with namespace.run(lambda: socket.create_connection(("127.0.0.1", 80))) as client:
            client_port = client.getsockname()[1]
            accepted, _ = server.accept()
            both = read_past_connections(diag, 80)
            assert {(one.local_port, one.peer_port) for one in both} == {(80, client_port), (client_port, 80)}
            assert {one.ended_ms for one in both} == {0}
            client.shutdown(socket.SHUT_WR)
            assert accepted.recv(1) == b""
            accepted.close()
            assert client.recv(1) == b""
        found = until(lambda: [one for one in read_past_connections(diag, 80) if one.ended_ms])
        assert [(one.local, one.local_port, one.peer, one.peer_port) for one in found] == [
            ("127.0.0.1", client_port, "127.0.0.1", 80)
        ]
        assert 0 < found[0].ended_ms < REMEMBERED_MS
        assert read_connections(diag, peer_port=80) == ()
        assert read_past_connections(diag, 81) == (), "another port has nothing to do with it"


def test_an_ipv4_connection_to_an_ipv6_socket_is_shown_as_ipv4(namespace: Namespace, diag: socket.socket) -> None:
    serve = partial(socket.create_server, ("::", 80), family=socket.AF_INET6, dualstack_ipv6=True)
    connect = partial(socket.create_connection, ("127.0.0.1", 80))
    with namespace.run(serve), namespace.run(connect):
        assert {one.local for one in read_past_connections(diag, 80)} == {"127.0.0.1"}
