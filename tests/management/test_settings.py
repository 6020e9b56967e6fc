"""Settings: environment variables that all commands read before they do anything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dashboard import configuration
from tests.management.conftest import used_before
from tests.support.terminal import ROOT, Done, Terminal


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("NETMODES_ALLOWED_HOSTS", "*", "NETMODES_ALLOWED_HOSTS takes exact host names without * or a leading dot."),
        ("NETMODES_ALLOWED_HOSTS", "a.example,https://b.example", "NETMODES_ALLOWED_HOSTS takes host names such as "),
        ("NETMODES_TRUSTED_ORIGINS", "a.example", "NETMODES_TRUSTED_ORIGINS takes origins such as https://netmodes."),
        ("NETMODES_OWN_NAME", "false", "NETMODES_OWN_NAME is false: use yes or no."),
        ("NETMODES_METRICS_TOKEN", "secret", "NETMODES_METRICS_TOKEN is too short: use 16 random characters or more."),
        ("NETMODES_RETENTION_DAYS", "abc", "NETMODES_RETENTION_DAYS is abc: use a number from 0 to 36500."),
        ("NETMODES_RETENTION_DAYS", "1000000", "NETMODES_RETENTION_DAYS is 1000000: use a number from 0 to 36500."),
        ("NETMODES_JOURNALS_MB", "-1", "NETMODES_JOURNALS_MB is -1: use a number from 0 to 1000000000."),
        ("NETMODES_JOURNALS_MB", "1e305", "NETMODES_JOURNALS_MB is 1e305: use a number from 0 to 1000000000."),
        ("NETMODES_LOG_LEVEL", "loud", "NETMODES_LOG_LEVEL is loud: use DEBUG, INFO, WARNING or ERROR."),
        ("DATABASE_URL", "postgres://web:secret/x@db/netmodes", "DATABASE_URL is not the URL of a database."),
        (
            "DATABASE_URL",
            "mysql://web:secret@db/netmodes",
            "DATABASE_URL names neither a PostgreSQL nor a SQLite database",
        ),
        ("NETMODES_DATA_DIR", "/dev/null", "Cannot use /dev/null: File exists. Set NETMODES_DATA_DIR to a folder that"),
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


def run_installed(environment: dict[str, str], missing: str = "") -> Done:
    """Runs ``report list`` as an installed package does, without the module ``missing``."""
    started = (
        f"import sys; sys.argv[1:] = ['report', 'list']; sys.modules[{missing!r}] = None; "
        "from dashboard.entry import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", started], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    return Done(done.returncode, done.stdout, done.stderr)


def test_an_installed_package_also_refuses_an_invalid_setting_with_a_sentence(nowhere: Terminal) -> None:
    done = run_installed(nowhere.environment | {"NETMODES_RETENTION_DAYS": "inf"})
    assert (done.code, done.out) == (2, "")
    assert done.err == "NETMODES_RETENTION_DAYS is inf: use a number from 0 to 36500.\n"


OPENID = {
    "NETMODES_OIDC_ISSUER": "https://id.example.org",
    "NETMODES_OIDC_CLIENT_ID": "netmodes",
    "NETMODES_OIDC_CLIENT_SECRET": "secret",
}


@pytest.mark.parametrize(
    ("settings", "missing", "sentence"),
    [
        (
            {"DATABASE_URL": "postgres://web:secret@db/netmodes"},
            "psycopg",
            "The package psycopg is not installed. Install Netmodes with the extra “team”.\n",
        ),
        (OPENID, "allauth", "The package django-allauth is not installed. Install Netmodes with the extra “oidc”.\n"),
    ],
)
def test_an_installed_package_without_an_extra_names_the_extra_that_a_setting_needs(
    nowhere: Terminal, settings: dict[str, str], missing: str, sentence: str
) -> None:
    done = run_installed(nowhere.environment | settings, missing)
    assert (done.code, done.out, done.err) == (2, "", sentence)


@pytest.mark.parametrize("content", ["", '{"machine": "lab2"', "\xff"])
def test_a_damaged_file_of_a_machine_that_has_joined_is_exit_2_with_what_to_do(nowhere: Terminal, content: str) -> None:
    file = nowhere.folder / "machine.json"
    file.write_text(content, encoding="latin-1")
    done = nowhere.run("report", "list")
    assert (done.code, done.out) == (2, "")
    assert done.err == f"{file} is damaged. Delete it, and join the installation again with ./netmodes join.\n"


@pytest.mark.parametrize("name", ["C#", "e?f", "50%41", "ü 100% [x];+"])
def test_the_database_is_in_the_data_folder_whatever_characters_its_path_has(
    tmp_path: Path, kept: Path, name: str
) -> None:
    folder = used_before(tmp_path / name, kept)
    database = folder / "netmodes.db"
    database.chmod(0o644)
    done = Terminal({**os.environ, "NETMODES_DATA_DIR": str(folder)}, folder).run("report", "list")
    assert (done.code, done.err) == (0, "")
    assert database.stat().st_mode & 0o777 == 0o600, "the command used it"
    assert list(tmp_path.iterdir()) == [folder], "nothing is outside"


def test_a_folder_in_place_of_the_database_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    configuration.keep_private(tmp_path)
    assert tmp_path.stat().st_mode & 0o777 == 0o755
