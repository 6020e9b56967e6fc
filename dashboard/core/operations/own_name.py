"""The server's own host name on this machine. It keeps the server's cookies away from containers.

Browsers send cookies to every port of a host (RFC 6265, section 8.5). A container that shared the server's host name
would receive the server's cookies.
"""

import hmac
from base64 import b32encode
from collections.abc import Mapping
from hashlib import sha256

#: Names under which browsers also open programs on other ports of this machine.
SHARED_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
#: Browsers that resolve names below localhost to loopback themselves, whatever the system's resolver does. Safari asks
#: the system, which may not know the name.
_RESOLVING_BROWSERS = ("Chrome/", "Firefox/")


def own_name(secret_key: str) -> str:
    """Returns a name below localhost. It is derived from ``secret_key``, so it stays the same for an installation.
    Pages of containers must not be able to guess it: they could direct the browser, with its cookies, to their own port
    under this name."""
    digest = hmac.digest(secret_key.encode(), b"netmodes own name", sha256)
    return f"netmodes-{b32encode(digest[:5]).decode().lower()}.localhost"


def is_redirected(method: str, name: str, headers: Mapping[str, str]) -> bool:
    """Whether a request is redirected to the own name: only if Chrome, Firefox or a browser based on them opens a page
    under one of ``SHARED_NAMES``. Other browsers may not resolve the name. Programs are not redirected, because they do
    not send their cookies to other ports."""
    return (
        name in SHARED_NAMES
        and method in {"GET", "HEAD"}
        and headers.get("Sec-Fetch-Dest") == "document"
        and any(browser in headers.get("User-Agent", "") for browser in _RESOLVING_BROWSERS)
    )
