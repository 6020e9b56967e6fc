"""``./netmodes up`` as a process: start, interrupt, kill and restart."""

from __future__ import annotations

import os
import re
import signal
import socket
from pathlib import Path

import pytest

from dashboard.lab.context import LABEL
from tests.support import engine_api
from tests.support.polling import until
from tests.support.private_engine import PrivateEngine
from tests.support.terminal import LONG_S, Site, Terminal, run_here

#: An arm that shares a namespace runs another command: two servers cannot bind the same port.
SHARES = {"mode": "container", "target": "bridge", "command": "sleep 1000"}
MODES = ("host", "bridge", "bridge", "user-bridge", "none")
COUNT = len(MODES) + 1


def names(host: PrivateEngine) -> list[str]:
    return engine_api.containers(host.endpoint)


def networks(host: PrivateEngine) -> list[str]:
    return engine_api.networks(host.endpoint)


def running(snapshot: dict[str, list[dict[str, str]]]) -> int:
    return sum(one["status"] == "running" for one in snapshot["columns"])


def test_it_prints_the_link_and_ctrl_c_stops_all_containers(terminal: Terminal, engine_host: PrivateEngine) -> None:
    site = terminal.somewhere_new().serve().sign_in()
    assert f"Netmodes is running at http://127.0.0.1:{site.port}" in site.running.out
    one, two = site.launch(*MODES, arms=[SHARES]), site.launch("host", port=81)
    assert running(site.reaches(one, "running")) == COUNT + 1
    site.reaches(two, "running")
    assert site.ask("GET", "/readyz").status == 200
    done = site.running.interrupt()
    assert done.code == 0, done.err
    assert "Stopped 2 running experiments." in done.err
    assert "Traceback" not in done.err
    assert names(engine_host) == []
    assert networks(engine_host) == []
    again = terminal.serve().sign_in()
    snapshot = again.ask("GET", f"/api/experiments/{one}").json
    assert snapshot["experiment"]["phase"] == "stopped"
    assert all(check["ok"] for check in snapshot["experiment"]["proof"])
    assert running(snapshot) == COUNT + 1, "a past experiment shows its last state"
    assert names(engine_host) == []


def test_a_second_ctrl_c_does_not_abort_the_shutdown(terminal: Terminal, engine_host: PrivateEngine) -> None:
    site = terminal.serve().sign_in()
    site.reaches(site.launch(*MODES), "running")
    site.running.process.send_signal(signal.SIGINT)

    def listens() -> bool:
        with socket.socket() as asking:
            return asking.connect_ex(("127.0.0.1", site.port)) == 0

    until(lambda: not listens(), LONG_S)
    done = site.running.interrupt()
    assert done.code == 0, done.err
    assert "Stopping containers. Ctrl-C after 5 seconds leaves them running." in done.err
    assert "Stopped 1 running experiment." in done.err
    assert "Traceback" not in done.err
    assert names(engine_host) == []


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param("wished", marks=pytest.mark.slow),
        pytest.param("first container", marks=pytest.mark.slow),
        "running",
        "stopping",
    ],
)
def test_a_start_after_sigkill_adopts_or_removes_all_containers(
    terminal: Terminal, engine_host: PrivateEngine, moment: str
) -> None:
    foreign = engine_host.docker("run", "-d", "--network", "none", "--label", f"{LABEL}=other", "nginx")
    try:
        site = terminal.serve().sign_in()
        identity = site.launch(*MODES, arms=[SHARES])
        if moment == "first container":
            until(lambda: len(names(engine_host)) > 1, LONG_S)
        elif moment in {"running", "stopping"}:
            site.reaches(identity, "running")
        if moment == "stopping":
            assert site.post(f"/api/experiments/{identity}/stop").status == 202
        site.running.kill()
        before = set(engine_host.docker("ps", "-q", "--no-trunc").split())
        again = terminal.serve().sign_in()
        if moment == "stopping":
            again.reaches(identity, "stopped")
            assert len(names(engine_host)) == 1
        else:
            snapshot = again.reaches(identity, "running")
            assert running(snapshot) == COUNT + 1, [one["error"] for one in snapshot["columns"]]
            if moment == "running":
                assert set(engine_host.docker("ps", "-q", "--no-trunc").split()) == before, (
                    "the containers were adopted"
                )
        assert again.running.interrupt().code == 0
        assert engine_host.docker("ps", "-aq", "--no-trunc") == foreign
        assert networks(engine_host) == []
    finally:
        engine_host.docker("rm", "-f", foreign)


def test_reap_after_sigkill_removes_all_leftovers_and_nothing_else(
    terminal: Terminal, engine_host: PrivateEngine
) -> None:
    foreign = engine_host.docker("run", "-d", "--name", "nm-foreign-bridge", "--label", f"{LABEL}=", "nginx")
    network = engine_host.docker("network", "create", "nm-foreign")
    try:
        site = terminal.serve().sign_in()
        identity = site.launch(*MODES, arms=[SHARES])
        site.reaches(identity, "running")
        living = terminal.run("reap", "--json")
        assert (living.code, living.json["removed"]) == (0, [])
        assert len(living.json["kept"]) == 1
        site.running.kill()
        done = terminal.run("reap", "--json")
        assert done.code == 0, done.err
        assert len([one for one in done.json["removed"] if one.startswith("container")]) == COUNT
        assert len([one for one in done.json["removed"] if one.startswith("network")]) == 1
        assert engine_host.docker("ps", "-aq", "--no-trunc") == foreign
        assert engine_host.docker("network", "ls", "-q", "--no-trunc", "--filter", "type=custom") == network
        again = terminal.serve().sign_in()
        assert again.phase(identity) == "stopped"
        assert engine_host.docker("ps", "-aq", "--no-trunc") == foreign
    finally:
        engine_host.docker("rm", "-f", foreign)
        engine_host.docker("network", "rm", network)


def test_it_starts_without_an_engine_and_finds_one_later(nowhere: Terminal, engine_host: PrivateEngine) -> None:
    site = nowhere.serve().sign_in()
    assert "No Docker Engine answers" in site.running.err
    assert "does not answer" in site.ask("GET", "/").body
    assert site.ask("GET", "/readyz").status == 503
    identity = site.launch("none")
    assert site.phase(identity) == "waiting"
    path = Path(nowhere.environment["DOCKER_HOST"].removeprefix("unix://"))
    path.symlink_to(engine_host.socket)
    site.reaches(identity, "running")
    assert site.ask("GET", "/readyz").status == 200
    assert site.running.interrupt().code == 0
    assert names(engine_host) == []


def test_a_port_in_use_is_refused_with_what_to_do(nowhere: Terminal) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        done = nowhere.run("up", "--port", str(port))
    assert done.code == 1
    assert done.err.strip().splitlines() == [
        f"Cannot listen on 127.0.0.1:{port}: Address already in use. Stop what listens there, or choose --port N."
    ]


@pytest.mark.parametrize("arguments", [("--port", "0"), ("--port", "65536"), ("--port", "x"), ("--nonsense",)])
def test_wrong_usage_is_exit_2(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    done = run_here(capsys, "up", *arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err


def test_a_second_up_prints_the_address_of_the_first_and_a_new_link(terminal: Terminal) -> None:
    site = terminal.serve()
    done = terminal.run("up", "--port", "1")
    assert done.code == 0
    assert f"http://127.0.0.1:{site.port}" in done.out
    link = re.search(r"http://\S+token=\S+", done.out)
    assert link is not None
    assert Site(site.running, link[0]).sign_in().ask("GET", "/").status == 200


def test_the_token_appears_only_in_the_printed_link(terminal: Terminal) -> None:
    site = terminal.serve()
    token = site.link.partition("token=")[2]
    pid = site.running.process.pid
    assert token.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()
    assert token.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
    site.sign_in()
    assert site.ask("GET", f"/sign-in/?token={token}").status == 302, "a signed-in user is redirected"
    stranger = Site(site.running, site.link)
    assert stranger.ask("GET", f"/sign-in/?token={token}").status == 401
    assert stranger.ask("HEAD", f"/sign-in/?token={token}").status == 401
    done = site.running.interrupt()
    assert token not in done.err
    assert done.out.count(token) == 1
    for path in terminal.folder.rglob("*"):
        if path.is_file():
            assert token.encode() not in path.read_bytes(), path


def test_files_in_the_data_folder_are_readable_by_the_owner_only(terminal: Terminal) -> None:
    site = terminal.somewhere_new().serve()
    assert terminal.folder.stat().st_mode & 0o777 == 0o700
    for name in ("netmodes.db", "netmodes.db-wal", "netmodes.db-shm", "secret.key", "lab.lock"):
        assert (terminal.folder / name).stat().st_mode & 0o777 == 0o600, name
    assert site.running.interrupt().code == 0


def test_a_foreign_host_gets_400_from_the_real_server(terminal: Terminal) -> None:
    site = terminal.serve().sign_in()
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
