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
