"""The launcher installs npm packages for pages, tests and benchmarks."""

from __future__ import annotations

import json
import shutil

from tests.launcher.fake_machine import REPOSITORY, Machine, engine


def test_the_npm_packages_are_installed_once_and_run_no_scripts(machine: Machine) -> None:
    machine.run("test")
    stamp = machine.data / "node" / ".stamp"
    assert stamp.exists()
    assert json.loads((machine.data / "node" / "package.json").read_text())["private"]
    before = stamp.stat().st_mtime_ns
    machine.run("test")
    assert stamp.stat().st_mtime_ns == before
    assert [" ci " in f" {line} " and "--ignore-scripts" in line for line in machine.asked("npm")] == [True]


def test_the_browser_libraries_are_served_from_the_checkout_and_fetched_once(machine: Machine) -> None:
    served = machine.checkout / "static/vendor/xterm"
    with engine(machine.socket):
        assert machine.run("up").returncode == 0
        (asked,) = machine.asked("npm")
        assert asked.startswith(f"npm ci {machine.data}/vendor --ignore-scripts ")
        assert asked.endswith(" --omit=dev")
        assert sorted(one.name for one in served.iterdir()) == [
            ".stamp", "LICENSE", "addon-fit.mjs", "xterm.css", "xterm.mjs",
        ]  # fmt: skip
        assert not (machine.data / "vendor").exists()
        with (machine.checkout / "package-lock.json").open("a") as lock:
            lock.write("\n")
        machine.run("up")
        machine.run("up")
    assert len(machine.asked("npm")) == 2, "again only after the lock changed"


def test_a_machine_that_cannot_reach_npm_serves_and_the_next_start_retries(machine: Machine) -> None:
    with engine(machine.socket):
        machine.run("doctor")
        machine.broken.touch()
        done = machine.run("up")
        assert done.returncode == 0
        assert done.stdout == f"ran {machine.checkout}/manage.py up\n"
        assert "training sessions have no terminal" in done.stderr
        machine.broken.unlink()
        done = machine.run("up")
    assert "could not" not in done.stderr
    assert (machine.checkout / "static/vendor/xterm/.stamp").exists()


def test_node_alone_is_installed_beside_the_run_lock(machine: Machine) -> None:
    machine.run("doctor")
    shutil.rmtree(machine.data / "venv/lib")
    machine.forget()
    with engine(machine.socket):
        assert machine.run("up").returncode == 0
    pip = next(line for line in machine.asked("python") if " pip install " in line)
    assert f"--require-hashes --only-binary :all: --retries 1 --timeout 15 --target {machine.data}/vendor/tool" in pip


def test_lighthouse_is_installed_once_and_only_for_its_benchmark(machine: Machine) -> None:
    with engine(machine.socket):
        machine.run("bench", "launch")
        machine.run("bench", "pages", "--help")
        assert machine.asked("npm") == []
        machine.run("bench", "launch", "pages")
        machine.run("bench", "pages")
    (asked,) = machine.asked("npm")
    assert asked.startswith(f"npm ci {machine.data}/lighthouse --ignore-scripts ")
    assert (machine.data / "lighthouse/package.json").read_text() == (
        REPOSITORY / "dashboard/bench/lighthouse/package.json"
    ).read_text()


def test_the_tests_share_their_npm_packages_with_the_pages(machine: Machine) -> None:
    machine.run("test")
    assert [line.split()[2] for line in machine.asked("npm")] == [f"{machine.data}/node".split()[0]]
    assert (machine.checkout / "static/vendor/xterm/xterm.css").exists()
