from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from dashboard.launcher.console import LauncherError
from dashboard.launcher.launch import Launch

MakeLaunch = Callable[..., Launch]


@pytest.fixture
def user_with_sudo(programs: Callable[..., None], user: Callable[[int], None]) -> None:
    """An ordinary user, on a machine that has sudo."""
    programs("sudo")
    user(1000)


def test_the_data_folder_is_var_unless_another_one_is_chosen(
    launch: MakeLaunch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert launch().data == f"{tmp_path}/data"
    monkeypatch.setenv("NETMODES_DATA_DIR", "")
    assert launch().data == f"{launch().root}/var"
    assert launch().python == f"{launch().root}/var/venv/bin/python"


def test_a_data_folder_is_made_private_and_exported(launch: MakeLaunch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    started = launch()
    started.open_data_folder()
    assert stat.S_IMODE(Path(started.data).stat().st_mode) == 0o700
    assert os.environ["NETMODES_DATA_DIR"] == started.data
    assert os.environ["PYTHONPYCACHEPREFIX"] == f"{started.data}/pycache"
    assert "PYTHONDONTWRITEBYTECODE" not in os.environ, "commands would compile their modules at every start"


@pytest.mark.parametrize(("mode", "verb"), [(os.X_OK, "enter"), (os.W_OK, "write to")])
def test_a_data_folder_without_access_is_named_with_what_to_do(
    launch: MakeLaunch, monkeypatch: pytest.MonkeyPatch, user: Callable[[int], None], mode: int, verb: str
) -> None:
    started = launch("link")
    started.open_data_folder()
    user(1000)
    monkeypatch.setattr(os, "access", lambda path, wanted: path != started.data or wanted != mode)
    with pytest.raises(LauncherError, match=f"^cannot {verb} {started.data}: set NETMODES_DATA_DIR"):
        started.open_data_folder()


@pytest.mark.parametrize(
    ("words", "helps"), [(["up"], False), (["up", "--help"], True), (["report", "list", "-h"], True)]
)
def test_a_command_that_only_prints_help_is_recognised(launch: MakeLaunch, words: list[str], helps: bool) -> None:
    assert launch(*words).asks_for_help is helps


def test_the_lock_is_free_again_when_its_file_is_closed(launch: MakeLaunch, capfd: pytest.CaptureFixture[str]) -> None:
    started = launch()
    started.open_data_folder()
    with started.lock() as held:
        assert not os.get_inheritable(held.fileno()), "a service that a package starts must not hold it"
    with started.lock():
        pass
    assert capfd.readouterr().err == ""


def test_root_is_never_refused(launch: MakeLaunch, user: Callable[[int], None]) -> None:
    user(0)
    launch("up").require_root("reason")
    user(1000)
    with pytest.raises(LauncherError, match="up needs root: reason\nType:"):
        launch("up").require_root("reason")


@pytest.mark.usefixtures("user_with_sudo")
def test_the_line_for_root_repeats_the_settings_and_names_those_that_hold_secrets(
    launch: MakeLaunch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NETMODES_DATA_DIR")
    monkeypatch.setenv("NETMODES_ALLOWED_HOSTS", "192.0.2.2")
    monkeypatch.setenv("NETMODES_NO_INSTALL", "1")
    monkeypatch.setenv("DATABASE_URL", "postgres://netmodes:secret@192.0.2.3/netmodes")
    monkeypatch.setenv("NATS_URL_FILE", "/etc/a file")
    with pytest.raises(LauncherError) as refused:
        launch("up", "--host", "0.0.0.0").require_root("reason")
    assert str(refused.value) == (
        "up needs root: reason\nType:\n\n"
        "  sudo NETMODES_ALLOWED_HOSTS=192.0.2.2 NETMODES_NO_INSTALL=1 'NATS_URL_FILE=/etc/a file'"
        " ./netmodes up --host 0.0.0.0\n\n"
        "The line leaves out DATABASE_URL, because other users can read command lines: store the value in a file,"
        " and name the file with DATABASE_URL_FILE."
    )


@pytest.mark.usefixtures("user_with_sudo")
@pytest.mark.parametrize("refused_modes", [{os.X_OK, os.W_OK}, {os.W_OK}])
def test_a_data_folder_of_another_user_is_reported_with_the_whole_line_for_root(
    launch: MakeLaunch, monkeypatch: pytest.MonkeyPatch, refused_modes: set[int]
) -> None:
    """The folder of root has the mode 0700."""
    started = launch("report", "export", "7", "--format", "md")
    monkeypatch.setattr(os, "access", lambda path, wanted: path != started.data or wanted not in refused_modes)
    with pytest.raises(LauncherError) as refused:
        started.open_data_folder()
    assert str(refused.value).splitlines()[-1] == (
        f"  sudo NETMODES_DATA_DIR={started.data} ./netmodes report export 7 --format md"
    )
