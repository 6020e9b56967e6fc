"""Where something serves, and the word to systemd."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from dashboard.management.serving import (
    address_file,
    address_to_open,
    announced,
    served_address,
    served_addresses,
    tell_service_manager,
)


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
def test_the_address_is_one_that_a_browser_can_open(host: str, address: str) -> None:
    assert address_to_open(host, 8000) == address


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_hears_that_it_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{path}" if abstract else path)
        manager.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{path}" if abstract else path)
        tell_service_manager("READY=1")
        assert manager.recv(100) == b"READY=1"


def test_nobody_to_tell_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    tell_service_manager("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    tell_service_manager("READY=1")


def test_who_serves_says_so_until_the_end_with_an_engine_or_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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
        assert served_address() is None, "each process of pages has a file of its own"
    monkeypatch.delenv("NETMODES_ROLE")
    address_file().write_text("http://127.0.0.1:7")
    assert served_address() is None, "one that was killed serves no longer"
