"""Forwarding headers reach the application only from trusted proxies."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import pytest

from dashboard.core.operations.proxy_headers import parse_proxies
from dashboard.web.http.proxies import ProxyGuard

SAID = [
    (b"host", b"netmodes.example.org"),
    (b"x-forwarded-for", b"203.0.113.9"),
    (b"x-forwarded-for", b"198.51.100.7"),
    (b"x-forwarded-proto", b"https"),
    (b"x-forwarded-host", b"evil.example"),
]
COOKIES = [b"sessionid=a; HttpOnly", b"csrftoken=b; SameSite=Strict; secure"]


async def behind(
    peer: tuple[str, int] | None, kind: str = "http", headers: list[tuple[bytes, bytes]] = SAID
) -> tuple[dict[str, Any], list[bytes]]:
    """Sends a request through the proxy settings. Returns the application's scope and the browser's cookies."""
    seen: dict[str, Any] = {}
    sent: list[MutableMapping[str, Any]] = []

    async def application(scope: Any, _receive: Any, send: Any) -> None:
        seen.update(scope)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"set-cookie", c) for c in COOKIES]})

    async def receive() -> MutableMapping[str, Any]:
        return {}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {"type": kind, "scheme": "http" if kind == "http" else "ws", "client": peer, "headers": headers}
    await ProxyGuard(application, parse_proxies(["127.0.0.1"]))(scope, receive, send)
    return seen, [value for name, value in sent[0]["headers"] if name == b"set-cookie"]


@pytest.mark.parametrize(("kind", "scheme"), [("http", "https"), ("websocket", "wss")])
async def test_headers_of_a_trusted_proxy_count(kind: str, scheme: str) -> None:
    seen, _cookies = await behind(("127.0.0.1", 50000), kind)
    assert (seen["client"], seen["scheme"]) == (("198.51.100.7", 0), scheme)
    assert seen["headers"] == SAID


@pytest.mark.parametrize("peer", [("192.0.2.1", 50000), ("::1", 50000), None])
@pytest.mark.parametrize(("kind", "scheme"), [("http", "http"), ("websocket", "ws")])
async def test_headers_of_other_peers_do_not_count(peer: tuple[str, int] | None, kind: str, scheme: str) -> None:
    seen, cookies = await behind(peer, kind)
    assert (seen["client"], seen["scheme"]) == (peer, scheme)
    assert cookies == COOKIES


async def test_cookies_set_over_https_are_secure_and_for_this_host_only() -> None:
    _seen, cookies = await behind(("127.0.0.1", 50000))
    assert cookies == [b"__Host-" + COOKIES[0] + b"; Secure", b"__Host-" + COOKIES[1]]


@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_over_https_only_cookies_with_the_prefix_are_read(kind: str) -> None:
    sent = [*SAID, (b"cookie", b"sessionid=planted; __Host-sessionid=own;__Host-csrftoken=b; __Host-x=a=b")]
    seen, _cookies = await behind(("127.0.0.1", 50000), kind, sent)
    assert seen["headers"] == [*SAID, (b"cookie", b"sessionid=own; csrftoken=b; x=a=b")]
    seen, _cookies = await behind(("192.0.2.1", 50000), kind, sent)
    assert seen["headers"] == sent
