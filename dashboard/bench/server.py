"""The real server, as a person meets it: started by ``up``, signed in with its printed link, asked over HTTP."""

from __future__ import annotations

import asyncio
import http.client
import os
import re
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec
from websockets.asyncio.client import ClientConnection, connect

from dashboard.bench.processes import environment_with, running

READY_S = 60.0
FRAME_S = 30.0
LARGEST_FRAME_BYTES = 16 << 20


class ServerError(Exception):
    """The server did not do what it should; ``str()`` is a sentence."""


@dataclass(slots=True)
class Answer:
    """An HTTP answer, body whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Server:
    """A running server and the session of its owner. The calls block: use them in a thread of a loop."""

    pid: int
    host: str
    cookies: dict[str, str] = field(default_factory=dict)
    _connection: http.client.HTTPConnection | None = None

    @property
    def origin(self) -> str:
        """Scheme, host and port, as a browser sends them."""
        return f"http://{self.host}"

    @property
    def cookie_header(self) -> str:
        """The session's cookies as one header."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def ask(self, method: str, path: str, body: str = "", headers: Mapping[str, str] | None = None) -> Answer:
        """One request on a connection that is kept; cookies are kept too."""
        said = {"Cookie": self.cookie_header, **(headers or {})}
        if method == "POST":
            said |= {
                "Origin": self.origin,
                "Sec-Fetch-Site": "same-origin",
                "X-CSRFToken": self.cookies.get("csrftoken", ""),
                "Content-Type": "application/x-www-form-urlencoded",
            }
        for last in (False, True):
            if self._connection is None:
                self._connection = http.client.HTTPConnection(self.host, timeout=30)
            try:
                self._connection.request(method, path, body.encode() if method == "POST" else None, said)
                response = self._connection.getresponse()
                answer = Answer(response.status, {k.lower(): v for k, v in response.headers.items()}, response.read())
            except (http.client.RemoteDisconnected, ConnectionError):
                # A kept connection that the server has closed meanwhile.
                self.hang_up()
                if last:
                    raise
                continue
            for cookie in response.headers.get_all("Set-Cookie") or ():
                name, _, value = cookie.split(";", 1)[0].partition("=")
                self.cookies[name] = value
            return answer
        raise ServerError("no answer")

    def hang_up(self) -> None:
        """Closes the kept connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def sign_in(self, link: str) -> None:
        """Redeems the printed link and fetches a token for forms."""
        parts = urlsplit(link)
        answer = self.ask("GET", f"{parts.path}?{parts.query}")
        if answer.status != 302 or "sessionid" not in self.cookies:
            raise ServerError(f"the sign-in link answered {answer.status}")
        self.ask("GET", "/")
        if "csrftoken" not in self.cookies:
            raise ServerError("the start page set no csrftoken")

    def launch(self, modes: tuple[str, ...]) -> str:
        """Posts the launch form, an arm for each mode, and returns the new experiment's id."""
        fields = [("image", "nginx"), ("port", "80"), ("publish", ""), ("names", "")]
        fields += [(f"arm-{number}-mode", mode) for number, mode in enumerate(modes)]
        answer = self.ask("POST", "/experiments/", urlencode(fields))
        found = re.fullmatch(r"/experiments/([^/]+)/", answer.headers.get("location", ""))
        if answer.status != 302 or found is None:
            raise ServerError(f"the launch form answered {answer.status}")
        return found[1]

    def remove(self, experiment: str) -> None:
        """Posts that the experiment shall be stopped and forgotten."""
        answer = self.ask("POST", f"/experiments/{experiment}/remove/")
        if answer.status != 302:
            raise ServerError(f"removing answered {answer.status}")

    @asynccontextmanager
    async def frames(self, experiment: str) -> AsyncIterator[Frames]:
        """The websocket of an experiment, without compression, as the page opens it."""
        async with connect(
            f"ws://{self.host}/ws/experiments/{experiment}/",
            origin=self.origin,  # type: ignore[arg-type]  # a NewType of str
            additional_headers={"Cookie": self.cookie_header},
            compression=None,
            ping_interval=None,
            max_size=LARGEST_FRAME_BYTES,
            max_queue=None,
            proxy=None,
        ) as opened:
            yield Frames(opened)


class Frames:
    """What a browser knows: the snapshot with all patches applied."""

    def __init__(self, opened: ClientConnection) -> None:
        self._opened = opened
        self._loop = asyncio.get_running_loop()
        self.at = 0.0
        self.head: dict[str, Any] = {}
        self.columns: list[dict[str, Any]] = []
        self.cells: dict[str, dict[str, str | None]] = {}

    async def next(self, deadline_s: float = FRAME_S) -> str:
        """The next frame, applied; ``at`` is CLOCK_MONOTONIC when it had arrived, before it was decoded."""
        text = await asyncio.wait_for(self._opened.recv(), deadline_s)
        self.at = self._loop.time()
        if isinstance(text, bytes):
            raise ServerError("a frame that is not text")
        self._apply(msgspec.json.decode(text))
        return text

    async def close(self) -> None:
        """Leaves. Harmless when repeated."""
        await self._opened.close()

    def _apply(self, message: dict[str, Any]) -> None:
        if message.get("experiment"):
            self.head = message["experiment"]
        if message.get("columns"):
            self.columns = message["columns"]
        if message["type"] == "snapshot":
            self.cells = {f"{row['section']}/{row['key']}/{row['field']}": row["cells"] for row in message["rows"]}
        elif message["type"] == "patch":
            for identity in message["rows"]["remove"]:
                self.cells.pop(identity, None)
            self.cells.update((placed["id"], placed["row"]["cells"]) for placed in message["rows"]["set"])

    def shows(self, text: str, section: str, column: str) -> bool:
        """Whether a cell of this column says the text in a row of the section."""
        start = f"{section}/"
        return any(
            text in (cells.get(column) or "") for identity, cells in self.cells.items() if identity.startswith(start)
        )

    def is_running(self) -> bool:
        """Whether the head says so and every column has its state."""
        inodes = self.cells.get("identity/netns/", {})
        return self.head.get("phase") == "running" and all(inodes.get(column["key"]) for column in self.columns)

    async def until_running(self) -> float:
        """When the frame came that shows it running; ServerError if it ended otherwise."""
        while not self.is_running():
            if self.head.get("phase") in {"failed", "stopped"}:
                raise ServerError(f"the experiment {self.head['phase']}: {self.head.get('notice')}")
            await self.next()
        return self.at


def free_port() -> int:
    """A port of 127.0.0.1 that was free just now."""
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        port: int = opened.getsockname()[1]
        return port


@asynccontextmanager
async def serving(folder: Path, port: int = 0) -> AsyncIterator[Server]:
    """``manage.py up`` on a data folder of its own and a free port (or this one), signed in. DOCKER_HOST says which
    engine."""
    port = port or free_port()
    command = [sys.executable, "manage.py", "up", "--port", str(port)]
    environment = environment_with(NETMODES_DATA_DIR=str(folder), DOCKER_HOST=os.environ["DOCKER_HOST"])
    with running(command, environment=environment) as process:
        link = await asyncio.wait_for(asyncio.to_thread(_read_link, process.stdout), READY_S)
        if not link:
            raise ServerError("the server ended before it printed its link")
        server = Server(process.pid, f"127.0.0.1:{port}")
        try:
            await asyncio.to_thread(server.sign_in, link)
            yield server
        finally:
            server.hang_up()


def _read_link(output: Any) -> str:
    """The sign-in link among what ``up`` prints; empty if it ends first."""
    while line := output.readline().decode():
        if found := re.search(r"http://\S+/sign-in/\?token=\S+", line):
            return found[0]
    return ""
