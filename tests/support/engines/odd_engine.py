"""A real engine whose answers are changed on the way to Netmodes."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from typing import Any

from tests.support.engine_api import UnixConnection

#: Changes a decoded answer: method, status, value.
Change = Callable[[str, int, Any], tuple[int, Any]]


def as_it_is(_method: str, status: int, value: Any) -> tuple[int, Any]:
    """Changes nothing."""
    return status, value


class OddEngine(ThreadingUnixStreamServer):
    """Passes every request on to the engine at ``socket_path``. ``change`` may replace the answer; answers to requests
    other than GET are ``delay_s`` seconds late."""

    daemon_threads = True

    def __init__(self, path: Path, socket_path: str) -> None:
        super().__init__(str(path), _Handler)
        self.endpoint = f"unix://{path}"
        self.socket_path = socket_path
        self.change: Change = as_it_is
        self.delay_s = 0.0
        #: How many requests were answered, without those for events.
        self.answered = 0
        self.closed = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: OddEngine

    def log_message(self, *_: object) -> None:
        """Logs nothing."""

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        connection = UnixConnection(self.server.socket_path)
        with suppress(OSError):
            headers = {"Content-Type": "application/json", "Accept": self.headers.get("Accept", "")}
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            if "/events" in self.path:
                self._stream(answer)
            else:
                self._answer(answer)
        connection.close()

    do_GET = do_POST = do_DELETE = do_PUT = do_HEAD = _pass_on  # noqa: N815 - names of http.server

    def _answer(self, answer: http.client.HTTPResponse) -> None:
        status, data = answer.status, answer.read()
        if self.command != "GET":
            self.server.closed.wait(self.server.delay_s)
        with suppress(ValueError):
            status, value = self.server.change(self.command, status, json.loads(data or b"null"))
            data = json.dumps(value).encode() if data or value is not None else b""
        self.send_response(status)
        self.send_header("Content-Type", answer.getheader("Content-Type", "application/json"))
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if status != 204:
            self.wfile.write(data)
        self.server.answered += 1

    def _stream(self, answer: http.client.HTTPResponse) -> None:
        """Passes events on until one side closes its connection."""
        self.close_connection = True
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.getheader("Content-Type", ""))
        self.end_headers()
        self.wfile.flush()
        while not self.server.closed.is_set() and (line := answer.readline()):
            self.wfile.write(line)


@contextmanager
def odd_engine(folder: Path, socket_path: str) -> Iterator[OddEngine]:
    """The changed engine, closed at the end."""
    engine = OddEngine(folder / "odd.sock", socket_path)
    serving = threading.Thread(target=engine.serve_forever, daemon=True)
    serving.start()
    try:
        yield engine
    finally:
        engine.closed.set()
        engine.shutdown()
        engine.server_close()
        serving.join()
