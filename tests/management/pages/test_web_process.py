"""The user, files and variables of the web process of root's lab."""

from __future__ import annotations

import asyncio
import os
import pwd
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from dashboard.core.operations.web_user import FREE_IDS, WebUser
from dashboard.management.pages import web_process
from dashboard.management.pages.starter import ForkRefusedError, StarterError
from dashboard.management.pages.web_process import WebProcess, WebProcessError


def test_variables_are_passed_without_the_engine_and_secrets_of_files_as_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tmp_path / "token"
    token.write_text("a token of the metrics\n")
    monkeypatch.setenv("NETMODES_METRICS_TOKEN_FILE", str(token))
    monkeypatch.setenv("NETMODES_ALLOWED_HOSTS", "netmodes.example.org")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.org")
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/docker.sock")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    passed = web_process.environment()
    assert passed["NETMODES_METRICS_TOKEN"] == "a token of the metrics"
    assert passed["NETMODES_ALLOWED_HOSTS"] == "netmodes.example.org"
    assert passed["HTTPS_PROXY"] == "http://proxy.example.org"
    assert passed["NETMODES_SECRET_KEY"] == settings.SECRET_KEY
    assert {"DOCKER_HOST", "AWS_SECRET_ACCESS_KEY", "NETMODES_METRICS_TOKEN_FILE"}.isdisjoint(passed)


@pytest.mark.engine
def test_a_folder_of_root_leads_to_a_user_without_an_account(tmp_path: Path) -> None:
    assert web_process.find_user(tmp_path).uid in FREE_IDS
    os.chown(tmp_path, 1234, 1235)
    assert web_process.find_user(tmp_path) == WebUser(1234, 1235)
    os.chown(tmp_path, 1234, 0)
    assert web_process.find_user(tmp_path).uid in FREE_IDS, "the group is not root's"
    entry = pwd.getpwnam("nobody")
    os.chown(tmp_path, entry.pw_uid, 0)
    assert web_process.find_user(tmp_path) == WebUser(entry.pw_uid, entry.pw_gid)


@pytest.mark.engine
def test_only_root_with_a_database_file_serves_pages_in_a_separate_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.DATABASES["default"], "ENGINE", "django.db.backends.sqlite3")
    assert web_process.is_apart()
    monkeypatch.setitem(settings.DATABASES["default"], "ENGINE", "django.db.backends.postgresql")
    assert not web_process.is_apart()
    monkeypatch.setitem(settings.DATABASES["default"], "ENGINE", "django.db.backends.sqlite3")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert not web_process.is_apart()


def test_sign_ins_elsewhere_have_proxies_and_certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    given = {
        "HTTPS_PROXY": "http://proxy.example:3128",
        "no_proxy": "localhost",
        "all_proxy": "http://other.example",
        "SSL_CERT_FILE": "authority.pem",
        "REQUESTS_CA_BUNDLE": "/etc/authorities.pem",
        "SSL_CERT_DIR": "one:/two",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    passed = web_process.environment()
    assert {name: passed.get(name) for name in given} == given | {
        "SSL_CERT_FILE": f"{tmp_path}/authority.pem",
        "SSL_CERT_DIR": f"{tmp_path}/one:/two",
    }


class FakeStarter:
    """Starts nothing: each process ends at once with status 3. ``refusals`` are raised by the next starts."""

    def __init__(self, _work: object, _output: int) -> None:
        self.refusals: list[StarterError] = []
        self.started = 0
        self.has_ended = False

    def start(self, _sockets: object) -> None:
        if self.refusals:
            raise self.refusals.pop(0)
        self.started += 1

    async def wait(self) -> int:
        if self.has_ended:
            raise StarterError("The process that starts the web process has ended.")
        return 3

    def send_signal(self, _number: int) -> None:
        pass

    def close(self) -> None:
        pass


class FakeServer:
    """Serves a process that is ready at once; ``serving`` is called for each."""

    def __init__(self, serving: Callable[[], Any]) -> None:
        self._serving = serving

    async def serve(self, own: socket.socket, on_ready: Callable[[], None]) -> None:
        on_ready()
        await self._serving()
        own.close()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> WebProcess:
    monkeypatch.setattr(web_process, "Starter", FakeStarter)
    monkeypatch.setattr(web_process, "DatabaseFiles", lambda _user: None)
    monkeypatch.setattr(web_process, "FIRST_PAUSE_S", 0.0)
    return WebProcess([], WebUser(65530, 65530), said.append)


async def test_a_restart_that_the_kernel_refuses_is_tried_again(web: WebProcess, said: list[str]) -> None:
    starter: Any = web._starter
    served = asyncio.Event()

    async def serving() -> None:
        if starter.started == 1:
            starter.refusals = [ForkRefusedError("Not now.")] * 2
        else:
            served.set()
            await asyncio.Event().wait()

    web.start()
    running = asyncio.create_task(web.run(FakeServer(serving), lambda: None))  # type: ignore[arg-type]
    await asyncio.wait_for(served.wait(), 10)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await web.stop()
    web.close()
    assert [line.split(" Trying")[0] for line in said] == [
        "The web process ended with status 3: starting it again.",
        "Not now.",
        "Not now.",
    ]


async def test_a_first_start_that_is_refused_is_an_error(web: WebProcess) -> None:
    starter: Any = web._starter
    starter.refusals = [ForkRefusedError("Not now.")]
    with pytest.raises(WebProcessError, match="Not now"):
        web.start()
    await web.stop()
    web.close()


async def test_the_end_of_the_starter_is_an_error_unless_the_lab_stops(web: WebProcess) -> None:
    starter: Any = web._starter

    async def serving() -> None:
        starter.has_ended = True

    web.start()
    with pytest.raises(WebProcessError, match="has ended"):
        await web.run(FakeServer(serving), lambda: None)  # type: ignore[arg-type]
    await web.stop()
    web.close()


async def test_output_of_the_process_precedes_the_report_of_its_end(web: WebProcess, said: list[str]) -> None:
    async def serving() -> None:
        os.write(writing, b"the reason\n")
        starter.refusals = [StarterError("No more.")]

    starter: Any = web._starter
    writing = os.open(f"/proc/self/fd/{web._output._reading}", os.O_WRONLY)
    web.start()
    with pytest.raises(WebProcessError, match="No more"):
        await web.run(FakeServer(serving), lambda: None)  # type: ignore[arg-type]
    os.close(writing)
    await web.stop()
    web.close()
    assert said == ["web: the reason", "The web process ended with status 3: starting it again."]
