"""The client address that a server sees."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator

import pytest

from dashboard.netns import peer_lookup
from dashboard.netns.namespace import Namespace
from dashboard.netns.netlink.listeners import ListenerTable, open_diag_socket
from dashboard.netns.peer_lookup import ServerEnd
from tests.netns.namespaces import Netns, wanted


@pytest.fixture
def diag(netns: Netns, namespace: Namespace) -> Iterator[socket.socket]:
    """A diag socket of a namespace with listeners on ports 80 and 81."""
    netns.hold([wanted("tcp", "inet", "0.0.0.0", 80), wanted("tcp", "inet", "0.0.0.0", 81)])
    with namespace.run(open_diag_socket) as opened:
        yield opened


def _connect(namespace: Namespace, port: int) -> socket.socket:
    return namespace.run(lambda: socket.create_connection(("127.0.0.1", port)))


def _name(connection: socket.socket) -> tuple[str, int]:
    host, port = connection.getsockname()
    return f"{host}:{port}", port


@pytest.mark.parametrize("port", [80, None])
def test_a_direct_connection_is_seen_as_the_client_s_own(
    namespace: Namespace, diag: socket.socket, port: int | None
) -> None:
    end = ServerEnd(diag, port)
    with _connect(namespace, 80) as ours, _connect(namespace, 80):
        assert end.find(*_name(ours)) == _name(ours)[0]


@pytest.mark.parametrize("port", [80, None])
def test_the_only_new_connection_is_ours_where_a_proxy_is_between(
    namespace: Namespace, diag: socket.socket, port: int | None
) -> None:
    with _connect(namespace, 80):
        end = ServerEnd(diag, port)
        assert end.find("192.0.2.1:5", 5) is None
        with _connect(namespace, 80) as proxy:
            assert end.find("192.0.2.1:5", 5) == _name(proxy)[0]


def test_two_new_connections_cannot_be_distinguished(namespace: Namespace, diag: socket.socket) -> None:
    end = ServerEnd(diag, 80)
    with _connect(namespace, 80), _connect(namespace, 80):
        assert end.find("192.0.2.1:5", 5) is None


def test_an_earlier_connection_is_not_ours(namespace: Namespace, diag: socket.socket) -> None:
    """Two namespaces have the same loopback addresses, so an equal address and port alone proves nothing."""
    with _connect(namespace, 80) as other:
        assert ServerEnd(diag, 80).find(*_name(other)) is None


def test_other_ports_do_not_count_where_the_port_is_known(namespace: Namespace, diag: socket.socket) -> None:
    end = ServerEnd(diag, 80)
    with _connect(namespace, 81):
        assert end.find("192.0.2.1:5", 5) is None


def test_a_kernel_that_refuses_yields_no_peer(
    namespace: Namespace, diag: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> None:
        raise OSError(errno.EPERM, "made up")

    monkeypatch.setattr(peer_lookup, "read_connections", refuse)
    monkeypatch.setattr(ListenerTable, "poll", refuse)
    assert ServerEnd(diag, None).find("192.0.2.1:5", 5) is None
