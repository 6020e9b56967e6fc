from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from dashboard.launcher import machine
from tests.launcher.fake_machine import REPOSITORY

Programs = Callable[..., None]
User = Callable[[int], None]
#: XDG_DATA_HOME does not apply to root, and the launcher sets NETMODES_NODE_MODULES.
NOT_FOR_ROOT = {"XDG_DATA_HOME", "NETMODES_NODE_MODULES"}


def test_a_program_must_be_on_path_and_executable(programs: Programs, tmp_path: Path) -> None:
    programs("ip")
    (tmp_path / "programs/ss").touch()
    (tmp_path / "programs/netstat").mkdir()
    assert machine.has("ip")
    assert not machine.has("ss")
    assert not machine.has("netstat")
    assert not machine.has("ip", "busybox")


@pytest.mark.parametrize(
    ("uid", "installed", "line"),
    [(0, ["sudo"], "apt-get update"), (1000, ["sudo"], "sudo apt-get update"), (1000, [], "su -c 'apt-get update'")],
)
def test_the_line_for_root_fits_the_machine(
    programs: Programs, user: User, uid: int, installed: list[str], line: str
) -> None:
    programs(*installed)
    user(uid)
    assert machine.line_for_root("apt-get update") == line


def test_a_program_writes_to_standard_error_and_gets_variables_and_a_folder(
    programs: Programs, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    programs("tool", script='echo "$PWD $NAME"; read -r line || exit 3')
    assert not machine.run("tool", cwd=str(tmp_path), variables={"NAME": "value"})
    assert capfd.readouterr() == ("", f"{tmp_path} value\n")


def test_the_output_of_a_program_can_go_to_a_file(programs: Programs, tmp_path: Path) -> None:
    programs("tool", script="echo one; echo two >&2")
    with (tmp_path / "log").open("w") as log:
        assert machine.run("tool", output=log.fileno())
    assert (tmp_path / "log").read_text() == "one\ntwo\n"


def test_root_has_the_user_id_0() -> None:
    assert machine.is_root() == (os.geteuid() == 0)
    assert machine.runs_systemd() == Path("/run/systemd/system").is_dir()


def test_every_documented_setting_is_repeated_or_a_secret() -> None:
    rows = (REPOSITORY / "docs/settings.md").read_text().partition("\nIn containers")[0]
    documented = {
        name for row in re.findall(r"^\| (`[^|]*)\|", rows, re.MULTILINE) for name in re.findall("`(.+?)`", row)
    }
    assert documented - NOT_FOR_ROOT == {*machine.REPEATED, *machine.SECRETS}
    assert not {*machine.REPEATED} & {*machine.SECRETS}


@pytest.mark.parametrize("name", machine.SECRETS)
def test_the_value_of_a_secret_is_left_out_and_its_file_is_repeated(
    monkeypatch: pytest.MonkeyPatch, user: User, name: str
) -> None:
    user(1000)
    monkeypatch.setenv(name, "s3cret")
    line = machine.command_for_root("./netmodes", "up")
    assert "s3cret" not in line
    assert f"leaves out {name}, because" in line
    monkeypatch.setenv(f"{name}_FILE", "/etc/secret")
    line = machine.command_for_root("./netmodes", "up")
    assert f"{name}_FILE=/etc/secret" in line
    assert "leaves out" not in line
