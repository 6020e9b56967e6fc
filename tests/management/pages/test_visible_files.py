"""The files that the web process sees."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from dashboard import configuration
from dashboard.core.operations.web_user import WebUser
from dashboard.management.pages.sandbox import RefusedError
from dashboard.management.pages.visible_files import DatabaseFiles, database_paths, symlinks, web_sandbox

USER = WebUser(65530, 65530)


def make_database(path: Path) -> Path:
    with sqlite3.connect(path) as made:
        made.execute("CREATE TABLE one (number)")
    made.close()
    return path


@pytest.mark.engine
def test_the_files_of_the_database_belong_to_the_user_and_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_database(tmp_path / "netmodes.db")
    monkeypatch.setitem(settings.DATABASES["default"], "NAME", str(path))
    files = DatabaseFiles(USER)
    before = {name: Path(name).stat() for name in database_paths()}
    assert {(one.st_uid, one.st_gid, one.st_mode & 0o777) for one in before.values()} == {(65530, 65530, 0o600)}
    configuration.keep_private(path)  # as the migration does
    # Another process closes its connection. It is not the last one, so SQLite does not remove the files.
    insert = "import sqlite3, sys; used = sqlite3.connect(sys.argv[1]); used.execute('INSERT INTO one VALUES (1)')"
    subprocess.run([sys.executable, "-c", f"{insert}; used.commit(); used.close()", str(path)], check=True)
    assert {name: Path(name).stat().st_ino for name in database_paths()} == {
        name: one.st_ino for name, one in before.items()
    }
    files.close()


@pytest.mark.engine
def test_a_database_behind_a_link_is_opened_to_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "disk").mkdir()
    path = make_database(tmp_path / "disk" / "real.db")
    link = tmp_path / "netmodes.db"
    link.symlink_to("disk/real.db")
    monkeypatch.setitem(settings.DATABASES["default"], "NAME", str(link))
    files = DatabaseFiles(USER)
    files.close()
    assert database_paths()[0] == path
    assert link in web_sandbox(USER).read
    assert path.stat().st_uid == USER.uid


def test_a_database_that_cannot_be_opened_leaves_its_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "netmodes.db"
    path.write_bytes(b"no database" * 100)
    monkeypatch.setitem(settings.DATABASES["default"], "NAME", str(path))
    with pytest.raises(sqlite3.DatabaseError):
        DatabaseFiles(USER)
    assert path.read_bytes() == b"no database" * 100


def test_links_are_followed_to_the_end_and_cycles_are_detected(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "two").symlink_to("file")
    (tmp_path / "one").symlink_to(tmp_path / "two")
    assert list(symlinks(tmp_path / "one")) == [tmp_path / "one", tmp_path / "two"]
    (tmp_path / "circle").symlink_to("circle")
    assert len(list(symlinks(tmp_path / "circle"))) == 40


@pytest.mark.engine
def test_the_folder_of_workshops_is_readable_whatever_the_umask_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETMODES_DATA_DIR", str(tmp_path / "data"))
    before = os.umask(0o077)
    try:
        assert tmp_path / "data" / "workshops" in web_sandbox(USER).read
    finally:
        os.umask(before)
    assert (tmp_path / "data" / "workshops").stat().st_mode & 0o777 == 0o755
    (tmp_path / "data" / "workshops").chmod(0o750)
    web_sandbox(USER)
    assert (tmp_path / "data" / "workshops").stat().st_mode & 0o777 == 0o750, "a folder of the user's stays as it is"


@pytest.mark.engine
def test_targets_of_symbolic_links_are_visible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (tmp_path / "disk" / "workshops").mkdir(parents=True)
    (tmp_path / "short").symlink_to("disk")
    (data / "workshops").symlink_to("../short/workshops")
    (tmp_path / "authority.pem").touch()
    monkeypatch.setenv("NETMODES_DATA_DIR", str(data))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    read = web_sandbox(USER).read
    shown = ("data/workshops", "short/workshops", "disk/workshops", "authority.pem")
    assert {tmp_path / name for name in shown} <= read


@pytest.mark.engine
def test_a_link_that_leads_nowhere_is_refused_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETMODES_DATA_DIR", str(tmp_path))
    (tmp_path / "workshops").symlink_to("/nowhere/workshops")
    with pytest.raises(RefusedError, match="/nowhere/workshops, which does not exist"):
        web_sandbox(USER)


@pytest.mark.engine
def test_a_checkout_is_shown_without_its_data_folder_and_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(settings.DATABASES["default"], "NAME", str(tmp_path / "netmodes.db"))
    sandbox = web_sandbox(USER)
    base = configuration.BASE
    assert {base / name for name in ("dashboard", "static", "templates", "docs")} <= sandbox.read
    assert {base, base / ".git", base / "var", base / "tests"}.isdisjoint(sandbox.read)
    assert Path(sys.prefix) in sandbox.read
    assert sandbox.write == tuple(Path(f"{tmp_path}/netmodes.db{suffix}") for suffix in ("", "-wal", "-shm"))
    assert all(str(base / name) in sandbox.hint for name in ("dashboard", "templates"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("netmodes.db", "{here}/netmodes.db"),
        ("/data/netmodes.db", "/data/netmodes.db"),
        (":memory:", ":memory:"),
        ("file:memory?mode=memory", "file:memory?mode=memory"),
    ],
)
def test_the_path_of_a_database_does_not_depend_on_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert configuration.absolute_database(name) == expected.format(here=tmp_path)


def test_settings_hold_the_absolute_path_of_a_database(tmp_path: Path) -> None:
    program = "from django.conf import settings; print(settings.DATABASES['default']['NAME'])"
    variables = {
        "DATABASE_URL": "sqlite:///own.db",
        "NETMODES_DATA_DIR": str(tmp_path),
        "PYTHONPATH": str(configuration.BASE),
    }
    environment = os.environ | variables | {"DJANGO_SETTINGS_MODULE": "dashboard.settings"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(tmp_path / "own.db")
