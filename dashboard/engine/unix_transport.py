"""HTTP over a unix socket for requests, in place of the SDK's transport.

docker/transport/unixconn.py (7.2) does not close its socket when connect fails. Delete this when it does.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

import requests.adapters
import urllib3
import urllib3.connection


class UnixConnection(urllib3.connection.HTTPConnection):
    """One connection to the socket at ``path``."""

    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        """Connects, or raises the OSError that says why not."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(self.timeout if isinstance(self.timeout, int | float) else None)
            sock.connect(self._path)
        except BaseException:
            sock.close()
            raise
        self.sock = sock


class UnixPool(urllib3.HTTPConnectionPool):
    """Connections to one socket, kept open."""

    def __init__(self, path: str, timeout_s: float, size: int) -> None:
        super().__init__("localhost", timeout=timeout_s, maxsize=size)
        self._path = path
        self._timeout_s = timeout_s

    def _new_conn(self) -> UnixConnection:
        self.num_connections += 1
        return UnixConnection(self._path, self._timeout_s)


class UnixAdapter(requests.adapters.HTTPAdapter):
    """What a session of requests mounts for one socket; up to ``size`` connections stay open."""

    def __init__(self, path: str, timeout_s: float, size: int) -> None:
        super().__init__(pool_connections=1, pool_maxsize=1)
        self._pool = UnixPool(path, timeout_s, size)

    def get_connection_with_tls_context(self, *_arguments: Any, **_options: Any) -> urllib3.HTTPConnectionPool:
        """The pool, whatever the address in the request."""
        return self._pool

    def request_url(self, request: requests.PreparedRequest, proxies: Mapping[str, str] | None) -> str:
        """The path alone: there is no proxy in front of a socket."""
        return request.path_url

    def close(self) -> None:
        """Closes what is idle; connections in use close when they come back."""
        self._pool.close()
        super().close()
