"""Connection errors: messages with the reason and what to do."""

from __future__ import annotations

import socket
import ssl

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
)


def wrapped(cause: BaseException) -> BaseException:
    """An error as requests and urllib3 wrap it: inside arguments, three levels deep."""
    return requests.exceptions.ConnectionError(urllib3.exceptions.ProtocolError("Connection aborted.", cause))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermissionError(13, "denied"), "usermod -aG docker"),
        (wrapped(PermissionError(13, "denied")), "sudo"),
        (FileNotFoundError(2, "gone"), "No Docker Engine answers at unix:///x"),
        (wrapped(ConnectionRefusedError(111, "refused")), "systemctl start docker"),
        (TimeoutError(), "did not answer within 3 s"),
        (requests.exceptions.ReadTimeout("slow"), "hangs or is overloaded"),
        (wrapped(ConnectionResetError(104, "reset")), "broke"),
        (requests.exceptions.ChunkedEncodingError("cut"), "stopped or was restarted"),
    ],
)
def test_each_kind_of_silence_has_its_own_sentence(error: BaseException, words: str) -> None:
    sentence = explain(error, "unix:///x", 3)
    assert sentence is not None
    assert words in sentence
    assert "unix:///x" in sentence


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
