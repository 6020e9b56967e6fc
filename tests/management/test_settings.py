"""Settings: environment variables that all commands read before they do anything."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.terminal import ROOT, Terminal


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("NETMODES_ALLOWED_HOSTS", "*", "NETMODES_ALLOWED_HOSTS takes exact host names without * or a leading dot."),
        ("NETMODES_METRICS_TOKEN", "secret", "NETMODES_METRICS_TOKEN is too short: use 16 random characters or more."),
        ("NETMODES_RETENTION_DAYS", "abc", "NETMODES_RETENTION_DAYS is abc: use a number of at least 0."),
        ("NETMODES_JOURNALS_MB", "-1", "NETMODES_JOURNALS_MB is -1: use a number of at least 0."),
        ("NETMODES_LOG_LEVEL", "loud", "NETMODES_LOG_LEVEL is loud: use DEBUG, INFO, WARNING or ERROR."),
        ("DATABASE_URL", "postgres://web:secret/x@db/netmodes", "DATABASE_URL is not the URL of a database."),
        (
            "DATABASE_URL_FILE",
            "/missing",
            "Cannot read /missing, which DATABASE_URL_FILE names: No such file or directory.",
        ),
    ],
)
def test_an_invalid_setting_is_exit_2_with_a_sentence(
    nowhere: Terminal, variable: str, value: str, sentence: str
) -> None:
    nowhere.environment[variable] = value
    done = nowhere.run("report", "list")  # `up` would serve if the setting was valid
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(sentence)
    assert done.err.count("\n") == 1
    assert "secret" not in done.err


def test_an_installed_package_also_refuses_an_invalid_setting_with_a_sentence(nowhere: Terminal) -> None:
    started = "import sys; sys.argv[1:] = ['report', 'list']; from dashboard.entry import main; main()"
    environment = nowhere.environment | {"NETMODES_RETENTION_DAYS": "inf"}
    done = subprocess.run(
        [sys.executable, "-c", started], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "NETMODES_RETENTION_DAYS is inf: use a number of at least 0.\n"
