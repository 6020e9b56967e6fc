"""Health checks without Django and the database."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from dashboard.lab import liveness

ASKED = "import sys; sys.argv[1:] = ['health']; from dashboard.entry import main; main()"


class Pages(BaseHTTPRequestHandler):
    """Answers 200 to the first request and 503 to all others; 400 if the host name is not 127.0.0.1."""

    def do_GET(self) -> None:
        first = not getattr(self.server, "asked", False)
        self.server.asked = True  # type: ignore[attr-defined]
        status = 200 if first and self.path == "/healthz" else 503
        is_allowed = self.headers["Host"] == f"127.0.0.1:{self.server.server_port}"  # type: ignore[attr-defined]
        self.send_response(status if is_allowed else 400)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Logs nothing."""


@contextmanager
def pages(address: str) -> Iterator[int]:
    with HTTPServer((address, 0), Pages) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def port() -> Iterator[int]:
    with pages("127.0.0.1") as port:
        yield port


def test_a_lab_is_healthy_while_its_heartbeat_is_recent(tmp_path: Path) -> None:
    assert "No lab runs" in liveness.problem(tmp_path, "lab")
    liveness.note_heartbeat(tmp_path)
    assert liveness.problem(tmp_path, "lab") == ""
    past = time.time() - liveness.HEALTHY_S - 5
    os.utime(tmp_path / "beat", (past, past))
    # 20 s, or more on a machine that stalls meanwhile.
    assert re.fullmatch(r"The lab's last heartbeat was 2\d s ago\.", liveness.problem(tmp_path, "lab"))
    liveness.note_heartbeat(tmp_path)
    assert liveness.problem(tmp_path, "lab") == ""
    liveness.remove_heartbeat(tmp_path)
    liveness.remove_heartbeat(tmp_path)
    assert "No lab runs" in liveness.problem(tmp_path, "lab")


@pytest.mark.parametrize("role", ["all", "web"])
def test_pages_are_healthy_if_healthz_answers_200(tmp_path: Path, port: int, role: str) -> None:
    assert "Nothing serves" in liveness.problem(tmp_path, role)
    liveness.address_file(tmp_path, apart=role == "web").write_text(f"http://127.0.0.1:{port}")
    assert liveness.problem(tmp_path, role) == ""
    assert liveness.problem(tmp_path, role) == f"http://127.0.0.1:{port}/healthz answers 503."


def test_pages_are_healthy_at_an_address_that_is_no_allowed_host_name(tmp_path: Path) -> None:
    """A reverse proxy on another machine sends its own name."""
    with pages("127.0.0.2") as port:
        liveness.address_file(tmp_path, apart=False).write_text(f"http://127.0.0.2:{port}")
        assert liveness.problem(tmp_path, "all") == ""


def test_pages_that_do_not_answer_are_unhealthy(tmp_path: Path) -> None:
    assert "does not answer" in liveness.problem(tmp_path, "web", 1)


def test_the_command_asks_without_loading_django(tmp_path: Path) -> None:
    environment = {"PATH": os.defpath, "NETMODES_DATA_DIR": str(tmp_path), "NETMODES_ROLE": "lab"}
    command = [sys.executable, "-c", f"{ASKED}; sys.exit('django' in sys.modules)"]
    liveness.note_heartbeat(tmp_path)
    for expected in ((0, "ok\n", ""), (1, "", f"No lab runs from {tmp_path}.\n")):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stdout, done.stderr) == expected
        liveness.remove_heartbeat(tmp_path)
