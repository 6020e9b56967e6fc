"""TLS with certificates that are made as Docker's documentation says."""

from __future__ import annotations

import ssl

import requests

from dashboard.engine.transports.tls import TlsAdapter


def test_certificates_are_checked_but_not_strictly() -> None:
    with requests.Session() as session:
        adapter = TlsAdapter()
        session.mount("https://", adapter)
        pool = adapter.poolmanager.connection_from_url("https://192.0.2.1:2376", {})
        context = pool.conn_kw["ssl_context"]
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
