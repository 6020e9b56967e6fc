"""Access control: ASGI layers and middleware that check the Host header, the origin, the body size and the sign-in."""

import logging
import re
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Literal

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from dashboard.core.operations.own_name import SHARED_NAMES
from dashboard.web.http.database import to_db_thread
from dashboard.web.http.sign_in import sign_in_page
from dashboard.web.training.group_access import SOCKETS, any_participant
from dashboard.web.training.roles import participant_in, session_in, tokens_of

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

#: Paths that need no session: sign-in, joining, readiness, static files and documents. ``/metrics`` checks access
#: itself.
OPEN_PATHS = (
    *("/sign-in/", "/sign-in/openid/", "/sign-in/openid/callback/", "/join/", "/machines/join/"),
    *("/readyz", "/metrics"),
)
OPEN_PREFIXES = ("/static/", "/docs/")
#: Paths with a token, which the view checks: shared reports, and participants' links to resume and to their results.
LINK_PATH = re.compile(r"/(?:r|seat|results)/[^/]+/")

#: The maximum number of websockets of one participant per process. Each tab opens up to three.
MAX_SOCKETS = 48
#: The maximum number of websockets of one account per process, which may be signed in on many screens.
MAX_ACCOUNT_SOCKETS = 1024


def header(scope: Scope, name: bytes) -> str | None:
    """Returns the value of a header; None if it is missing. Raises ValueError if it occurs more than once."""
    values = [value for key, value in scope.get("headers", ()) if key == name]
    if len(values) > 1:
        raise ValueError(f"more than one {name.decode()} header")
    return values[0].decode("latin-1") if values else None


def split_host(host: str) -> tuple[str, str]:
    """Splits a Host header into the lower-case name and the port (empty if missing). An IPv6 address keeps its
    brackets; an invalid header is returned as a name without a port."""
    if host.startswith("["):
        name, bracket, rest = host.partition("]")
        if rest and not rest.startswith(":"):
            return host.lower(), ""
        return (name + bracket).lower(), rest.removeprefix(":")
    name, _colon, port = host.partition(":")
    return name.lower(), port


def is_allowed_host(host: str | None, port: int | None) -> bool:
    """Returns whether a Host header contains an allowed name and, for names of this machine, the server's ``port``.

    If ``port`` is None, every port matches. For names in ``NETMODES_ALLOWED_HOSTS``, the port is not compared, because
    it is the port of the reverse proxy.
    """
    if not host:
        return False
    name, given = split_host(host)
    if name not in settings.ALLOWED_HOSTS:
        return False
    local = name in SHARED_NAMES or name == settings.OWN_NAME
    return not local or port is None or given == str(port) or (given == "" and port == 80)


class HostGuard:
    """ASGI layer that checks the Host header of requests and websockets. Django checks it only where a view reads it,
    and never for websockets."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on a connection whose host is allowed. Otherwise answers 400; a websocket is refused before its
        handshake."""
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
            message = "Unknown host name. Open the address that ./netmodes up printed."
            await refuse_connection(scope, receive, send, 400, message)


async def refuse_connection(scope: Scope, receive: Receive, send: Send, status: int, message: str) -> None:
    """Sends an error response without using Django. A websocket gets the response instead of the handshake. If the
    server cannot send such responses, closes the websocket with the code 4000 plus ``status``."""
    prefix: Literal["http", "websocket.http"] = "http"
    if scope["type"] == "websocket":
        await receive()
        if "websocket.http.response" not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": 4000 + status % 1000})
            return
        prefix = "websocket.http"
    await send_text(send, status, message, (b"connection", b"close"), prefix=prefix)


async def send_text(
    send: Send,
    status: int,
    text: str,
    *headers: tuple[bytes, bytes],
    prefix: Literal["http", "websocket.http"] = "http",
) -> None:
    """Sends ``text`` as the whole response, without using Django. Adds strict security headers to ``headers``.
    ``prefix`` begins the types of the ASGI messages; it is ``websocket.http`` if the response refuses a websocket."""
    body = f"{text}\n".encode()
    strict = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        (b"referrer-policy", b"same-origin"),
    ]
    await send({"type": f"{prefix}.response.start", "status": status, "headers": [*strict, *headers]})
    await send({"type": f"{prefix}.response.body", "body": body})


class BodyGuard:
    """ASGI layer that refuses requests with a body larger than ``limit_bytes``. Without it, Django would write the
    whole body to disk before it checks access."""

    def __init__(self, application: Application, limit_bytes: int) -> None:
        self._application = application
        self._limit_bytes = limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on. Answers 413 if its body is too large."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        left = self._limit_bytes

        async def receive_limited() -> MutableMapping[str, Any]:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            return message if left >= 0 else {"type": "http.disconnect"}

        if self._declares_too_much(scope):
            left = -1
        else:
            await self._application(scope, receive_limited, send)
        if left < 0:
            message = f"The request is too large: the limit is {self._limit_bytes} bytes."
            await refuse_connection(scope, receive, send, 413, message)

    def _declares_too_much(self, scope: Scope) -> bool:
        try:
            return int(header(scope, b"content-length") or "0") > self._limit_bytes
        except ValueError:
            return True


def is_own_origin(scope: Scope) -> bool:
    """Returns whether the Origin header is a trusted origin, or equals the scheme, host and port of this request."""
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
    """ASGI layer that checks websockets before their handshake.

    The origin must be the server's. The client must be a signed-in user, or a participant of the training session in
    the URL. Exception: the websockets of experiments and measurements admit participants of any session, because their
    consumers check the group. A participant may have ``MAX_SOCKETS`` open websockets, an account
    ``MAX_ACCOUNT_SOCKETS``.
    """

    def __init__(self, application: Application) -> None:
        self._application = application
        self._open = Counter[str]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a websocket on. Refuses it with 403 if the client has no access, and with 429 if the client has too
        many open websockets."""
        if not (is_own_origin(scope) and await self._has_access(scope)):
            message = "Only pages of Netmodes may connect here, after signing in."
            await refuse_connection(scope, receive, send, 403, message)
            return
        participant = scope.get("participant")
        holder = f"account {scope['user'].pk}" if participant is None else participant.id
        limit = MAX_ACCOUNT_SOCKETS if participant is None else MAX_SOCKETS
        if self._open[holder] >= limit:
            message = f"Too many live connections are open (limit: {limit}). Close other tabs, then reload this page."
            await refuse_connection(scope, receive, send, 429, message)
            return
        self._open[holder] += 1
        try:
            await self._application(scope, receive, send)
        finally:
            self._open[holder] -= 1
            if not self._open[holder]:
                del self._open[holder]

    async def _has_access(self, scope: Scope) -> bool:
        user = scope.get("user")
        if user is not None and user.is_authenticated:
            return True
        session = scope.get("session")
        if not tokens_of(session):
            return False
        participant = await to_db_thread(participant_in, session, scope["path"])
        if participant is None and SOCKETS.fullmatch(scope["path"]):
            participant = await to_db_thread(any_participant, session)
        scope["participant"] = participant
        return participant is not None


View = Callable[[HttpRequest], HttpResponse]


class FetchSiteMiddleware:
    """Refuses requests that change something if they come from a page of another site or of another port of this host.

    Pages on other ports of this host receive the same cookies. Browsers send the header Sec-Fetch-Site, which pages
    cannot forge (Fetch Metadata).
    """

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answers 403 to a request with an unsafe method from a foreign page. GET, HEAD and OPTIONS need no check: the
        same-origin policy prevents a foreign page from reading the response."""
        site = request.headers.get("Sec-Fetch-Site")
        if request.method not in {"GET", "HEAD", "OPTIONS"} and site not in {None, "same-origin", "none"}:
            return render(request, "403.html", status=403)
        return self.get_response(request)


class SignInRequiredMiddleware:
    """Requires a signed-in user or a participant, except for ``OPEN_PATHS``, ``OPEN_PREFIXES`` and ``LINK_PATH``.

    A participant has access only to pages of their own training session, and to none of the instructor's. Caches must
    not store the responses to paths that require a sign-in.
    """

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Passes a permitted request on. Otherwise answers 401 or 403, with a page or, under /api/, with JSON."""
        path = request.path_info
        if path in OPEN_PATHS or path.startswith(OPEN_PREFIXES) or LINK_PATH.fullmatch(path):
            return self.get_response(request)
        response = self._respond(request, path)
        response.headers.setdefault("Cache-Control", "private, no-store")
        return response

    def _respond(self, request: HttpRequest, path: str) -> HttpResponse:
        if request.user.is_authenticated:
            return self.get_response(request)
        if tokens := tokens_of(request.session):
            participant = participant_in(request.session, path)
            if participant is not None:
                request.participant = participant  # type: ignore[attr-defined]  # for ``roles.for_participant``, which would query again
                return self.get_response(request)
            if session_in(path) not in tokens:
                return self._no_access(request, list(tokens)[-1])
        if path.startswith("/api/"):
            return JsonResponse({"detail": _("Sign in first: open the link that ./netmodes up printed.")}, status=401)
        return sign_in_page(request, lost_access=bool(session_in(path)))

    def _no_access(self, request: HttpRequest, session: str) -> HttpResponse:
        """Returns the 403 response for a participant of ``session`` who requests a page outside it. The response links
        to the session."""
        if request.path_info.startswith("/api/"):
            return JsonResponse({"detail": _("Only the instructor has access.")}, status=403)
        return render(request, "training/no_access.html", {"home": f"/sessions/{session}/"}, status=403)
