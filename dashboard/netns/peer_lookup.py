"""Finds the client address that a server sees: the peer of the server's own connection (sock_diag(7))."""

import socket

from dashboard.netns.netlink.framing import MalformedMessage
from dashboard.netns.netlink.listeners import Connection, ListenerTable, read_connections


class ServerEnd:
    """Finds the server's end of one connection. Create this object before the connection: it compares the server's
    connections with those that existed then.

    ``diag`` is a sock_diag socket of the server's namespace; the caller closes it. ``port`` is the port on which the
    server listens in this namespace. If it is None (unknown), connections to any listening port are considered.
    Connections that the server has opened itself are never considered.
    """

    def __init__(self, diag: socket.socket, port: int | None) -> None:
        self._diag = diag
        self._ports = self._listening() if port is None else frozenset((port,))
        self._filter = port or 0
        self._before = frozenset(self._connections())

    def _listening(self) -> frozenset[int]:
        table = ListenerTable(self._diag)
        try:
            table.poll()
        except (OSError, MalformedMessage):
            return frozenset()
        return frozenset(one.port for one in table.sockets)

    def _connections(self, peer_port: int = 0) -> list[Connection]:
        try:
            connections = read_connections(self._diag, self._filter, peer_port)
        except (OSError, MalformedMessage):
            return []
        return [connection for connection in connections if connection.local_port in self._ports]

    def find(self, client: str, client_port: int) -> str | None:
        """Returns the client's address as the server sees it. ``client`` is the client's own end (``address:port``),
        and ``client_port`` its port. None if no new connection matches, or if several do.

        If the server has a new connection with the peer ``client``, returns ``client``: NAT may have rewritten only the
        destination. Otherwise returns the peer of the only new connection. This is docker-proxy's end if docker-proxy
        forwards the request.
        """
        if any(one.peer == client for one in self._connections(client_port) if one not in self._before):
            return client
        new = [connection.peer for connection in self._connections() if connection not in self._before]
        return new[0] if len(new) == 1 else None
