"""Support for reverse proxies: the rest of the server sees the client's address and scheme instead of the proxy's."""

from collections.abc import Iterable, MutableMapping, Sequence
from typing import Any

from dashboard.core.operations.proxy_headers import Network, client_behind, is_trusted, scheme_behind
from dashboard.web.http.guards import Application, Receive, Scope, Send

WEBSOCKET_SCHEMES = {"http": "ws", "https": "wss"}
HTTP_SCHEMES = {"ws": "http", "wss": "https"}
PREFIX = b"__Host-"
Header = tuple[bytes, bytes]


def header_values(scope: Scope, name: bytes) -> list[str]:
    """Returns all values of a header, in order."""
    return [value.decode("latin-1") for key, value in scope.get("headers", ()) if key == name]


class ProxyGuard:
    """The outermost ASGI layer. Applies ``X-Forwarded-For`` and ``X-Forwarded-Proto`` if a trusted proxy sends them.

    It ignores all other forwarding headers. Over https it adds the prefix ``__Host-`` to the names of cookies. Then no
    other host of the domain, and no port without TLS, can set or receive them (RFC 6265bis, section 4.1.3.2).
    """

    def __init__(self, application: Application, proxies: Sequence[Network]) -> None:
        self._application = application
        self._proxies = tuple(proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on with the client's address and scheme in ``scope``."""
        if scope["type"] in {"http", "websocket"}:
            scope = self._client_scope(scope)
            if scope["scheme"] in {"https", "wss"}:
                scope = {**scope, "headers": without_prefix(scope.get("headers", ()))}
                send = with_secure_cookies(send)
        await self._application(scope, receive, send)

    def _client_scope(self, scope: Scope) -> Scope:
        client, scheme = scope.get("client"), str(scope.get("scheme") or "http")
        peer, scheme = str((client or ("",))[0]), HTTP_SCHEMES.get(scheme, scheme)
        if is_trusted(peer, self._proxies):
            scheme = scheme_behind(peer, scheme, header_values(scope, b"x-forwarded-proto"), self._proxies)
            address = client_behind(peer, header_values(scope, b"x-forwarded-for"), self._proxies)
            client = client if address == peer else (address, 0)
        scheme = WEBSOCKET_SCHEMES.get(scheme, scheme) if scope["type"] == "websocket" else scheme
        return {**scope, "scheme": scheme, "client": client}


def without_prefix(headers: Iterable[Header]) -> list[Header]:
    """Returns the headers of a request with ``__Host-`` removed from the names of cookies.

    Omits cookies without the prefix, because another page may have set them.
    """
    return [(name, _own_cookies(value)) if name.lower() == b"cookie" else (name, value) for name, value in headers]


def _own_cookies(value: bytes) -> bytes:
    cookies = (cookie.strip() for cookie in value.split(b";"))
    return b"; ".join(cookie.removeprefix(PREFIX) for cookie in cookies if cookie.startswith(PREFIX))


def with_secure_cookies(send: Send) -> Send:
    """Returns a ``send`` that adds the prefix ``__Host-`` and ``Secure`` to every cookie of a response (RFC 6265,
    4.1.2.5)."""

    async def send_secure(message: MutableMapping[str, Any]) -> None:
        if message["type"] in {"http.response.start", "websocket.http.response.start"}:
            headers = [
                (name, PREFIX + value + (b"" if b"; secure" in value.lower() else b"; Secure"))
                if name.lower() == b"set-cookie"
                else (name, value)
                for name, value in message.get("headers", ())
            ]
            message = {**message, "headers": headers}
        await send(message)

    return send_secure
