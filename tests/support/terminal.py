"""A user at a terminal: runs commands, reads their output, presses Ctrl-C, kills them."""

from __future__ import annotations

import atexit
import http.client
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from django.core.management import load_command_class

from tests.support.polling import until

ROOT = Path(__file__).resolve().parent.parent.parent
LONG_S = 60.0
LINK = re.compile(r"^Sign in \(once\): (http://\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Done:
    """Output and exit code of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """stdout, which must be one JSON document."""
        return json.loads(self.out)


def run_here(capsys: pytest.CaptureFixture[str], command: str, *arguments: str) -> Done:
    """Runs a command in this process, which is quicker than a process of its own."""
    loaded = load_command_class("dashboard", command)
    code = 0
    try:
        loaded.run_from_argv(["manage.py", command, *arguments])
    except SystemExit as end:
        code = int(end.code or 0)
    printed = capsys.readouterr()
    return Done(code, printed.out, printed.err)


@contextmanager
def held_port() -> Iterator[int]:
    """A free port of 127.0.0.1 that no other program can choose until the block ends. A server that sets SO_REUSEADDR
    can listen on it meanwhile: this socket is bound and does not listen."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield int(holder.getsockname()[1])


class CommandServer:
    """A process that forks for each command (``tests/management/command_server.py``)."""

    def __init__(self) -> None:
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            script = ROOT / "tests" / "management" / "command_server.py"
            command = [sys.executable, "-W", "error", str(script), str(theirs.fileno())]
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        atexit.register(self.close)

    def run(self, arguments: Sequence[str], environment: Mapping[str, str]) -> Done:
        """Runs a command to its end."""
        request = json.dumps({"arguments": arguments, "environment": dict(environment)}).encode()
        read, write = os.pipe()
        with (
            Path(os.devnull).open("rb") as nothing,
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
            os.fdopen(read) as told,
        ):
            socket.send_fds(self._requests, [request], [nothing.fileno(), out.fileno(), err.fileno(), write])
            os.close(write)
            pid = int(told.readline())
            if not select.select([told], [], [], LONG_S)[0]:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(list(arguments), LONG_S)
            code = int(told.readline())
            for one in (out, err):
                one.seek(0)
            return Done(code, out.read().decode(), err.read().decode())

    def close(self) -> None:
        """Ends the process."""
        self._requests.close()
        self._process.wait(LONG_S)


@cache
def command_server() -> CommandServer:
    """The server of this worker, started with the first command."""
    return CommandServer()


class Running:
    """A running command. Its output goes to files, so that it never blocks."""

    def __init__(self, process: subprocess.Popen[bytes], out: Path, err: Path) -> None:
        self.process = process
        self._out, self._err = out, err

    @property
    def out(self) -> str:
        return self._out.read_text()

    @property
    def err(self) -> str:
        return self._err.read_text()

    def interrupt(self) -> Done:
        """Sends Ctrl-C and waits for the end."""
        self.process.send_signal(signal.SIGINT)
        return self.ended()

    def kill(self) -> None:
        """Sends SIGKILL."""
        self.process.kill()
        self.process.wait(LONG_S)

    def ended(self) -> Done:
        """Waits until the command has ended."""
        return Done(self.process.wait(LONG_S), self.out, self.err)


class Terminal:
    """Runs commands, all with the same environment."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self.environment = dict(environment)
        self.folder = folder
        self._running: list[Running] = []

    def somewhere_new(self) -> Terminal:
        """Switches to a new data folder."""
        self.folder = self.folder.parent / "new"
        self.environment["NETMODES_DATA_DIR"] = str(self.folder)
        return self

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-W", "error", str(ROOT / "manage.py"), *arguments]

    def run(self, *arguments: str) -> Done:
        """Runs a command to its end, in a process that has its imports before it starts."""
        return command_server().run(arguments, self.environment)

    def run_from_the_start(self, *arguments: str, stdout: int = subprocess.PIPE) -> Done:
        """Runs a command to its end in a new process, as a user does. Its output is in the result, unless ``stdout`` is
        another descriptor."""
        done = subprocess.run(
            self._command(*arguments),
            env=self.environment,
            cwd=ROOT,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=LONG_S,
            stdin=subprocess.DEVNULL,
        )
        return Done(done.returncode, done.stdout or "", done.stderr)

    def start(self, *arguments: str) -> Running:
        """Starts a command."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        number = len(self._running)
        out, err = (self.folder.parent / f"{number}.{name}" for name in ("out", "err"))
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(
                self._command(*arguments),
                env=self.environment,
                cwd=ROOT,
                stdout=stdout,
                stderr=stderr,
                stdin=subprocess.DEVNULL,
            )
        self._running.append(Running(process, out, err))
        return self._running[-1]

    def serve(self) -> Site:
        """Starts ``up`` on a free port; returns its site, not yet signed in."""
        with held_port() as port:
            running = self.start("up", "--port", str(port))
            until(lambda: LINK.search(running.out) or running.process.poll() is not None, LONG_S)
        found = LINK.search(running.out)
        assert found, running.err
        return Site(running, found[1])

    def close(self) -> None:
        """Ends running commands, with SIGKILL if necessary."""
        for command in self._running:
            if command.process.poll() is None:
                command.process.send_signal(signal.SIGINT)
                try:
                    command.process.wait(LONG_S)
                except subprocess.TimeoutExpired:
                    command.kill()


@dataclass(frozen=True, slots=True)
class Page:
    """A response."""

    status: int
    headers: Mapping[str, str]
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Site:
    """A running server and a browser with its cookies."""

    def __init__(self, running: Running, link: str) -> None:
        self.running = running
        self.link = link
        parts = urlsplit(link)
        self.host, self.port = parts.hostname or "", parts.port or 0
        self.cookies: dict[str, str] = {}

    def ask(self, method: str, path: str, body: str = "", headers: Mapping[str, str] | None = None) -> Page:
        """Sends a request with the current cookies."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=LONG_S)
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent = {**({"Cookie": cookies} if cookies else {}), **(headers or {})}
        try:
            connection.request(method, path, body.encode() or None, sent)
            answer = connection.getresponse()
            for name, value in answer.getheaders():
                if name.lower() == "set-cookie":
                    key, _, rest = value.partition("=")
                    self.cookies[key] = rest.partition(";")[0]
            return Page(answer.status, dict(answer.getheaders()), answer.read().decode())
        finally:
            connection.close()

    def sign_in(self) -> Site:
        """Signs in with the link."""
        parts = urlsplit(self.link)
        assert self.ask("GET", f"{parts.path}?{parts.query}").status == 302
        assert self.ask("GET", "/").status == 200
        return self

    def post(self, path: str, value: object | None = None) -> Page:
        """Sends a POST request to the API."""
        headers = {"Content-Type": "application/json", "X-CSRFToken": self.cookies["csrftoken"]}
        return self.ask("POST", path, json.dumps({} if value is None else value), headers)

    def launch(self, *modes: str, **more: Any) -> str:
        """Launches an experiment; returns its id."""
        answer = self.post("/api/experiments", {"modes": list(modes), **more})
        assert answer.status == 201, answer.body
        return str(answer.json["id"])

    def phase(self, identity: str) -> str:
        """The phase of an experiment."""
        return str(self.ask("GET", f"/api/experiments/{identity}").json["experiment"]["phase"])

    def reaches(self, identity: str, phase: str) -> Any:
        """Waits until the experiment is in this phase; returns its snapshot."""
        until(lambda: self.phase(identity) == phase, LONG_S)
        return self.ask("GET", f"/api/experiments/{identity}").json


def ignored_signals(status: str) -> set[int]:
    """The signals that a process ignores, from the text of its ``/proc/PID/status`` (proc_pid_status(5))."""
    found = re.search(r"^SigIgn:\s*([0-9a-f]+)", status, re.MULTILINE)
    assert found, status
    mask = int(found[1], 16)
    return {number + 1 for number in range(mask.bit_length()) if mask >> number & 1}


def has_ended(process: psutil.Process) -> bool:
    """Whether a process has ended. It may still be a zombie."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # its parent has waited for it between the two readings
        return True
