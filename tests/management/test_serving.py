"""Addresses of running servers, and notifications of systemd."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from dashboard.management.commanding import NetmodesCommand
from dashboard.management.serving import (
    address_file,
    address_to_open,
    announced,
    linked_address,
    notify_service_manager,
    served_address,
    served_addresses,
)
from tests.support.terminal import run_here


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("::1", "http://[::1]:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),
        ("netmodes.example.org", "http://netmodes.example.org:8000"),
    ],
)
def test_the_address_can_be_opened_in_a_browser(host: str, address: str) -> None:
    assert address_to_open(host, 8000) == address


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_notified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{path}" if abstract else path)
        manager.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{path}" if abstract else path)
        notify_service_manager("READY=1")
        assert manager.recv(100) == b"READY=1"


def test_a_missing_service_manager_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify_service_manager("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    notify_service_manager("READY=1")


def test_the_address_of_a_server_is_known_while_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETMODES_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("NETMODES_ROLE", raising=False)
    assert served_address() is None
    with announced("http://127.0.0.1:7"):
        assert served_address() == "http://127.0.0.1:7"
        assert served_addresses() == ("http://127.0.0.1:7",)
        with pytest.raises(BlockingIOError), announced("http://127.0.0.1:8"):
            pass
        assert served_address() == "http://127.0.0.1:7"
        monkeypatch.setenv("NETMODES_ROLE", "web")
        assert served_address() is None, "each web process has its own file"
    monkeypatch.delenv("NETMODES_ROLE")
    address_file().write_text("http://127.0.0.1:7")
    assert served_address() is None, "a killed server has no lock"


def test_a_command_in_another_terminal_finds_a_server_that_only_serves_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETMODES_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("NETMODES_ROLE", "web")
    (tmp_path / "serving.other").write_text("http://127.0.0.1:9")
    with announced("http://127.0.0.1:7"):
        monkeypatch.delenv("NETMODES_ROLE")
        assert linked_address() == "http://127.0.0.1:7"
        assert served_address() is None, "`up` may start a server with a lab"
        with announced("http://127.0.0.1:8"):
            assert linked_address() == "http://127.0.0.1:8"
    assert linked_address() is None


@pytest.mark.django_db
@pytest.mark.parametrize("arguments", [("link",), ("accounts", "invite", "Ada")], ids=" ".join)
def test_sign_in_links_have_the_address_of_a_server_that_only_serves_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("NETMODES_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(NetmodesCommand, "migrate", lambda _command: None)
    monkeypatch.setenv("NETMODES_ROLE", "web")
    with announced("http://127.0.0.1:7"):
        monkeypatch.delenv("NETMODES_ROLE")
        done = run_here(capsys, *arguments)
    assert done.code == 0, done.err
    assert ": http://127.0.0.1:7/sign-in/?token=" in done.out
