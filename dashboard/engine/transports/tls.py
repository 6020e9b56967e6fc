"""HTTPS for ``requests``, for certificates that were created as Docker's documentation describes (“Protect the Docker
daemon socket”)."""

import ssl
from typing import Any

import requests.adapters
import urllib3.util.ssl_


class TlsAdapter(requests.adapters.HTTPAdapter):
    """The adapter of ``requests`` for engines over TLS.

    Since Python 3.13 certificates are checked strictly (VERIFY_X509_STRICT), which refuses a CA certificate without the
    key usage extension. This adapter turns off only the strict check.
    """

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Creates the pools, with a TLS context that does not check strictly."""
        context = urllib3.util.ssl_.create_urllib3_context()
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        # While this is set, ssl does not allow verification to be turned off. urllib3 itself checks the host name if it
        # verifies.
        context.check_hostname = False
        super().init_poolmanager(*arguments, ssl_context=context, **options)
