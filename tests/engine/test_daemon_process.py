"""Finds the process that serves a socket."""

from __future__ import annotations

import os
import socket
import subprocess
from functools import partial
from pathlib import Path

import pytest

from dashboard.core.claims.engine_facts import EngineFacts
from dashboard.core.experiments.engine_kind import EngineKind
from dashboard.engine import daemon_process
from dashboard.engine.daemon_process import detached_namespace, find_daemon, port_namespaces, rootless_netns
from tests.support.fakes import make_info
from tests.support.polling import until
from tests.support.private_engine import PrivateEngine


@pytest.mark.engine
def test_the_daemon_of_a_private_host_is_found_by_its_socket(engine_host: PrivateEngine, facts: EngineFacts) -> None:
    assert find_daemon(engine_host.endpoint, facts.kind) == engine_host.pid


def test_a_socket_of_a_process_that_is_no_engine_has_no_daemon(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "other.sock"))
        server.listen()
        assert find_daemon(f"unix://{tmp_path}/other.sock") is None


@pytest.mark.parametrize("endpoint", ["tcp://127.0.0.1:1", "ssh://x", "unix:///nonexistent/docker.sock"])
def test_an_engine_elsewhere_has_no_process_here(endpoint: str) -> None:
    assert find_daemon(endpoint) is None


def test_behind_socket_activation_the_only_dockerd_of_the_machine_is_meant(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    names = {"1": "systemd", "40": "dockerd", "41": "docker-proxy"}
    for pid, name in names.items():
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "comm").write_text(f"{name}\n")
    monkeypatch.setattr(daemon_process, "PROC", tmp_path)
    monkeypatch.setattr(daemon_process, "PID_FILES", (tmp_path / "none", tmp_path / "docker.pid"))
    assert daemon_process.running_daemon() == 40
    (tmp_path / "42").mkdir()
    (tmp_path / "42" / "comm").write_text("dockerd\n")
    assert daemon_process.running_daemon() is None
    (tmp_path / "docker.pid").write_text("42\n")
    assert daemon_process.running_daemon() == 42


@pytest.mark.parametrize(
    ("program", "arguments", "is_found"),
    [
        ("podman", "podman\0system\0service\0", True),
        ("systemd", "/usr/lib/systemd/systemd\0--user\0", True),
        # Without root, Podman's service has re-executed itself.
        ("exe", "/usr/bin/podman\0system\0service\0", True),
        ("exe", "", False),
        ("socat", "socat\0podman\0", False),
    ],
)
def test_podmans_service_and_the_systemd_that_starts_it_stand_for_the_engine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str, arguments: str, *, is_found: bool
) -> None:
    own = tmp_path / str(os.getpid())
    own.mkdir()
    (own / "comm").write_text(f"{program}\n")
    (own / "cmdline").write_text(arguments)
    monkeypatch.setattr(daemon_process, "PROC", tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "podman.sock"))
        server.listen()
        endpoint = f"unix://{tmp_path}/podman.sock"
        assert find_daemon(endpoint, EngineKind.PODMAN) == (os.getpid() if is_found else None)
        assert find_daemon(endpoint) is None


@pytest.mark.parametrize(("parent", "found"), [("podman", 7), ("systemd", None)])
def test_the_process_that_executed_podman_again_stays_in_the_machines_namespaces(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, parent: str, found: int | None
) -> None:
    """Its child's first thread may remain in the namespaces of the networks."""
    for pid, name, stat in ((os.getpid(), "exe", f"{os.getpid()} (a) exe) S 7 1"), (7, parent, "7 (x) S 1 1")):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "comm").write_text(f"{name}\n")
        (tmp_path / str(pid) / "stat").write_text(stat)
        (tmp_path / str(pid) / "cmdline").write_text("/usr/bin/podman\0system\0" if name == "exe" else f"{name}\0")
    monkeypatch.setattr(daemon_process, "PROC", tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "podman.sock"))
        server.listen()
        assert find_daemon(f"unix://{tmp_path}/podman.sock", EngineKind.PODMAN) == (found or os.getpid())


def test_a_rootless_docker_binds_ports_in_the_namespaces_of_its_daemon_and_of_rootlesskit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # systemd starts RootlessKit (7). Its child (8) and dockerd (9) are in a namespace of their own.
    for pid, parent, namespace in ((1, 0, "machine"), (7, 1, "machine"), (8, 7, "own"), (9, 8, "own")):
        (tmp_path / f"{pid}/ns").mkdir(parents=True)
        (tmp_path / f"{pid}/stat").write_text(f"{pid} (x) S {parent} 1")
        (tmp_path / namespace).touch()
        (tmp_path / f"{pid}/ns/net").hardlink_to(tmp_path / namespace)
    monkeypatch.setattr(daemon_process, "PROC", tmp_path)
    assert port_namespaces(make_info(pid=9, rootless=True)) == [(7, ""), (9, "")]
    assert port_namespaces(make_info(pid=7, rootless=True)) == [(7, "")], "RootlessKit has the machine's namespace"
    assert port_namespaces(make_info(pid=10, rootless=True)) == [(10, "")], "it has ended"
    assert port_namespaces(make_info(pid=9, rootless=True, kind=EngineKind.PODMAN)) == [(9, "")]
    assert port_namespaces(make_info(pid=9)) == [(9, "")]
    assert port_namespaces(make_info(pid=7, rootless=True, netns="/kit/netns")) == [(7, "/kit/netns"), (7, "")]
    assert port_namespaces(make_info(pid=None)) == []


def test_the_bridges_of_a_rootless_podman_are_found_in_the_mounts_of_its_child(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = "21 20 8:1 / / rw - ext4 /dev/vda rw\n"
    place = "/run/user/1000/containers/networks/rootless-netns/rootless-netns"
    for pid, children, mounts in (
        (7, "8 9 ", own),
        (8, "", own),
        (9, "", f"{own}599 161 0:4 net:[4] {place} rw - n n\n"),
    ):
        (tmp_path / f"{pid}/task/{pid}").mkdir(parents=True)
        (tmp_path / f"{pid}/task/{pid}/children").write_text(children)
        (tmp_path / f"{pid}/task/{pid}/mountinfo").write_text(mounts)
    monkeypatch.setattr(daemon_process, "PROC", tmp_path)
    assert rootless_netns(7) == (9, place)
    # The first thread has other mounts since it made an earlier namespace.
    for thread, mounts in (
        (9, f"{own}600 161 0:4 net:[3] /run rw - n n\n"),
        (30, f"5 6 0:4 net:[5] {place} rw - n n\n"),
    ):
        (tmp_path / f"9/task/{thread}").mkdir(exist_ok=True)
        (tmp_path / f"9/task/{thread}/mountinfo").write_text(mounts)
    assert rootless_netns(7) == (30, place)
    (tmp_path / "9/task/30/mountinfo").write_text(own)
    assert rootless_netns(7) is None
    assert rootless_netns(10) is None


def _runs(pid: int, program: str) -> bool:
    # The name is that of the program some microseconds before its environment can be read.
    started = bool(Path(f"/proc/{pid}/environ").read_bytes())
    return started and Path(f"/proc/{pid}/comm").read_text() == f"{program}\n"


def test_a_detached_namespace_is_found_by_the_state_directory_of_rootlesskit(tmp_path: Path) -> None:
    (tmp_path / "netns").touch()
    for name, path in ((str(tmp_path), f"{tmp_path}/netns"), (f"{tmp_path}/other", "")):
        daemon = subprocess.Popen(["tail", "-f", "/dev/null"], env={"ROOTLESSKIT_STATE_DIR": name})
        try:
            until(partial(_runs, daemon.pid, "tail"))
            assert detached_namespace(daemon.pid) == path
        finally:
            daemon.kill()
            daemon.wait()
    assert detached_namespace(os.getpid()) == ""
    assert detached_namespace(None) == ""
