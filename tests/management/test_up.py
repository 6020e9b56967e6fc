"""``./netmodes up`` as a process: start, interrupt, kill and restart."""

from __future__ import annotations

import asyncio
import resource
import signal
import socket
from pathlib import Path

import pytest
import uvloop
from django.test import override_settings

from dashboard import configuration, interrupts
from dashboard.lab import lab_process
from dashboard.lab.context import LABEL
from dashboard.management.commands import up
from dashboard.management.commands.up import Command
from dashboard.management.serving import announced
from tests.support import engine_api
from tests.support.polling import until
from tests.support.private_engine import PrivateEngine
from tests.support.terminal import LONG_S, Terminal, run_here

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


def test_up_prints_the_link_and_ctrl_c_stops_all_containers(terminal: Terminal, engine_host: PrivateEngine) -> None:
    site = terminal.somewhere_new().serve().sign_in()
    assert f"Netmodes is running at http://127.0.0.1:{site.port}" in site.running.out
    one, two = site.launch(*MODES, arms=[SHARES]), site.launch("none")
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
    site.reaches(site.launch("host", "bridge", "user-bridge"), "running")
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
        pytest.param("stopping", marks=pytest.mark.slow),
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


@pytest.mark.slow
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


def test_up_starts_without_an_engine_and_finds_one_later(nowhere: Terminal, engine_host: PrivateEngine) -> None:
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


def test_a_service_beside_a_running_server_fails_with_the_reason_and_makes_no_link(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Standard output of the service of setup is discarded, and systemd starts a failed service again."""
    monkeypatch.setenv("NETMODES_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    with announced("http://127.0.0.1:1"):
        done = run_here(capsys, "up")
    assert (done.code, done.out) == (1, "")
    assert done.err == "Netmodes is already running at http://127.0.0.1:1. Stop it first.\n"


@pytest.mark.parametrize("arguments", [("--port", "0"), ("--port", "65536"), ("--port", "x"), ("--nonsense",)])
def test_wrong_usage_is_exit_2(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    done = run_here(capsys, "up", *arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ("NETMODES_HOST_RUNTIME", "microvm"),
        ("NETMODES_ENGINE_OPTIONS", "{userland-proxy: false}"),
        ("NETMODES_HOST_DISK_MB", "4G"),
    ],
)
def test_an_invalid_setting_of_private_hosts_is_reported_at_the_start(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, setting: str, text: str
) -> None:
    monkeypatch.setenv(setting, text)
    with pytest.raises(configuration.ConfigurationError, match=f"^{setting} is "):
        run_here(capsys, "up", "--host", "192.0.2.5")  # it would be refused if the setting was valid


@pytest.mark.parametrize(("host", "name"), [("192.0.2.5", "192.0.2.5"), ("2001:db8::5", "[2001:db8::5]")])
def test_an_address_whose_requests_would_be_refused_is_exit_2_with_what_to_set(
    capsys: pytest.CaptureFixture[str], host: str, name: str
) -> None:
    done = run_here(capsys, "up", "--host", host)
    assert (done.code, done.out) == (2, "")
    assert done.err == f"Requests to {name} would be refused. Add {name} to NETMODES_ALLOWED_HOSTS.\n"
    for settings in ({"ALLOWED_HOSTS": [name]}, {"CSRF_TRUSTED_ORIGINS": ["https://netmodes.example.org"]}):
        with override_settings(**settings):
            done = run_here(capsys, "up", "--host", host)
        assert (done.code, f"Cannot listen on {name}:8000" in done.err) == (1, True)


def test_a_machine_that_has_joined_an_installation_is_told_how_to_start_and_how_to_leave(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    joined = {"machine": "lab2", "nats": "nats://lab2:secret@nats.example.org", "database": "postgres://joined"}
    configuration.store_joined(tmp_path, joined)
    with override_settings(DATA_DIR=tmp_path, MACHINE="lab2", NATS_URL=joined["nats"]):
        done = run_here(capsys, "up")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "This machine has joined an installation: run ./netmodes lab. "
        f"To use it on its own, delete {tmp_path}/machine.json.\n"
    )


def test_a_lab_without_pages_has_the_event_loop_and_the_descriptors_of_other_servers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loops: list[asyncio.AbstractEventLoop] = []
    limits = [(1024, 4096)]

    async def run_lab(*_: object) -> int:
        loops.append(asyncio.get_running_loop())
        return 0

    monkeypatch.setattr(lab_process, "run_lab", run_lab)
    monkeypatch.setattr(Command, "migrate", lambda _self: None)
    monkeypatch.setattr(up, "is_lab_running", lambda: False)
    monkeypatch.setattr(interrupts, "ignore", lambda: None)
    monkeypatch.setattr(resource, "getrlimit", lambda _kind: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _kind, limit: limits.append(limit))
    Command()._run_lab()
    assert isinstance(loops[0], uvloop.Loop)
    assert limits[-1] == (4096, 4096)
