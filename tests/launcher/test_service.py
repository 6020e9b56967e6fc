from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dashboard.launcher import service
from dashboard.launcher.console import LauncherError
from dashboard.launcher.launch import Launch
from dashboard.management.commanding import WRONG_USAGE

MakeLaunch = Callable[..., Launch]


def test_the_unit_starts_this_checkout_with_these_arguments(
    launch: MakeLaunch, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = launch("setup", "--port", "8001")
    text = service.unit_text(started)
    assert f'\nExecStart="{started.root}/netmodes" up "--port" "8001"\n' in text
    assert f'\nEnvironment="NETMODES_DATA_DIR={started.data}"\n' in text
    assert "/a%%20check%%20out/README.md\n" in text
    assert "DOCKER_HOST" not in text
    monkeypatch.setenv("DOCKER_HOST", "unix:///e.sock")
    assert service.unit_text(started) == f'{text}\n[Service]\nEnvironment="DOCKER_HOST=unix:///e.sock"\n'


def test_the_service_gets_the_settings_except_secrets(
    launch: MakeLaunch,
    programs: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A server that the console's advice starts as a service refused the host names of participants."""
    programs("systemctl")
    monkeypatch.setattr(service, "UNIT", f"{tmp_path}/netmodes.service")
    for name, value in {
        "NETMODES_ALLOWED_HOSTS": "192.0.2.1, class.example",
        "NETMODES_NO_INSTALL": "0",
        "DATABASE_URL": "postgres://netmodes:hidden@db/netmodes",
        "NATS_URL": "nats://hidden@nats",
        "NATS_URL_FILE": "/etc/netmodes/nats-url",
    }.items():
        monkeypatch.setenv(name, value)
    service.install_service(launch("setup", "--host", "0.0.0.0"))
    written = Path(service.UNIT).read_text()
    assert written.endswith(
        '\n[Service]\nEnvironment="NETMODES_ALLOWED_HOSTS=192.0.2.1, class.example"\n'
        'Environment="NATS_URL_FILE=/etc/netmodes/nats-url"\n'
    )
    assert "hidden" not in written
    assert written.count("NETMODES_NO_INSTALL") == 1
    said = capsys.readouterr().err
    assert "The service does not get DATABASE_URL, because other users can read units: store the value" in said


def test_relative_paths_in_settings_become_absolute(
    launch: MakeLaunch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOCKER_CERT_PATH", "certificates")
    monkeypatch.setenv("NETMODES_OIDC_NAME", "certificates")
    monkeypatch.setenv("DATABASE_URL_FILE", "../url")
    lines = service.unit_text(launch("setup")).splitlines()
    assert f'Environment="DOCKER_CERT_PATH={tmp_path}/certificates"' in lines
    assert 'Environment="NETMODES_OIDC_NAME=certificates"' in lines
    assert f'Environment="DATABASE_URL_FILE={tmp_path.parent}/url"' in lines


def test_a_setting_may_contain_any_printable_character(
    launch: MakeLaunch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETMODES_DATA_DIR", f"{tmp_path}/50%")
    monkeypatch.setenv("NETMODES_OIDC_NAME", r"""Universität "X" 'Y' \n $HOME""")
    started = launch("setup")
    service.require_plain_words(started)
    lines = service.unit_text(started).splitlines()
    assert f'Environment="NETMODES_DATA_DIR={tmp_path}/50%%"' in lines
    assert lines[-1] == r"""Environment="NETMODES_OIDC_NAME=Universität \"X\" 'Y' \\n $HOME" """.rstrip()
    monkeypatch.setenv("NETMODES_OIDC_NAME", "two\nlines")
    with pytest.raises(LauncherError, match=r"^NETMODES_OIDC_NAME may contain only printable .*: 'two\\nlines'$"):
        service.require_plain_words(started)


def test_the_other_lines_are_those_of_the_template(launch: MakeLaunch) -> None:
    started = launch("setup")
    template = (Path(started.root) / "vagrant/netmodes.service").read_text().splitlines()
    changed = [line for line in service.unit_text(started).splitlines() if line not in template]
    assert [line.partition("=")[0] for line in changed] == ["Documentation", "ExecStart", "Environment"][: len(changed)]
    assert len(changed) == 3


def test_a_service_with_wrong_arguments_or_settings_is_not_started_again(launch: MakeLaunch) -> None:
    assert f"RestartPreventExitStatus={WRONG_USAGE}" in service.unit_text(launch("setup")).splitlines()


@pytest.mark.parametrize(
    ("words", "command"),
    [
        ([], "lab"),
        (["--privileged-hosts"], 'lab "--privileged-hosts"'),
        (["--role", "lab"], 'up "--role" "lab"'),
        (["--role=web", "--port", "8001"], 'up "--role=web" "--port" "8001"'),
    ],
)
def test_a_machine_that_has_joined_runs_its_lab_unless_a_role_is_named(
    launch: MakeLaunch, words: list[str], command: str
) -> None:
    started = launch("setup", *words)
    started.open_data_folder()
    Path(started.data, "machine.json").touch()
    service.require_options_of_command(started)
    assert f'\nExecStart="{started.root}/netmodes" {command}\n' in service.unit_text(started)


def test_options_that_the_lab_of_a_joined_machine_lacks_are_refused(launch: MakeLaunch) -> None:
    started = launch("setup", "--privileged-hosts", "--port", "8001")
    service.require_options_of_command(started)
    started.open_data_folder()
    Path(started.data, "machine.json").touch()
    with pytest.raises(LauncherError, match=r"^this machine has joined an installation, .* --port 8001$"):
        service.require_options_of_command(started)


@pytest.mark.parametrize("word", ["50%", '"', "$HOME", "a\\b", "a\nb", "ü"])
def test_a_character_with_a_meaning_in_units_is_refused(launch: MakeLaunch, word: str) -> None:
    service.require_plain_words(launch("setup", "--host", "0.0.0.0"))
    with pytest.raises(LauncherError, match="each argument may contain only letters"):
        service.require_plain_words(launch("setup", "--host", word))


def test_a_unit_that_cannot_be_written_is_named(
    launch: MakeLaunch, programs: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs("systemctl")
    monkeypatch.setattr(service, "UNIT", f"{tmp_path}/nowhere/netmodes.service")
    with pytest.raises(LauncherError, match=r"^cannot write .*/nowhere/netmodes\.service: No such file or directory$"):
        service.install_service(launch("setup"))


@pytest.mark.parametrize(("verb", "sentence"), [("enable", "could not enable"), ("restart", "did not start")])
def test_a_failure_of_systemd_is_an_error(
    launch: MakeLaunch,
    programs: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
    sentence: str,
) -> None:
    programs("systemctl", script=f'case "$*" in *is-enabled*|*{verb}*) exit 1 ;; esac')
    monkeypatch.setattr(service, "UNIT", f"{tmp_path}/netmodes.service")
    monkeypatch.setattr(service, "runs_systemd", lambda: True)
    with pytest.raises(LauncherError, match=sentence):
        service.install_service(launch("setup"))
