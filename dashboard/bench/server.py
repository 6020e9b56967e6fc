"""A real server that benchmarks use as users do: ``up`` starts it, and the browser signs in with the printed link."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import psutil
import urllib3
from websockets.asyncio.client import ClientConnection, connect

from dashboard import configuration
from dashboard.bench.benchmark import BenchmarkError
from dashboard.bench.processes import BASE, environment_with, running
from dashboard.core.experiments.messages import ArmStatus
from dashboard.core.operations.own_name import own_name

READY_S = 60.0
FRAME_S = 30.0
#: After so long without a frame, names have been looked up and nothing is pending.
QUIET_S = 0.7
MAX_FRAME_BYTES = 16 << 20
#: A kept connection that the server has closed meanwhile is opened anew.
RETRIES = urllib3.Retry(1, allowed_methods=None, respect_retry_after_header=False)
#: The name of the process that serves pages of a lab that root has started.
PAGES = "netmodes-web"
SIGN_IN_LINK = re.compile(r"http://[^/\s]+(/sign-in/\?token=\S+)")


class RefusedError(BenchmarkError):
    """The Engine refused an arm of a launch."""


@dataclass(slots=True)
class Browser:
    """A browser's cookies, and the headers that it sends to the server at ``host`` (``ADDRESS:PORT``)."""

    host: str
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        """The origin of the server: scheme, host and port."""
        return f"http://{self.host}"

    @property
    def source(self) -> tuple[str, int] | None:
        """The address and port from which this browser connects; None if the kernel chooses them."""
        return None

    def headers(self, method: str = "GET") -> dict[str, str]:
        """The headers that a browser sends with a same-origin request."""
        sent = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())} if self.cookies else {}
        if method == "POST":
            sent |= {"Origin": self.origin, "Sec-Fetch-Site": "same-origin"}
            sent |= {"X-CSRFToken": self.cookies.get("csrftoken", "")}
            sent |= {"Content-Type": "application/x-www-form-urlencoded"}
        return sent

    def store_cookies(self, lines: Iterable[str]) -> None:
        """Stores the cookies from the values of Set-Cookie headers."""
        for line in lines:
            name, _, value = line.split(";", 1)[0].partition("=")
            self.cookies[name] = value

    def websocket(self, address: str, **options: Any) -> connect:
        """Opens a websocket as a page does. ``address`` is its path or URL, ``options`` are passed to ``connect``.
        Compression is off, so that numbers of bytes can be compared."""
        return connect(
            address if "://" in address else f"ws://{self.host}{address}",
            origin=self.origin if self.cookies else None,  # type: ignore[arg-type]  # a NewType of str
            additional_headers=self.headers(),
            compression=None,
            ping_interval=None,
            max_size=MAX_FRAME_BYTES,
            max_queue=None,
            proxy=None,
            local_addr=self.source,
            **options,
        )


@dataclass(slots=True)
class Server(Browser):
    """A running server, and the browser of its owner. Requests are blocking calls: make them in a thread."""

    pid: int = 0
    #: The origin at which a real browser opens the pages; it is redirected there from 127.0.0.1.
    page_origin: str = ""
    #: The processes of the server: the lab, and the process that serves pages if that is a separate one.
    pids: tuple[int, ...] = ()
    _pool: urllib3.HTTPConnectionPool | None = None

    def ask(
        self,
        method: str,
        path: str,
        fields: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> urllib3.BaseHTTPResponse:
        """Sends a request on a kept connection. ``fields`` are the form fields of a POST request. Returns the response
        with its body still encoded. Follows no redirects."""
        if self._pool is None:
            name, _, port = self.host.partition(":")
            self._pool = urllib3.HTTPConnectionPool(name, int(port), timeout=30)
        answer = self._pool.urlopen(
            method,
            path,
            body=urlencode(fields) if method == "POST" else None,
            headers=self.headers(method) | dict(headers or {}),
            redirect=False,
            retries=RETRIES,
            decode_content=False,
        )
        self.store_cookies(answer.headers.getlist("set-cookie"))
        return answer

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> bytes:
        """The body of a page. Raises BenchmarkError if the status is not 200."""
        answer = self.ask("GET", path, headers=headers)
        if answer.status != 200:
            raise BenchmarkError(f"GET {path} was answered with {answer.status}")
        return answer.data

    def post(self, path: str, fields: Mapping[str, str] | Sequence[tuple[str, str]] = (), location: str = ".*") -> str:
        """Posts a form and returns the address of the redirect. Raises BenchmarkError if the response is not a redirect
        to an address that matches the pattern ``location``."""
        answer = self.ask("POST", path, fields)
        found = answer.headers.get("location", "")
        if answer.status != 302 or re.fullmatch(location, found) is None:
            raise BenchmarkError(f"POST {path} was answered with {answer.status} {found}")
        return found

    def close(self) -> None:
        """Closes the kept connection."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()

    def sign_in(self, link: str) -> None:
        """Opens the sign-in link that ``up`` printed. Raises BenchmarkError if that does not sign in."""
        match = SIGN_IN_LINK.fullmatch(link)
        self.ask("GET", match[1] if match else link)
        self.ask("GET", "/")
        if not {"sessionid", "csrftoken"} <= self.cookies.keys():
            raise BenchmarkError("the sign-in link does not sign in")

    def launch(self, modes: Sequence[str]) -> str:
        """Posts the launch form with an arm for each mode, and returns the id of the experiment."""
        fields = [("image", "nginx"), ("port", "80"), ("publish", ""), ("names", "")]
        fields += [("arms-TOTAL_FORMS", str(len(modes))), ("arms-INITIAL_FORMS", "0")]
        fields += [(f"arms-{number}-mode", mode) for number, mode in enumerate(modes)]
        return self.post("/experiments/", fields, "/experiments/[^/]+/").split("/")[2]

    def remove(self, experiment: str) -> None:
        """Removes an experiment with its containers."""
        self.post(f"/experiments/{experiment}/remove/")

    @asynccontextmanager
    async def frames(self, experiment: str) -> AsyncIterator[Frames]:
        """Context manager that opens the websocket of an experiment."""
        async with self.websocket(f"/ws/experiments/{experiment}/") as connection:
            yield Frames(experiment, connection)

    @asynccontextmanager
    async def running_experiment(self, modes: Sequence[str]) -> AsyncIterator[Frames]:
        """Context manager that runs an experiment. Yields its frames once all arms run and nothing changes. Removes the
        experiment at the end."""
        experiment = await asyncio.to_thread(self.launch, modes)
        try:
            async with self.frames(experiment) as frames:
                await frames.until_running()
                await frames.until_quiet()
                yield frames
        finally:
            await asyncio.to_thread(self.remove, experiment)


class Frames:
    """An experiment as a browser knows it: the received snapshot with all later patches applied."""

    def __init__(self, experiment: str, connection: ClientConnection) -> None:
        self.experiment = experiment
        self.received_at = 0.0
        self.head: dict[str, Any] = {}
        self.columns: list[dict[str, Any]] = []
        self.cells: dict[str, dict[str, str | None]] = {}
        self._connection = connection

    async def next(self, deadline_s: float = FRAME_S) -> None:
        """Waits for the next frame and applies it. Sets ``received_at`` to its arrival in seconds (CLOCK_MONOTONIC)."""
        text = await asyncio.wait_for(self._connection.recv(), deadline_s)
        self.received_at = asyncio.get_running_loop().time()
        message = msgspec.json.decode(text)
        self.head = message.get("experiment") or self.head
        self.columns = message.get("columns") or self.columns
        if message["type"] == "snapshot":
            self.cells = {f"{row['section']}/{row['key']}/{row['field']}": row["cells"] for row in message["rows"]}
        elif message["type"] == "patch":
            for identity in message["rows"]["remove"]:
                self.cells.pop(identity, None)
            self.cells.update((placed["id"], placed["row"]["cells"]) for placed in message["rows"]["set"])

    async def close(self) -> None:
        """Closes the websocket. May be called repeatedly."""
        await self._connection.close()

    def shows(self, text: str, section: str, column: str) -> bool:
        """Whether any row of the section contains ``text`` in this column."""
        return any(
            text in (cells.get(column) or "")
            for identity, cells in self.cells.items()
            if identity.startswith(f"{section}/")
        )

    def is_running(self) -> bool:
        """Whether the experiment runs and every column has its state."""
        inodes = self.cells.get("identity/netns/", {})
        return self.head.get("phase") == "running" and all(inodes.get(column["key"]) for column in self.columns)

    async def until_running(self) -> float:
        """Applies frames until one shows that the experiment runs, and returns its arrival time. Raises BenchmarkError
        if the experiment ends instead, RefusedError if the Engine refused an arm."""
        while not self.is_running():
            phase = self.head.get("phase")
            if phase in {"failed", "stopped"}:
                raise BenchmarkError(f"the experiment {phase}: {self.head.get('notice')}")
            refused = [column for column in self.columns if column["status"] == ArmStatus.REFUSED]
            if phase == "running" and refused:
                raise RefusedError(f"the Engine refuses {refused[0]['title']}: {refused[0]['error']}")
            await self.next()
        return self.received_at

    async def until_phase(self, is_reached: Callable[[str], bool]) -> None:
        """Applies frames until ``is_reached`` returns True for the experiment's phase."""
        while not is_reached(self.head.get("phase", "")):
            await self.next()

    async def until_quiet(self) -> None:
        """Applies frames until none arrives for ``QUIET_S``."""
        while True:
            try:
                await self.next(QUIET_S)
            except TimeoutError:
                return


def free_port() -> int:
    """Returns a free port of 127.0.0.1."""
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


def read_key(pid: int, folder: Path) -> str:
    """The secret key in the data folder of the process ``pid``. The folder may be mounted only in the mount namespace
    of that process."""
    return Path(f"/proc/{pid}/root{folder}", configuration.KEY_FILE).read_text(encoding="utf-8").strip()


def page_processes(pid: int) -> Iterator[int]:
    """Yields the pids of the processes that serve pages for the lab ``pid``. Skips children of the lab that end
    meanwhile."""
    for child in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if child.name() == PAGES:
                yield child.pid


@asynccontextmanager
async def serving(
    folder: Path | None = None, port: int = 0, *, endpoint: str = "", inside: Sequence[str] = ()
) -> AsyncIterator[Server]:
    """Context manager that runs ``manage.py up``, and yields the server with its owner signed in. By default, it uses
    the data folder of this process, a free port, and the engine that DOCKER_HOST names. ``inside`` is a prefix of the
    command, for example to run it in a namespace."""
    folder, port = folder or configuration.data_dir(), port or free_port()
    command = [*inside, sys.executable, str(BASE / "manage.py"), "up", "--port", str(port)]
    environment = environment_with(NETMODES_DATA_DIR=str(folder), DOCKER_HOST=endpoint or os.environ["DOCKER_HOST"])
    async with running(command, env=environment) as process:
        while (link := SIGN_IN_LINK.search(await process.read(READY_S))) is None:
            pass
        own = own_name(read_key(process.pid, folder))
        pids = (process.pid, *page_processes(process.pid))
        server = Server(f"127.0.0.1:{port}", pid=process.pid, pids=pids, page_origin=f"http://{own}:{port}")
        try:
            await asyncio.to_thread(server.sign_in, link[0])
            yield server
        finally:
            server.close()
