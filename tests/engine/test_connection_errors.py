"""Connection errors: messages with the reason and what to do."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest
import requests
import urllib3
from urllib3.util.ssl_match_hostname import CertificateError

from dashboard.engine.connection_errors import (
    SshError,
    causes,
    describe_timeout,
    explain,
    is_silent_registry,
    is_timeout,
    name_log,
)

SOCKET = "unix:///run/docker.sock"


def wrapped(cause: BaseException) -> BaseException:
    """An error as requests and urllib3 wrap it: inside arguments, three levels deep."""
    return requests.exceptions.ConnectionError(urllib3.exceptions.ProtocolError("Connection aborted.", cause))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermissionError(13, "denied"), "usermod -aG docker"),
        (wrapped(PermissionError(13, "denied")), "sudo"),
        (FileNotFoundError(2, "gone"), f"No Docker Engine answers at {SOCKET}"),
        (wrapped(ConnectionRefusedError(111, "refused")), "systemctl start docker"),
        (TimeoutError(), "did not answer within 3 s"),
        (requests.exceptions.ReadTimeout("slow"), "hangs or is overloaded"),
        (wrapped(ConnectionResetError(104, "reset")), "broke"),
        (requests.exceptions.ChunkedEncodingError("cut"), "stopped or was restarted"),
    ],
)
def test_each_kind_of_silence_has_its_own_sentence(error: BaseException, words: str) -> None:
    sentence = explain(error, SOCKET, 3)
    assert sentence is not None
    assert words in sentence
    assert SOCKET in sentence


@pytest.mark.parametrize(
    ("path", "start", "restart", "log"),
    [
        (
            "/var/run/docker.sock",
            "Start it (sudo systemctl start docker),",
            "restart it (sudo systemctl restart docker).",
            "its log (journalctl -u docker)",
        ),
        (
            "/run/user/1000/docker.sock",
            "Start it (as user 1000: systemctl --user start docker),",
            "restart it (as user 1000: systemctl --user restart docker).",
            "its log (as user 1000: journalctl --user -u docker)",
        ),
        (
            "/run/podman/podman.sock",
            "Start it (sudo systemctl start podman.socket),",
            "restart it (sudo systemctl restart podman).",
            "its log (journalctl -u podman)",
        ),
        (
            "/run/user/1000/podman/podman.sock",
            "Start it (as user 1000: systemctl --user start podman.socket),",
            "restart it (as user 1000: systemctl --user restart podman).",
            "its log (as user 1000: journalctl --user -u podman)",
        ),
        ("/run/netmodes/k7w2/docker.sock", "Start it, or", "restart it.", "its log"),
    ],
)
def test_the_commands_are_for_the_service_behind_the_socket(path: str, start: str, restart: str, log: str) -> None:
    endpoint = f"unix://{path}"
    assert start in (explain(FileNotFoundError(2, "gone"), endpoint, 3) or "")
    assert restart in describe_timeout(endpoint, 3)
    assert start.removeprefix("Start it").rstrip(", or") in (explain(ConnectionResetError(), endpoint, 3) or "")
    assert name_log(endpoint) == log


@pytest.mark.parametrize(
    ("path", "remedy"),
    [
        ("/run/user/1000/docker.sock", "Start Netmodes as user 1000 or with sudo."),
        ("/run/user/1000/podman/podman.sock", "Start Netmodes as user 1000 or with sudo."),
        ("/run/podman/podman.sock", "Start Netmodes with sudo."),
        ("/run/netmodes/k7w2/docker.sock", "Start Netmodes with sudo."),
    ],
)
def test_the_group_docker_gives_permission_only_for_the_socket_of_docker(path: str, remedy: str) -> None:
    sentence = explain(PermissionError(13, "denied"), f"unix://{path}", 3)
    assert sentence == f"Permission to use the Docker Engine at unix://{path} is denied. {remedy}"


def test_a_link_to_the_socket_of_podman_leads_to_podman(tmp_path: Path) -> None:
    link = tmp_path / "docker.sock"
    link.symlink_to("/run/podman/podman.sock")
    assert "restart it (sudo systemctl restart podman)" in describe_timeout(f"unix://{link}", 3)


@pytest.mark.parametrize(
    ("error", "endpoint", "words"),
    [
        (wrapped(SshError("Permission denied (publickey)")), "ssh://host", "Permission denied (publickey). Run `ssh`"),
        (FileNotFoundError(2, "gone"), "ssh://host", "openssh-client"),
        (wrapped(ssl.SSLError(1, "[SSL] certificate verify failed")), "tcp://192.0.2.1:2376", "DOCKER_CERT_PATH"),
        (wrapped(CertificateError("hostname 'a' doesn't match 'b'")), "tcp://a:2376", "failed: hostname 'a' doesn't"),
        (wrapped(socket.gaierror(-2, "unknown")), "tcp://host:2376", "host name"),
        (wrapped(ConnectionRefusedError(111, "refused")), "tcp://192.0.2.1:2376", "Start it on that machine"),
        (TimeoutError(), "ssh://host", "did not answer within 3 s"),
        (wrapped(ConnectionResetError(104, "reset")), "tcp://192.0.2.1:2376", "DOCKER_TLS_VERIFY=1"),
    ],
)
def test_a_remote_engine_has_no_advice_for_this_machine(error: BaseException, endpoint: str, words: str) -> None:
    sentence = explain(error, endpoint, 3)
    assert sentence is not None
    assert words in sentence
    assert endpoint in sentence
    assert "systemctl" not in sentence
    assert "systemctl" not in describe_timeout(endpoint, 3)


def test_an_error_that_is_not_about_a_connection_is_not_explained() -> None:
    assert explain(KeyError("ApiVersion"), "unix:///x", 3) is None


def test_a_timeout_is_distinguished_from_a_broken_connection() -> None:
    assert is_timeout(wrapped(TimeoutError()))
    assert not is_timeout(wrapped(ConnectionResetError()))


def test_errors_that_contain_each_other_are_examined_once() -> None:
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    assert list(causes(one)) == [one, two]


def test_a_hung_engine_has_its_deadline_in_the_sentence() -> None:
    assert "within 0.5 s" in describe_timeout("unix:///x", 0.5)


@pytest.mark.parametrize(
    ("words", "silent"),
    [
        ('Get "https://registry.example/v2/": dial tcp: lookup registry.example: no such host', True),
        ('Get "https://registry.example/v2/": net/http: TLS handshake timeout', True),
        ("context deadline exceeded (Client.Timeout exceeded while awaiting headers)", True),
        ("pull access denied for x, repository does not exist", False),
        ("toomanyrequests: You have reached your pull rate limit", False),
        ("manifest for nginx:0 not found: manifest unknown", False),
    ],
)
def test_a_silent_registry_is_distinguished_from_one_that_refuses(words: str, silent: bool) -> None:
    assert is_silent_registry(words) is silent
