"""Calls the whole application as an ASGI server does, through all middleware."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.utils.crypto import get_random_string

from dashboard.asgi import application
from tests.support.polling import eventually

PORT = 8000
HOST = f"127.0.0.1:{PORT}"
ORIGIN = f"http://{HOST}"
ANSWER_S = 20.0

Headers = Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """A response."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def __getitem__(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name), "")

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Person:
    """A browser's cookies."""

    cookies: Mapping[str, str] = field(default_factory=dict)

    @property
    def token(self) -> str:
        """The value of X-CSRFToken."""
        return self.cookies.get("csrftoken", "")

    @property
    def header(self) -> tuple[tuple[str, str], ...]:
        text = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return (("cookie", text),) if text else ()


NOBODY = Person()


def owner() -> User:
    """The signed-in user."""
    return User.objects.get_or_create(username="owner")[0]


def browser_of(user: User) -> Person:
    """A browser in which this user is signed in. The token of forms, which a page would set, is made here."""
    client = Client(HTTP_HOST=HOST)
    client.force_login(user)
    return Person(
        {name: morsel.value for name, morsel in client.cookies.items()} | {"csrftoken": get_random_string(32)}
    )


def sign_in() -> Person:
    """A session without a sign-in link, for tests behind the sign-in."""
    return browser_of(owner())


async def person() -> Person:
    """A signed-in browser, for asynchronous tests."""
    return await sync_to_async(sign_in)()


def _scope(kind: str, path: str, headers: Headers, **more: Any) -> dict[str, Any]:
    path, _, query = path.partition("?")
    return {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "http" if kind == "http" else "ws",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", PORT),
        "extensions": {"websocket.http.response": {}},
        **more,
    }


async def http(
    method: str,
    path: str,
    *,
    who: Person = NOBODY,
    headers: Headers = (),
    body: bytes = b"",
    host: str | None = HOST,
    token: bool = False,
) -> Answer:
    """Sends a request. Without a Host header if ``host`` is None; ``token`` adds X-CSRFToken."""
    sent = [*(() if host is None else (("host", host),)), *who.header, *headers]
    if token:
        sent.append(("x-csrftoken", who.token))
    if body:
        sent.append(("content-length", str(len(body))))
    incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    incoming.put_nowait({"type": "http.request", "body": body, "more_body": False})
    outgoing: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        outgoing.append(message)

    await asyncio.wait_for(application(_scope("http", path, sent, method=method), incoming.get, send), ANSWER_S)
    start = next(one for one in outgoing if one["type"] == "http.response.start")
    found = tuple((name.decode().lower(), value.decode("latin-1")) for name, value in start["headers"])
    return Answer(start["status"], found, b"".join(one.get("body", b"") for one in outgoing))


async def abandon(
    method: str,
    path: str,
    until: Callable[[], Any],
    *,
    who: Person,
    headers: Headers = (),
    body: bytes = b"",
    receive: Callable[[Any], Awaitable[None]] | None = None,
) -> None:
    """Sends a request with X-CSRFToken and disconnects as soon as ``until`` is true. ``receive`` gets the messages of
    the response."""
    sent = [("host", HOST), *who.header, *headers, ("x-csrftoken", who.token), ("content-length", str(len(body)))]
    incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    incoming.put_nowait({"type": "http.request", "body": body, "more_body": False})

    async def ignore(_message: Any) -> None:
        return

    scope = _scope("http", path, sent, method=method)
    task = asyncio.ensure_future(application(scope, incoming.get, receive or ignore))
    await eventually(until)
    incoming.put_nowait({"type": "http.disconnect"})
    await asyncio.wait_for(task, ANSWER_S)


async def flood(path: str, size_bytes: int) -> Answer:
    """Sends a POST request without Content-Length."""
    left = size_bytes
    outgoing: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        nonlocal left
        part, left = min(left, 1 << 20), left - (1 << 20)
        return {"type": "http.request", "body": b"x" * part, "more_body": left > 0}

    async def send(message: Any) -> None:
        outgoing.append(message)

    sent = (("host", HOST), ("transfer-encoding", "chunked"))
    await asyncio.wait_for(application(_scope("http", path, sent, method="POST"), receive, send), ANSWER_S)
    return Answer(outgoing[0]["status"], body=outgoing[1]["body"])


async def post_json(path: str, who: Person, value: object, *, token: bool = True) -> Answer:
    """Sends a POST request with JSON."""
    body = json.dumps(value).encode()
    return await http("POST", path, who=who, headers=(("content-type", "application/json"),), body=body, token=token)


class Socket:
    """The browser's side of a websocket."""

    def __init__(self) -> None:
        self.incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.outgoing: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.refusal: Answer | None = None

    @property
    def is_open(self) -> bool:
        return self.refusal is None

    async def next(self, timeout_s: float = ANSWER_S) -> dict[str, Any]:
        """The next ASGI message of the server."""
        return await asyncio.wait_for(self.outgoing.get(), timeout_s)

    async def message(self) -> Any:
        """The next message, decoded."""
        found = await self.next()
        assert found["type"] == "websocket.send", found
        return json.loads(found["text"])

    async def closed(self) -> int:
        """The server's close code; earlier messages are ignored."""
        while True:
            found = await self.next()
            if found["type"] == "websocket.close":
                return int(found["code"])


@asynccontextmanager
async def websocket(
    path: str, *, who: Person = NOBODY, headers: Headers = (), host: str | None = HOST, **more: Any
) -> AsyncIterator[Socket]:
    """A websocket from its handshake, accepted or refused, until the block ends."""
    sent = [*(() if host is None else (("host", host),)), *who.header, *headers]
    socket = Socket()
    socket.incoming.put_nowait({"type": "websocket.connect"})

    async def send(message: Any) -> None:
        socket.outgoing.put_nowait(message)

    scope = _scope("websocket", path, sent, subprotocols=[], **more)
    task = asyncio.ensure_future(application(scope, socket.incoming.get, send))
    try:
        first = await _first(socket, task)
        if first["type"] == "websocket.http.response.start":
            body = await socket.next()
            found = tuple((name.decode(), value.decode()) for name, value in first["headers"])
            socket.refusal = Answer(first["status"], found, body["body"])
        elif first["type"] != "websocket.accept":
            socket.refusal = Answer(403, body=str(first).encode())
        yield socket
    finally:
        socket.incoming.put_nowait({"type": "websocket.disconnect", "code": 1001})
        await asyncio.wait_for(task, ANSWER_S)


async def _first(socket: Socket, task: asyncio.Future[Any]) -> dict[str, Any]:
    """Waits for the first message. Raises the application's error if it fails before."""
    waiting: asyncio.Future[Any] = asyncio.ensure_future(socket.next())
    await asyncio.wait([waiting, task], return_when=asyncio.FIRST_COMPLETED)
    if not waiting.done() and task.done() and task.exception() is not None:
        waiting.cancel()
        task.result()
    first: dict[str, Any] = await waiting
    return first


def is_strict(answer: Answer) -> bool:
    """Whether the policy allows only files of this site, and no framing."""
    policy = dict(part.strip().partition(" ")[::2] for part in answer["content-security-policy"].split(";"))
    unsafe = any("unsafe" in value or "*" in value or "http" in value for value in policy.values())
    return not unsafe and policy.get("default-src") == "'none'" and policy.get("frame-ancestors") == "'none'"


def cookie_name() -> str:
    """The name of the session's cookie."""
    return str(settings.SESSION_COOKIE_NAME)
