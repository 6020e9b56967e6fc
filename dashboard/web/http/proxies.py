"""Behind a reverse proxy: the outermost layer puts the client's own address and scheme in place of the proxy's."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import Any

from dashboard.core.operations.proxy_headers import Network, client_behind, is_trusted, scheme_behind
from dashboard.web.http.guards import Application, Receive, Scope, Send

OF_SOCKETS = {"http": "ws", "https": "wss"}
OF_PAGES = {"ws": "http", "wss": "https"}


def texts(scope: Scope, name: bytes) -> list[str]:
    """Every value of a header."""
    return [value.decode("latin-1") for key, value in scope.get("headers", ()) if key == name]


class ProxyGuard:
    """Believes ``X-Forwarded-For`` and ``X-Forwarded-Proto`` of the given proxies and of nobody else; nothing else that
    a proxy may say is looked at. Cookies that were set over https are never sent over http."""

    def __init__(self, application: Application, proxies: Sequence[Network]) -> None:
        self._application = application
        self._proxies = tuple(proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on, with ``client`` and ``scheme`` as they are in front of the proxy."""
        if scope["type"] in {"http", "websocket"}:
            scope = self._as_in_front(scope)
            if scope["scheme"] == "https":
                send = with_secure_cookies(send)
        await self._application(scope, receive, send)

    def _as_in_front(self, scope: Scope) -> Scope:
        peer = str((scope.get("client") or ("",))[0])
        spoken = str(scope.get("scheme") or "http")
        spoken = OF_PAGES.get(spoken, spoken)
        scheme, client = spoken, scope.get("client")
        if is_trusted(peer, self._proxies):
            scheme = scheme_behind(peer, spoken, texts(scope, b"x-forwarded-proto"), self._proxies)
            address = client_behind(peer, texts(scope, b"x-forwarded-for"), self._proxies)
            client = client if address == peer else (address, 0)
        scheme = OF_SOCKETS.get(scheme, scheme) if scope["type"] == "websocket" else scheme
        return {**scope, "scheme": scheme, "client": client}


def with_secure_cookies(send: Send) -> Send:
    """``send`` with ``Secure`` at every cookie that has it not yet (RFC 6265, 4.1.2.5)."""

    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = [
                (name, value + b"; Secure")
                if name.lower() == b"set-cookie" and b"; secure" not in value.lower()
                else (name, value)
                for name, value in message.get("headers", ())
            ]
            message = {**message, "headers": headers}
        await send(message)

    return sending
