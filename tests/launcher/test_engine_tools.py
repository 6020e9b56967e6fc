from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dashboard.launcher import engine_tools
from dashboard.launcher.console import LauncherError
from dashboard.launcher.launch import Launch
from tests.launcher.fake_machine import engine

MakeLaunch = Callable[..., Launch]
Programs = Callable[..., None]
TOOLS = ("ip", "ss", "netstat", "busybox", "iptables", "mkfs.ext4", "apt-get")


@pytest.fixture
def machine(programs: Programs, user: Callable[[int], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Root's machine with the tools, but without an engine and certificates; nothing may be installed.
    Returns the address of the engine's socket."""
    programs(*TOOLS)
    user(0)
    monkeypatch.setattr(engine_tools, "SOCKET", str(tmp_path / "docker.sock"))
    monkeypatch.setattr(engine_tools, "CERTIFICATES", str(tmp_path / "certificates"))
    return tmp_path / "docker.sock"


def missing(
    started: Launch, monkeypatch: pytest.MonkeyPatch, *, browser: bool = False, tests: bool = False
) -> list[str]:
    """The packages that the command would install, in order."""
    monkeypatch.setenv("NETMODES_NO_INSTALL", "1")
    try:
        engine_tools.install_engine(started, browser=browser, tests=tests)
    except LauncherError as error:
        return str(error).splitlines()[-1].split("--no-install-recommends ")[1].split()
    return []


def test_an_engine_that_answers_needs_nothing(
    machine: Path, launch: MakeLaunch, monkeypatch: pytest.MonkeyPatch
) -> None:
    with engine(machine):
        assert engine_tools.engine_answers()
        assert missing(launch("up"), monkeypatch) == []
    assert not engine_tools.engine_answers()


def test_an_engine_comes_with_the_certificates_that_its_package_only_recommends(
    machine: Path, launch: MakeLaunch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert missing(launch("up"), monkeypatch) == ["docker.io", "ca-certificates"]
    (tmp_path / "certificates").touch()
    assert missing(launch("up"), monkeypatch) == ["docker.io"]


def test_the_tests_install_an_engine_beside_one_that_answers(
    machine: Path, launch: MakeLaunch, monkeypatch: pytest.MonkeyPatch
) -> None:
    with engine(machine):
        assert missing(launch("test"), monkeypatch, tests=True)[0] == "docker.io"


@pytest.mark.parametrize("name", engine_tools.BROWSERS)
def test_any_of_the_known_browsers_suffices(
    machine: Path, launch: MakeLaunch, programs: Programs, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with engine(machine):
        assert missing(launch("bench"), monkeypatch, browser=True) == ["chromium"]
        programs(name)
        assert missing(launch("bench"), monkeypatch, browser=True) == []


def test_the_tests_need_no_window(
    machine: Path, launch: MakeLaunch, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(*, tests: bool) -> list[str]:
        found = missing(launch("test" if tests else "bench"), monkeypatch, browser=True, tests=tests)
        return [package for package in found if "chromium" in package]

    with engine(machine):
        assert asked(tests=True) == ["chromium-headless-shell"]
        programs("chromium-headless-shell")
        assert asked(tests=True) == []
        assert asked(tests=False) == ["chromium"], "Lighthouse needs a browser"
        programs("chromium")
        assert asked(tests=True) == asked(tests=False) == []


def test_the_tests_run_their_own_services(
    machine: Path, launch: MakeLaunch, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs("dockerd", "docker", "initdb", "mmdebstrap", "nft")
    assert missing(launch("test"), monkeypatch, tests=True) == ["tcpdump"]
    programs("tcpdump")
    assert missing(launch("test"), monkeypatch, tests=True) == ["nats-server"]
    programs("nats-server")
    assert missing(launch("test"), monkeypatch, tests=True) == []


def test_other_engines_need_mmdebstrap(machine: Path, launch: MakeLaunch, monkeypatch: pytest.MonkeyPatch) -> None:
    with engine(machine):
        assert missing(launch("bench", "claims"), monkeypatch) == []
        assert missing(launch("bench", "claims", "--engine", "ipv6"), monkeypatch) == ["mmdebstrap"]
        assert missing(launch("bench", "claims", "--engine=ipv6"), monkeypatch) == ["mmdebstrap"]
        assert "mmdebstrap" in missing(launch("test"), monkeypatch, tests=True)


@pytest.mark.parametrize(
    ("host", "answers"), [("tcp://127.0.0.1:1", True), ("ssh://somewhere", True), ("unix:///nowhere", False)]
)
def test_an_engine_over_a_network_counts_as_present(
    machine: Path, monkeypatch: pytest.MonkeyPatch, host: str, answers: bool
) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    assert engine_tools.engine_answers() is answers
