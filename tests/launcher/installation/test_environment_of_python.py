"""The launcher makes, repairs and reuses the Python environment."""

from __future__ import annotations

import os

from tests.launcher.fake_machine import Machine, engine
from tests.support.polling import until


def test_the_first_start_installs_the_locked_packages_and_runs_the_command(machine: Machine) -> None:
    done = machine.run("doctor", "--json", "two words")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"ran {machine.checkout}/manage.py doctor --json two words\n"
    venv, pip = machine.asked("python")
    assert venv == f"python -m venv --clear {machine.data}/venv"
    assert "--require-hashes" in pip
    assert "--only-binary :all:" in pip
    assert pip.endswith(f"-r {machine.checkout}/requirements.txt")
    assert machine.asked("apt-get") == []


def test_the_second_start_asks_neither_pip_nor_the_distribution(machine: Machine) -> None:
    with engine(machine.socket):
        assert machine.run("up").returncode == 0
        machine.forget()
        machine.remove("python3")
        done = machine.run("up", "--port", "8001")
    assert done.returncode == 0
    assert done.stdout == f"ran {machine.checkout}/manage.py up --port 8001\n"
    assert done.stderr == ""
    assert machine.asked() == []


def test_a_changed_lock_is_installed_into_the_existing_environment(machine: Machine) -> None:
    machine.run("doctor")
    machine.forget()
    with (machine.checkout / "requirements.txt").open("a") as lock:
        lock.write("# changed\n")
    assert machine.run("doctor").returncode == 0
    assert [line.split()[2] for line in machine.asked()] == ["pip"]


def test_a_moved_checkout_gets_a_new_environment(machine: Machine) -> None:
    machine.run("doctor")
    machine.forget()
    moved = machine.checkout.rename(machine.folder / "moved")
    assert machine.run("doctor", script=str(moved / "netmodes")).returncode == 0
    assert machine.asked()[0] == f"python -m venv --clear {moved}/var/venv"


def test_an_interrupted_installation_is_repaired_by_the_next_start(machine: Machine) -> None:
    machine.broken.touch()
    done = machine.run("doctor")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "could not be installed" in done.stderr
    machine.broken.unlink()
    machine.forget()
    assert machine.run("doctor").returncode == 0
    assert [line.split()[2] for line in machine.asked()] == ["venv", "pip"]


def test_a_failed_installation_of_the_test_packages_leaves_the_other_commands_usable(machine: Machine) -> None:
    machine.run("doctor")
    machine.broken.touch()
    assert machine.run("check").returncode == 1
    machine.forget()
    assert machine.run("doctor").returncode == 0
    assert machine.asked() == []


def test_two_concurrent_first_starts_install_once(machine: Machine) -> None:
    os.mkfifo(machine.gate)
    second_says = machine.folder / "second"
    with machine.start("doctor", stderr=machine.folder / "first") as first:
        until(lambda: any(" pip install " in line for line in machine.asked()))
        with machine.start("doctor", stderr=second_says) as second:
            try:
                until(lambda: "Waiting for another netmodes" in second_says.read_text())
            finally:
                machine.gate.open("w").close()
                machine.gate.unlink()
            outputs = [launcher.communicate(timeout=30)[0] for launcher in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0]
    assert outputs == [f"ran {machine.checkout}/manage.py doctor\n"] * 2
    assert len(machine.asked()) == 2, "one venv and one pip"


def test_an_unsuitable_python_first_on_path_is_skipped(machine: Machine) -> None:
    machine.install("python3.12", machine.python(suitable=False))
    machine.install("python3.14", "#!/bin/sh\necho 'pyenv: python3.14: command not found' >&2; exit 127\n")
    done = machine.run("doctor")
    assert done.returncode == 0
    assert "pyenv" not in done.stderr
    assert machine.asked("apt-get") == []


def test_a_system_with_an_old_python_only_gets_a_hint(machine: Machine, user_machine: Machine) -> None:
    for each, words in [(machine, ["doctor"]), (machine, ["doctor", "--no-install"]), (user_machine, ["doctor"])]:
        each.install("python3", each.python(suitable=False))
        done = each.run(*words)
        assert done.returncode == 1
        assert "Debian 13 and Ubuntu 24.04" in done.stderr
        assert each.asked("apt-get") == [], "the distribution has no newer one"
