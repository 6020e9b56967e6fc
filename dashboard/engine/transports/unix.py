"""HTTP over a unix socket for ``requests``. It replaces the SDK's transport.

docker/transport/unixconn.py (7.2) does not close its socket when connect fails. Delete this module once the SDK closes
it.
"""

import socket

import urllib3
import urllib3.connection

from dashboard.engine.transports.pool_adapter import PoolAdapter


class UnixConnection(urllib3.connection.HTTPConnection):
    """A connection to the unix socket at ``path``."""

    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        """Connects to the socket. Raises OSError if that fails."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(self.timeout if isinstance(self.timeout, int | float) else None)
            sock.connect(self._path)
        except BaseException:
            sock.close()
            raise
        self.sock = sock


class UnixPool(urllib3.HTTPConnectionPool):
    """A pool of connections to one unix socket. It keeps up to ``size`` connections open."""

    def __init__(self, path: str, timeout_s: float, size: int) -> None:
        super().__init__("localhost", timeout=timeout_s, maxsize=size)
        self._path = path
        self._timeout_s = timeout_s

    def _new_conn(self) -> UnixConnection:
        self.num_connections += 1
        return UnixConnection(self._path, self._timeout_s)


class UnixAdapter(PoolAdapter):
    """The adapter of ``requests`` for one unix socket. It keeps up to ``size`` connections open."""

    def __init__(self, path: str, timeout_s: float, size: int) -> None:
        super().__init__(UnixPool(path, timeout_s, size))
