"""The options of a daemon, from its process and its file."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dashboard.core.claims.engine_facts import DaemonOptions
from dashboard.lab.engine.daemon_options import read_daemon_options


@pytest.mark.parametrize("form", ["--config-file {}", "--config-file={}"])
def test_options_of_the_daemon_are_read_from_its_process(tmp_path: Path, form: str) -> None:
    file = tmp_path / "daemon.json"
    file.write_text('{"userland-proxy": false}')
    command = ["sh", "-c", "echo; read line", "dockerd", *form.format(file).split(), "--iptables=false"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert read_daemon_options(process.pid) == DaemonOptions(False, False, "nat", True)
        process.communicate(b"\n")
    assert read_daemon_options(process.pid) == DaemonOptions()


@pytest.mark.parametrize("folder", ["XDG_CONFIG_HOME", "HOME"])
def test_without_a_named_file_a_rootless_daemon_reads_that_of_its_user(tmp_path: Path, folder: str) -> None:
    configuration = tmp_path if folder == "XDG_CONFIG_HOME" else tmp_path / ".config"
    file = configuration / "docker" / "daemon.json"
    file.parent.mkdir(parents=True)
    file.write_text('{"iptables": false}')
    environment = {"PATH": "/usr/bin:/bin", "ROOTLESSKIT_STATE_DIR": "/run/user/1000/dockerd-rootless"}
    command = ["sh", "-c", "echo; read line", "dockerd"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment | {folder: str(tmp_path)}
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert read_daemon_options(process.pid).iptables is False
        process.communicate(b"\n")
