"""The adapter of ``requests`` for one pool of connections that do not use the address of the URL."""

from collections.abc import Mapping
from typing import Any

import requests.adapters
import urllib3


class PoolAdapter(requests.adapters.HTTPAdapter):
    """Sends every request over ``pool``."""

    def __init__(self, pool: urllib3.HTTPConnectionPool) -> None:
        super().__init__(pool_connections=1, pool_maxsize=1)
        self._pool = pool

    def get_connection_with_tls_context(self, *_arguments: Any, **_options: Any) -> urllib3.HTTPConnectionPool:
        """The pool, regardless of the address in the request."""
        return self._pool

    def request_url(self, request: requests.PreparedRequest, proxies: Mapping[str, str] | None) -> str:
        """The path only: there is no proxy in front of the engine."""
        return request.path_url

    def close(self) -> None:
        """Close idle connections; connections in use close when they are returned."""
        self._pool.close()
        super().close()
