"""The base class of adapters of ``requests`` that use one pool of connections, whatever the address in the URL."""

from collections.abc import Mapping
from typing import Any

import requests.adapters
import urllib3


class PoolAdapter(requests.adapters.HTTPAdapter):
    """Sends every request over a connection of ``pool``."""

    def __init__(self, pool: urllib3.HTTPConnectionPool) -> None:
        super().__init__(pool_connections=1, pool_maxsize=1)
        self._pool = pool

    def get_connection_with_tls_context(self, *_arguments: Any, **_options: Any) -> urllib3.HTTPConnectionPool:
        """Returns the pool, regardless of the address in the request."""
        return self._pool

    def request_url(self, request: requests.PreparedRequest, proxies: Mapping[str, str] | None) -> str:
        """Returns only the path of the URL: there is no proxy in front of the engine."""
        return request.path_url

    def close(self) -> None:
        """Closes idle connections. Connections in use are closed when they are returned to the pool."""
        self._pool.close()
        super().close()
