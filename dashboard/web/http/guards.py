"""The closed door: Host before everything, exact origins, sign-in for http and websocket alike."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from channels.db import database_sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from dashboard.web.training.group_access import SOCKETS, any_participant
from dashboard.web.training.roles import participant_in, session_in, tokens_of

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

#: What answers without a session: the exchange of the link and of a join code, the health checks, files that are the
#: same for everybody.
OPEN_PATHS = ("/sign-in/", "/join/", "/healthz", "/readyz")
#: What has a door of its own: a token, or a session.
OWN_CHECK = ("/metrics",)
OPEN_PREFIXES = ("/static/",)
#: The page of a shared report, and nothing beside or below it: the token in it is what opens the door.
SHARED_PATH = re.compile(r"/r/[^/]+/")
#: A link that brings somebody back to their participant, and one that shows them their results, likewise.
SEAT_PATH = re.compile(r"/seat/[^/]+/")
RESULTS_PATH = re.compile(r"/results/[^/]+/")
LINK_PATHS = (SHARED_PATH, SEAT_PATH, RESULTS_PATH)


def header(scope: Scope, name: bytes) -> str | None:
    """A header's value; None if it is missing, ValueError if it comes more than once."""
    values = [value for key, value in scope.get("headers", ()) if key == name]
    if len(values) > 1:
        raise ValueError(f"more than one {name.decode()} header")
    return values[0].decode("latin-1") if values else None


def split_host(host: str) -> tuple[str, str]:
    """Name and port of a Host header, the name in lower case; IPv6 keeps its brackets.

    What is neither comes back as a name, which then is not one of ours.
    """
    if host.startswith("["):
        name, bracket, rest = host.partition("]")
        if rest and not rest.startswith(":"):
            return host.lower(), ""
        return (name + bracket).lower(), rest.removeprefix(":")
    name, _colon, port = host.partition(":")
    return name.lower(), port


def is_allowed_host(host: str | None, port: int | None) -> bool:
    """Whether the Host is one of ours by name, and (served directly) names the port we listen on.

    Behind a proxy (``NETMODES_ALLOWED_HOSTS``) the port is the proxy's and is not compared.
    """
    if not host:
        return False
    name, given = split_host(host)
    if name not in settings.ALLOWED_HOSTS:
        return False
    local = name in {"127.0.0.1", "localhost", "[::1]"}
    return not local or port is None or given == str(port) or (given == "" and port == 80)


class HostGuard:
    """Outermost ASGI layer: Django looks at Host only when somebody asks, and websockets never do."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request pass or answers 400; a websocket is refused before it is accepted."""
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
            return
        try:
            allowed = is_allowed_host(header(scope, b"host"), (scope.get("server") or (None, None))[1])
        except ValueError:
            allowed = False
        if allowed:
            await self._application(scope, receive, send)
        else:
            sentence = "This host name is not served here. Open the address that ./netmodes up printed."
            await refuse_connection(scope, receive, send, 400, sentence)


async def refuse_connection(scope: Scope, receive: Receive, send: Send, status: int, sentence: str) -> None:
    """An answer from outside of Django; a websocket gets it in place of its handshake."""
    prefix = "http"
    if scope["type"] == "websocket":
        await receive()
        if "websocket.http.response" not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": 4000 + status % 1000})
            return
        prefix = "websocket.http"
    body = f"{sentence}\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        (b"referrer-policy", b"same-origin"),
        (b"connection", b"close"),
    ]
    await send({"type": f"{prefix}.response.start", "status": status, "headers": headers})
    await send({"type": f"{prefix}.response.body", "body": body})


class BodyGuard:
    """Ends a request whose body is larger than ``limit_bytes``: Django would write all of it to disk first,
    before it asks who is there."""

    def __init__(self, application: Application, limit_bytes: int) -> None:
        self._application = application
        self._limit_bytes = limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on, or answers 413."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        left = self._limit_bytes

        async def counted() -> MutableMapping[str, Any]:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            return message if left >= 0 else {"type": "http.disconnect"}

        if self._is_announced_too_large(scope):
            left = -1
        else:
            await self._application(scope, counted, send)
        if left < 0:
            sentence = f"This is too large: at most {self._limit_bytes} bytes are taken."
            await refuse_connection(scope, receive, send, 413, sentence)

    def _is_announced_too_large(self, scope: Scope) -> bool:
        try:
            announced = header(scope, b"content-length") or "0"
            return int(announced) > self._limit_bytes
        except ValueError:
            return True


def is_own_origin(scope: Scope) -> bool:
    """Whether the Origin is exactly the page's own: scheme, host and port as in Host."""
    try:
        origin, host = header(scope, b"origin"), header(scope, b"host")
    except ValueError:
        return False
    if not origin or not host:
        return False
    if origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    scheme = "https" if scope.get("scheme") in {"wss", "https"} else "http"
    name, port = split_host(host)
    default = {"http": "80", "https": "443"}[scheme]
    expected = f"{scheme}://{name}" + ("" if port in {"", default} else f":{port}")
    return origin == expected


class SocketGuard:
    """For websockets: the exact origin; and a signed-in person, a participant that asks for its own session's, or any participant
    that asks for what groups run (behind the door ``class_doors`` looks whose that is). All that before the
    handshake is accepted."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on or refuses with 403."""
        if is_own_origin(scope) and await self._is_known(scope):
            await self._application(scope, receive, send)
        else:
            sentence = "Only the pages of Netmodes may listen here, and only after signing in."
            await refuse_connection(scope, receive, send, 403, sentence)

    async def _is_known(self, scope: Scope) -> bool:
        user = scope.get("user")
        if user is not None and user.is_authenticated:
            return True
        session = scope.get("session")
        if not tokens_of(session):
            return False
        look = database_sync_to_async(participant_in, thread_sensitive=False)
        scope["participant"] = await look(session, scope["path"])
        if scope["participant"] is None and SOCKETS.fullmatch(scope["path"]):
            scope["participant"] = await database_sync_to_async(any_participant, thread_sensitive=False)(session)
        return scope["participant"] is not None


View = Callable[[HttpRequest], HttpResponse]


class FetchSiteMiddleware:
    """Refuses what another site or another port of this host sends: cookies are not separated by port.

    Browsers set Sec-Fetch-Site and pages cannot forge it (Fetch Metadata).
    """

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """403 for a foreign write; reading is protected by the origin policy."""
        site = request.headers.get("Sec-Fetch-Site")
        if request.method not in {"GET", "HEAD", "OPTIONS"} and site not in {None, "same-origin", "none"}:
            return render(request, "403.html", status=403)
        return self.get_response(request)


class SignInRequiredMiddleware:
    """Nothing but ``OPEN_PATHS`` and ``LINK_PATHS`` answers without a session. Who has a participant in
    a class reaches the addresses of that class, and none of its instructor's or of anybody else."""

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """401 with a page, or with JSON under /api/."""
        path = request.path_info
        if path in OPEN_PATHS or path in OWN_CHECK or path.startswith(OPEN_PREFIXES):
            return self.get_response(request)
        if any(one.fullmatch(path) for one in LINK_PATHS) or request.user.is_authenticated:
            return self.get_response(request)
        if tokens := tokens_of(request.session):
            participant = participant_in(request.session, path)
            if participant is not None:
                request.participant = participant  # type: ignore[attr-defined]  # for ``roles.for_participant``, which would ask again
                return self.get_response(request)
            if session_in(path) not in tokens:
                return self._elsewhere(request, list(tokens)[-1])
        if path.startswith("/api/"):
            from django.http import JsonResponse

            return JsonResponse({"detail": _("Sign in first: open the link that ./netmodes up printed.")}, status=401)
        return render(request, "sign_in.html", {"lost_access": bool(session_in(path))}, status=401)

    def _elsewhere(self, request: HttpRequest, session: str) -> HttpResponse:
        """For who takes part in a class and asks for something else."""
        if request.path_info.startswith("/api/"):
            from django.http import JsonResponse

            return JsonResponse({"detail": _("This is for the instructor.")}, status=403)
        return render(request, "training/no_access.html", {"home": f"/sessions/{session}/"}, status=403)
