"""``manage.py up`` as a separate process, as a user starts it in a terminal."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPCookieProcessor, Request, build_opener

from dashboard.configuration import KEY_FILE
from dashboard.core.experiments.messages import ENDED
from dashboard.core.operations.own_name import own_name
from tests.support import engine_api
from tests.support.polling import until
from tests.support.private_engine import PrivateEngine, share_lab_image

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"http://\S+/sign-in/\?token=\S+")
#: The deadline for an operation that hangs. It is long because other tests use the cores.
LONG_S = 60.0
#: Below the ports that the kernel gives to programs that ask for any, and without those that Chromium refuses.
PORTS = range(11_000, 30_000)
#: Expected lines on stderr of a server that worked correctly: its last message, and requests that it refused.
EXPECTED = re.compile(
    r"Stopped \d+ running experiments?\.|Netmodes has stopped\."
    r"|.* WARNING django\.request: (Bad Request|Unauthorized|Forbidden|Not Found|Conflict): /\S*"
    r"|.* WARNING django\.request: Method Not Allowed \(HEAD\): /\S*"  # a page asks whether it still has access
)


def free_port() -> int:
    """A port of this machine that is free now, and that no connection of another program gets before it is used. The
    tests' own random numbers are the same in each worker."""
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


class Server:
    """A server with its own data folder. After ``kill``, ``start`` serves on the same port again."""

    def __init__(self, data_dir: Path, endpoint: str, inside: Sequence[str] = (), **settings: str) -> None:
        """``inside``: a command, such as nsenter(1), that runs the server elsewhere."""
        self.data_dir = data_dir
        self._inside = inside
        self.port = free_port()
        self.api_url = f"http://127.0.0.1:{self.port}"
        given = {**os.environ, "NETMODES_DATA_DIR": str(data_dir), "DOCKER_HOST": endpoint}
        self._environment = {**given, **settings}
        self._process: subprocess.Popen[bytes] | None = None
        self._jar = CookieJar()
        self._opener = build_opener(HTTPCookieProcessor(self._jar))

    @property
    def url(self) -> str:
        """The address to which a browser is redirected. Python cannot resolve its name: ``api_url`` is for Python."""
        key = self._environment.get("NETMODES_SECRET_KEY") or (self.data_dir / KEY_FILE).read_text()
        return f"http://{own_name(key.strip())}:{self.port}"

    # The process.

    def start(self) -> str:
        """Starts the server and returns the sign-in link that it prints."""
        out, err = self.data_dir / "up.out", self.data_dir / "up.err"
        up = [sys.executable, "manage.py", "up", "--port", str(self.port)]
        with out.open("wb") as stdout, err.open("ab") as stderr:
            self._process = subprocess.Popen(
                # The server ends with the tests, even if they are killed.
                ["setpriv", "--pdeathsig", "TERM", *self._inside, *up],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
            )
        process = self._process
        until(lambda: LINK.search(out.read_text()) or process.poll() is not None, LONG_S)
        link = LINK.search(out.read_text())
        assert link is not None, f"the server did not start: {err.read_text()}"
        return link[0]

    def is_running(self) -> bool:
        """Whether the server's process runs."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """Kills the server with SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)

    def interrupt(self) -> int:
        """Sends SIGINT, as Ctrl-C does, and returns the exit code. AssertionError if the server does not end."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        try:
            return self._process.wait(40)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"Ctrl-C did not end the server: {self.complaints()}") from None

    def complaints(self) -> list[str]:
        """The lines on stderr that a healthy server does not write."""
        lines = (self.data_dir / "up.err").read_text().splitlines()
        return [line for line in lines if not EXPECTED.fullmatch(line)]

    def another_link(self) -> str:
        """The new link that a second ``up`` prints while this server runs."""
        command = [sys.executable, "manage.py", "up", "--port", str(self.port)]
        done = subprocess.run(
            command, cwd=ROOT, env=self._environment, capture_output=True, text=True, timeout=LONG_S, check=True
        )
        link = LINK.search(done.stdout)
        assert link is not None, done.stdout
        return link[0]

    # The HTTP API, signed in.

    def sign_in(self, link: str) -> None:
        """Signs in with the link, and gets the CSRF cookie from the start page."""
        with self._opener.open(link, timeout=LONG_S) as answer:
            assert answer.status == 200

    def cookies(self) -> dict[str, str]:
        """The cookies of the session and the CSRF token."""
        return {cookie.name: cookie.value or "" for cookie in self._jar}

    def api(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Sends a GET request, or a POST request with ``body``. Returns the JSON response."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "X-CSRFToken": self.cookies().get("csrftoken", "")}
        request = Request(f"{self.api_url}/api/{path}", data, headers)  # noqa: S310 - the address is our own
        try:
            with self._opener.open(request, timeout=LONG_S) as answer:
                return json.loads(answer.read())
        except HTTPError as error:
            raise AssertionError(f"{path}: {error.code} {error.read().decode()}") from error

    def launch(self, **wanted: Any) -> str:
        """Launches an experiment, waits until it runs and returns its id."""
        identity = str(self.api("experiments", wanted)["id"])
        until(lambda: self.phase(identity) in {"running", "failed"}, LONG_S)
        assert self.phase(identity) == "running"
        return identity

    def phase(self, identity: str) -> str:
        """The phase of an experiment; ``gone`` if it does not exist."""
        phases: dict[str, str] = {row["id"]: row["phase"] for row in self.api("experiments")}
        return phases.get(identity, "gone")

    def forget_everything(self) -> None:
        """Removes every experiment and waits until the engine has none of their containers and networks. Stops them
        first: one whose launch has only begun has no containers yet, and would get its ports after this."""
        experiments = [experiment["id"] for experiment in self.api("experiments")]
        for identity in experiments:
            if self.phase(identity) not in ENDED:
                self.api(f"experiments/{identity}/stop", {})
        for identity in experiments:
            until(lambda: self.phase(identity) in ENDED, LONG_S)  # noqa: B023 - called in this turn of the loop
            self.api(f"experiments/{identity}/remove", {})
        until(lambda: not self.remains(), LONG_S)

    def remains(self) -> list[str]:
        """The containers and networks of experiments on the engine."""
        endpoint = self._environment["DOCKER_HOST"]
        return [*engine_api.containers(endpoint, name="^nm-"), *engine_api.networks(endpoint, name="^nm-")]


@contextmanager
def running_server(kept: Path, folder: Path, host: PrivateEngine) -> Iterator[tuple[Server, str]]:
    """A server on an engine, with a copy of the data folder ``kept`` in ``folder``, and its sign-in link. At the end,
    Ctrl-C must leave no processes, containers or networks."""
    shutil.copytree(kept, folder, dirs_exist_ok=True)
    share_lab_image(folder)
    running = Server(folder, host.endpoint)
    link = running.start()
    try:
        yield running, link
    finally:
        code = running.interrupt()
    assert code == 0
    assert not running.complaints(), "\n".join(running.complaints())
    assert running.remains() == []
