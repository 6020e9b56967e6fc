"""HTTP over a process of ssh. A program in its place answers like ``docker system dial-stdio``."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from dashboard.engine.connection_errors import SshError, causes
from dashboard.engine.docker_engine import DockerEngine
from dashboard.engine.protocol import EngineUnreachable
from dashboard.engine.transports.ssh import SshAdapter, ssh_command
from tests.support.polling import DEADLINE_S

ANSWER = r"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as opened:
        yield opened


def get(session: requests.Session, script: str, *arguments: str) -> str:
    session.mount("http+docker://", SshAdapter(["/bin/sh", "-c", script, "ssh", *arguments], DEADLINE_S))
    return session.get("http+docker://localhost/version", timeout=DEADLINE_S).text


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        ("ssh://example.test", ["--", "example.test", "docker", "system", "dial-stdio"]),
        ("ssh://me@example.test:2222", ["-l", "me", "-p", "2222", "--", "example.test"]),
        ("ssh://[2001:db8::1]", ["--", "2001:db8::1", "docker"]),
        (
            "ssh://example.test/run/user/1000/docker.sock",
            ["docker", "--host", "unix:///run/user/1000/docker.sock", "system", "dial-stdio"],
        ),
        ("ssh://host/run/$(id)/a b;c", ["docker", "--host", "'unix:///run/$(id)/a b;c'", "system", "dial-stdio"]),
        ("ssh://Me@MyHost:22", ["-l", "Me", "-p", "22", "--", "MyHost", "docker"]),
    ],
)
def test_the_command_is_that_of_the_docker_command(endpoint: str, words: list[str]) -> None:
    command = ssh_command(endpoint)
    assert command[0] == "ssh"
    assert "BatchMode=yes" in command
    start = command.index(words[0])
    assert command[start : start + len(words)] == words


@pytest.mark.parametrize(
    "endpoint",
    [
        "ssh://",
        "ssh://-oProxyCommand=x",
        "ssh://me:secret@example.test",
        "ssh://example.test:port",
        "ssh://a?b",
        "ssh://[abc",
        "ssh://[]",
    ],
)
async def test_an_address_that_ssh_could_misunderstand_is_refused(endpoint: str) -> None:
    engine = DockerEngine(endpoint)
    with pytest.raises(EngineUnreachable, match="is not the address of a host"):
        await engine.info()
    await engine.close()


@pytest.mark.parametrize("password", ["secret", "secret/1", "secret@1", "secret:1", "secret#1", "secret[1"])
def test_a_password_is_not_shown(password: str) -> None:
    with pytest.raises(EngineUnreachable, match=r"“ssh://me@example\.test/x” is not") as refused:
        ssh_command(f"ssh://me:{password}@example.test/x")
    assert "secret" not in str(refused.value)


def test_a_connection_is_kept_and_used_again(session: requests.Session, tmp_path: Path) -> None:
    script = rf"""echo started >> {tmp_path}/log
    while read -r line; do [ "$line" != "$(printf '\r')" ] || printf '{ANSWER}'; done"""
    assert get(session, script) == "ok"
    assert session.get("http+docker://localhost/info", timeout=DEADLINE_S).text == "ok"
    assert (tmp_path / "log").read_text() == "started\n"


def test_a_failure_of_ssh_has_its_last_message(session: requests.Session) -> None:
    with pytest.raises(requests.ConnectionError) as failed:
        get(session, "echo banner >&2; echo 'me@host: Permission denied (publickey).' >&2; exit 255")
    messages = [str(one) for one in causes(failed.value) if isinstance(one, SshError)]
    assert messages == ["me@host: Permission denied (publickey)"]


def test_the_end_of_a_connection_is_not_attributed_to_ssh_if_ssh_did_not_fail(session: requests.Session) -> None:
    with pytest.raises(requests.ConnectionError) as failed:
        get(session, "echo 'a banner' >&2; exit 0")
    assert not any(isinstance(one, SshError) for one in causes(failed.value))


@pytest.mark.parametrize("ignored", ["HUP", "HUP TERM"])
def test_closing_ends_the_process(session: requests.Session, tmp_path: Path, ignored: str) -> None:
    script = rf"""echo $$ > {tmp_path}/pid; trap '' {ignored}
    while read -r line; do [ "$line" != "$(printf '\r')" ] || printf '{ANSWER}'; done; exec tail -f /dev/null"""
    get(session, script)
    session.close()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


async def test_connections_are_closed_outside_the_thread_of_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = DockerEngine("ssh://example.test")
    threads: list[threading.Thread] = []
    monkeypatch.setattr(engine._connection, "forget", lambda: threads.append(threading.current_thread()))
    await engine.close()
    (thread,) = threads
    assert thread is not threading.current_thread()


async def test_without_the_program_ssh_the_sentence_names_its_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    engine = DockerEngine("ssh://example.test")
    with pytest.raises(EngineUnreachable, match="openssh-client"):
        await engine.info()
    await engine.close()
