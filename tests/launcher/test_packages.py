from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from threading import Timer

import pytest

from dashboard.launcher.console import LauncherError
from dashboard.launcher.launch import Launch
from dashboard.launcher.packages import Packages
from tests.support.polling import until

MakeLaunch = Callable[..., Launch]
Programs = Callable[..., None]
User = Callable[[int], None]


@pytest.fixture
def packages(launch: MakeLaunch, programs: Programs, user: User) -> Packages:
    """The packages that ``up`` installs for root, on a machine with apt-get."""
    programs("apt-get")
    user(0)
    started = launch("up")
    started.open_data_folder()
    return Packages(started)


def test_only_missing_packages_are_noted(packages: Packages, programs: Programs) -> None:
    programs("ip")
    packages.need_program("iproute2", "interfaces", "ip")
    packages.need_program("net-tools", "listeners", "netstat")
    assert packages.missing == {"net-tools": "listeners"}


def test_nothing_missing_asks_apt_for_nothing(packages: Packages, programs: Programs) -> None:
    programs("apt-get", script="exit 1")
    packages.install()


def test_installed_packages_are_no_longer_missing(packages: Packages, capfd: pytest.CaptureFixture[str]) -> None:
    packages.need("net-tools", "listeners")
    packages.install()
    assert packages.missing == {}
    assert capfd.readouterr() == ("", "Installing net-tools: listeners\n")


@pytest.mark.parametrize("reason", ["not root", "no apt-get", "--no-install"])
def test_where_nothing_can_be_installed_the_error_has_the_lines_to_type(
    packages: Packages, launch: MakeLaunch, user: User, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    packages.need("net-tools", "listeners")
    if reason == "not root":
        user(1000)
    elif reason == "no apt-get":
        monkeypatch.setenv("PATH", "/nowhere")
    else:
        monkeypatch.setenv("NETMODES_NO_INSTALL", "1")
    with pytest.raises(LauncherError) as raised:
        packages.install()
    text = str(raised.value)
    assert text.startswith("up needs packages that are not installed:\n\nnet-tools: listeners\n\n")
    assert ("apt-get install --no-install-recommends net-tools" in text) == (reason != "no apt-get")
    assert ("package manager" in text) == (reason == "no apt-get")


def test_a_failure_shows_the_end_of_what_apt_printed(
    packages: Packages, programs: Programs, capfd: pytest.CaptureFixture[str]
) -> None:
    programs(
        "apt-get", script="for i in 1 2 3 4 5; do printf 'a%s\\nb%s\\nc%s\\nd%s\\ne%s\\n' $i $i $i $i $i; done; exit 1"
    )
    packages.need("net-tools", "listeners")
    with pytest.raises(LauncherError, match="apt-get could not install net-tools"):
        packages.install()
    lines = capfd.readouterr().err.splitlines()
    assert lines[1:3] == [
        "Reading the package lists.",
        "netmodes: apt-get update failed; continuing with the present lists.",
    ]
    assert (lines[3], lines[-1], len(lines)) == ("a2", "e5", 23)


def test_ctrl_c_does_not_kill_apt(packages: Packages, programs: Programs, tmp_path: Path) -> None:
    """A killed apt-get leaves dpkg in a state that the user must repair."""
    gate, finished = tmp_path / "gate", tmp_path / "finished"
    os.mkfifo(gate)
    programs("apt-get", script=f"kill -INT $PPID\nread -r line <'{gate}'\necho finished >'{finished}'")
    packages.need("net-tools", "listeners")
    descriptor = os.open(gate, os.O_RDWR)
    # Later than Python waits for a child after Ctrl-C.
    timer = Timer(0.6, lambda: os.write(descriptor, b"go\n"))
    timer.start()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            packages.install()
    finally:
        signal.signal(signal.SIGINT, before)
        timer.join()
    until(lambda: finished.exists() and finished.read_text() == "finished\n")
    os.close(descriptor)
