"""Pages of a running server: who can open them, what the process that serves them can reach, and how it ends."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from dashboard.bench.server import page_processes
from dashboard.management.commands.up import Command
from dashboard.management.pages import sandbox
from tests.support.polling import until
from tests.support.private_engine import PrivateEngine
from tests.support.terminal import LONG_S, Site, Terminal, has_ended


def pages_of(site: Site) -> psutil.Process:
    """The process that serves pages, which the lab has started."""
    return psutil.Process(next(page_processes(site.running.process.pid)))


#: What a process beside the web process can do, as JSON. Arguments: pid of the lab, socket of the engine, data folder.
PROBE = """
import json, os, signal, socket, sys
lab, engine, data = int(sys.argv[1]), sys.argv[2], sys.argv[3]
def attempt(action):
    try:
        action()
    except OSError as error:
        return error.strerror
    return ""
def read(path):
    return lambda: os.close(os.open(path, os.O_RDONLY))
def connect(path):
    return lambda: socket.socket(socket.AF_UNIX).connect(path)
attempts = {
    "docker": connect("/var/run/docker.sock"), "engine": connect(engine),
    "key": read(data + "/secret.key"), "lock": read(data + "/lab.lock"),
    "lab environment": read(f"/proc/{lab}/environ"), "lab root": read(f"/proc/{lab}/root/etc/passwd"),
    "signal": lambda: os.kill(lab, 0), "root": lambda: os.setuid(0),
    "namespace": lambda: os.setns(os.open("/proc/self/ns/net", os.O_RDONLY), 0),
    "create": lambda: os.close(os.open(data + "/new", os.O_CREAT | os.O_WRONLY)),
    "database": lambda: os.close(os.open(data + "/netmodes.db", os.O_RDWR)),
}
own = {str(os.getpid()), str(os.getppid())}
print(json.dumps({
    "attempts": {name: attempt(action) for name, action in attempts.items()},
    "pids": sorted(name for name in os.listdir("/proc") if name.isdigit() and name not in own),
    "data": os.listdir(data),
}))
"""


def probe(pages: psutil.Process, lab: int, engine: Path, data: Path) -> Any:
    """What a program of the web process's user can do in the process's namespaces."""
    user, group = str(pages.uids().real), str(pages.gids().real)
    command = ["nsenter", "-t", str(pages.pid), "--mount", "--pid", "--ipc", "--root", "--"]
    command += ["setpriv", "--reuid", user, "--regid", group, "--clear-groups", "--bounding-set=-all"]
    command += ["--inh-caps=-all", "--no-new-privs", "--", str(Path(sys.executable).resolve()), "-I", "-S", "-c", PROBE]
    command += [str(lab), str(engine), str(data)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.fixture(scope="module")
def first_terminal(engine_host: PrivateEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """A terminal whose first command makes the data folder, shared by the tests of this module."""
    folder = tmp_path_factory.mktemp("first") / "data"
    made = Terminal({**os.environ, "NETMODES_DATA_DIR": str(folder), "DOCKER_HOST": engine_host.endpoint}, folder)
    yield made
    made.close()


@pytest.fixture(scope="module")
def first_site(first_terminal: Terminal) -> Iterator[Site]:
    """A server in a new data folder, for tests that start nothing on it. At the end Ctrl-C ends both processes, and
    neither has printed the token again."""
    site = first_terminal.serve()
    token, pages = site.link.partition("token=")[2], pages_of(site)
    yield site.sign_in()
    done = site.running.interrupt()
    assert done.code == 0, done.err
    assert not psutil.pid_exists(pages.pid)
    assert token not in done.err
    assert done.out.count(token) == 1


def test_a_second_up_prints_the_address_of_the_first_and_a_new_link(first_site: Site, first_terminal: Terminal) -> None:
    done = first_terminal.run("up", "--port", "1")
    assert done.code == 0
    assert f"http://127.0.0.1:{first_site.port}" in done.out
    link = re.search(r"http://\S+token=\S+", done.out)
    assert link is not None
    assert Site(first_site.running, link[0]).sign_in().ask("GET", "/").status == 200


def test_the_token_appears_only_in_the_printed_link(first_site: Site, first_terminal: Terminal) -> None:
    """``first_site`` reads the output of the whole run."""
    site = first_site
    token = site.link.partition("token=")[2]
    pid = site.running.process.pid
    assert token.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()
    assert token.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
    assert site.ask("GET", f"/sign-in/?token={token}").status == 302, "a signed-in user is redirected"
    stranger = Site(site.running, site.link)
    assert stranger.ask("GET", f"/sign-in/?token={token}").status == 401
    assert stranger.ask("HEAD", f"/sign-in/?token={token}").status == 401
    for path in first_terminal.folder.rglob("*"):
        if path.is_file():
            assert token.encode() not in path.read_bytes(), path


def test_pages_are_served_by_an_ordinary_user_without_access_to_docker_or_the_lab(
    first_site: Site, first_terminal: Terminal, engine_host: PrivateEngine
) -> None:
    site = first_site
    lab, pages = site.running.process.pid, pages_of(site)
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pages.pid}/status").read_text().splitlines())
    assert len(set(status["Uid"].split())) == 1
    assert int(status["Uid"].split()[0]) > 0
    assert status["Groups"].strip() == ""
    assert status["NoNewPrivs"] == "1"
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert site.port in {one.laddr.port for one in pages.net_connections("tcp")}
    found = probe(pages, lab, Path(engine_host.socket), first_terminal.folder)
    refused = {
        "docker",
        "engine",
        "key",
        "lock",
        "lab environment",
        "lab root",
        "signal",
        "namespace",
        "root",
        "create",
    }
    assert refused == {name for name, problem in found["attempts"].items() if problem}
    assert {name for name, problem in found["attempts"].items() if not problem} == {"database"}
    assert found["pids"] == ["1"], "apart from the probe it sees its own process only"
    assert set(found["data"]) == {"netmodes.db", "netmodes.db-wal", "netmodes.db-shm", "static", "workshops"}
    # The web process handles imports, Markdown and PDF.
    report = Path("dashboard/export/example.json").read_text()
    form = 'Content-Disposition: form-data; name="file"; filename="example.json"'
    body = f"--x\r\n{form}\r\nContent-Type: application/json\r\n\r\n{report}\r\n--x--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=x", "X-CSRFToken": site.cookies["csrftoken"]}
    imported = site.ask("POST", "/reports/import/", body, headers)
    assert imported.status == 302, imported.body[:2000]
    address = imported.headers["location"]
    for ending, start in (("md", "#"), ("pdf", "%PDF-"), ("csv", "")):
        connection = http.client.HTTPConnection(site.host, site.port, timeout=LONG_S)
        cookies = "; ".join(f"{name}={value}" for name, value in site.cookies.items())
        connection.request("GET", f"{address}export.{ending}", headers={"Cookie": cookies})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        assert answer.status == 200, (ending, content[:300])
        assert content.startswith(start.encode()), ending


def test_a_killed_web_process_is_started_again_and_nothing_else_stops(terminal: Terminal) -> None:
    site = terminal.serve().sign_in()
    identity = site.launch("none")
    site.reaches(identity, "running")
    first = pages_of(site)
    first.kill()
    # The listening socket stays open, so the request waits for the new process.
    assert site.phase(identity) == "running"
    second = pages_of(site)
    assert second.pid != first.pid
    assert "The web process ended with status -9: starting it again." in site.running.err
    assert site.post(f"/api/experiments/{identity}/stop").status == 202
    site.reaches(identity, "stopped")
    done = site.running.interrupt()
    assert done.code == 0, done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_the_web_process_ends_with_its_lab(terminal: Terminal, number: signal.Signals) -> None:
    site = terminal.serve()
    pages = pages_of(site)
    site.running.process.send_signal(number)
    code = site.running.process.wait(LONG_S)
    assert code == (0 if number == signal.SIGTERM else -number)
    until(lambda: has_ended(pages), LONG_S)


def test_a_machine_that_does_not_allow_the_sandbox_is_reported(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = Command()
    assert command._find_web_user() is not None
    monkeypatch.setattr(sandbox, "find_refusal", lambda _user: "mount /sys: Permission denied")
    assert command._find_web_user() is None
    warning = "Pages are served as root: this machine does not allow an unprivileged web process "
    assert capsys.readouterr().err == f"{warning}(mount /sys: Permission denied).\n"


@pytest.mark.usefixtures("first_site")
def test_files_in_the_data_folder_are_readable_by_the_owner_only(first_terminal: Terminal) -> None:
    folder = first_terminal.folder
    assert folder.stat().st_mode & 0o777 == 0o700
    for name in ("netmodes.db", "netmodes.db-wal", "netmodes.db-shm", "secret.key", "lab.lock"):
        assert (folder / name).stat().st_mode & 0o777 == 0o600, name
    for name in ("secret.key", "lab.lock"):
        assert (folder / name).stat().st_uid == 0, name


def test_a_foreign_host_gets_400_from_the_real_server(first_site: Site) -> None:
    site = first_site
    for host in ("evil.example", "127.0.0.1:1", "localhost", ""):
        assert site.ask("GET", "/", headers={"Host": host}).status == 400, host
    upgrade = {
        "Host": "evil.example",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Version": "13",
        "Origin": "http://evil.example",
    }
    assert site.ask("GET", "/ws/experiments/x/", headers=upgrade).status == 400
    own = {**upgrade, "Host": f"127.0.0.1:{site.port}"}
    assert site.ask("GET", "/ws/experiments/x/", headers=own).status == 403
    assert os.getpgid(site.running.process.pid) > 0
