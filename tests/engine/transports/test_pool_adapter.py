"""dashboard.engine.transports.pool_adapter."""

from __future__ import annotations

import requests
import urllib3

from dashboard.engine.transports.pool_adapter import PoolAdapter


def test_every_request_uses_the_pool_and_names_only_the_path() -> None:
    pool = urllib3.HTTPConnectionPool("localhost")
    adapter = PoolAdapter(pool)
    request = requests.Request("GET", "http://anything/v1.45/info?x=1").prepare()
    assert adapter.get_connection_with_tls_context(request, True) is pool
    assert adapter.request_url(request, {"http": "http://proxy.example"}) == "/v1.45/info?x=1"
    adapter.close()
    assert pool.pool is None
