"""The files of the virtual machine, checked without starting one."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.launcher.fake_machine import REPOSITORY

VAGRANT = REPOSITORY / "vagrant"


def test_the_vagrantfile_is_ruby() -> None:
    ruby = shutil.which("ruby")
    if ruby is None:
        pytest.skip("no ruby here: it comes with vagrant and with nothing that the tests need")
    done = subprocess.run([ruby, "-wc", VAGRANT / "Vagrantfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


def test_vagrant_validates_the_vagrantfile(tmp_path: Path) -> None:
    vagrant = shutil.which("vagrant")
    if vagrant is None:
        pytest.skip("no vagrant here: its package brings a hypervisor's tools along")
    shutil.copytree(VAGRANT, tmp_path / "vagrant")
    done = subprocess.run(
        [vagrant, "validate", "--ignore-provider"],
        cwd=tmp_path / "vagrant",
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "VAGRANT_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr


def test_the_page_is_forwarded_to_loopback_only_and_tests_run_on_demand_only() -> None:
    text = (VAGRANT / "Vagrantfile").read_text()
    forwarded = re.findall(r'"forwarded_port".*', text)
    assert len(forwarded) == 1
    assert 'host_ip: "127.0.0.1", auto_correct: false' in forwarded[0]
    provisioners = dict(re.findall(r'provision "(\w+)", type: "shell",(.*?) path:', text))
    assert provisioners == {"setup": "", "link": ' run: "always",', "tests": ' run: "never",'}


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (["setup", "8001"], "setup --host 0.0.0.0 --port 8001"),
        (["link"], "link"),
        (["tests"], "test"),
    ],
)
def test_provisioning_calls_the_launcher(tmp_path: Path, arguments: list[str], asked: str) -> None:
    for name, said in (("netmodes", 'echo "$NETMODES_DATA_DIR: $*"'), ("systemctl", ":"), ("python3", ":")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{said}\n")
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        [VAGRANT / "provision.sh", *arguments],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "NETMODES_CHECKOUT": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    folder = "/var/lib/netmodes-tests" if asked == "test" else "/var/lib/netmodes"
    assert done.stdout == f"{folder}: {asked}\n"


def test_an_unknown_word_is_wrong_usage() -> None:
    assert subprocess.run([VAGRANT / "provision.sh", "up"], capture_output=True, check=False).returncode == 2
