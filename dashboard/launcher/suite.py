"""Runs ``./netmodes test``: the tests of the browser's modules, then pytest."""

import os
import signal

from dashboard.launcher.browser_assets import BrowserAssets
from dashboard.launcher.checks import files
from dashboard.launcher.launch import Launch

#: The tests that also run on PostgreSQL instead of SQLite and memory.
TEAM_TESTS = ("tests/web", "tests/lab", "tests/store")
#: The tests that ``--engine`` runs if no paths are given. They take a few minutes, have the mark ``engine``, and may
#: fail on an engine of another version, kind or configuration. Other tests that use an engine run the same code on
#: every engine. ``./netmodes bench claims --engine`` executes the claims.
ENGINE_TESTS = (
    "tests/engine/test_daemon_process.py",
    "tests/engine/test_docker_engine.py",
    "tests/engine/facts",
    "tests/engine/test_lab_image.py",
    "tests/engine/test_run_line.py",
    "tests/lab/claims/test_testbed.py",
    "tests/lab/claims/test_testbed_reading.py",
    "tests/lab/engine/test_ports.py",
    "tests/lab/experiments/test_any_engine.py",
    "tests/lab/experiments/test_driver.py::test_every_mode_of_the_workshop_runs_side_by_side_and_leaves_nothing",
    "tests/lab/experiments/test_driver.py::test_a_refusal_shows_docker_s_message_and_the_other_arms_run",
    "tests/lab/experiments/running/test_ended_containers.py::test_a_container_removed_outside_netmodes_is_lost_and_the_others_run_on",
    "tests/lab/experiments/columns/test_neighbour.py",
    "tests/lab/experiments/test_networks.py",
    "tests/lab/experiments/test_trace.py",
    "tests/lab/measurements/test_run.py::test_each_path_of_host_and_bridge_is_measured_and_named",
    "tests/lab/test_doctor.py",
    "tests/lab/workshops/test_snapshot.py",
    "tests/management/test_claims.py",
    "tests/browser/experiments/live/test_table.py::test_every_arm_is_beside_the_machine_with_its_command",
    "tests/browser/experiments/live/test_table.py::test_host_mode_has_the_machine_s_badge_and_bridge_its_own",
    "tests/browser/experiments/live/test_table.py::test_every_difference_has_a_reason",
    "tests/browser/experiments/live/test_requests.py::test_every_path_answers_or_names_what_prevents_it",
    "tests/browser/experiments/live/test_requests.py::test_inspect_prints_the_same_addresses_as_the_table",
)


def pytest_command(launch: Launch) -> list[str]:
    """Returns the command that runs pytest. The launcher's own options are ``--all``, ``--team`` and ``--engine``;
    other arguments are passed to pytest."""
    from argparse import ArgumentParser

    parser = ArgumentParser("./netmodes test", add_help=False, allow_abbrev=False)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--team", action="store_true")
    parser.add_argument("--engine", default="")
    parser.add_argument("-m", dest="marks", default="")
    options, arguments = parser.parse_known_args(launch.arguments)
    marks = [f"({options.marks})"] if options.marks else []
    marks += ["engine"] * bool(options.engine) + ["not slow"] * (not options.all)
    paths = [] if any(word.startswith("tests") for word in arguments) else ENGINE_TESTS
    # As many workers as tests/support/workers.py chooses, unless the user asks for another number or for none. One
    # PostgreSQL serves one process.
    workers = [] if options.team or "no:xdist" in " ".join(arguments) else ["-n", "auto"]
    selection = ["-m", " and ".join(marks)] if marks else []
    cache = ["-o", f"cache_dir={launch.data}/cache/pytest"]
    pytest = [launch.python, "-m", "pytest", *cache, *workers, *selection, *arguments]
    if options.team:
        return [launch.python, "-m", "dashboard.bench.operations.postgres_nats", *pytest, *TEAM_TESTS]
    if options.engine:
        return [launch.python, "-m", "dashboard.bench.operations.chosen_engine", options.engine, *pytest, *paths]
    return pytest


def run_tests(launch: Launch, assets: BrowserAssets) -> int:
    """Runs the tests of the browser's modules, then pytest, so that pytest's last line sums up the run. If the tests of
    the modules passed, pytest replaces this process. Otherwise, returns 1 once pytest has ended."""
    import subprocess

    node = assets.require_node_modules()
    assets.install_libraries()
    os.chdir(launch.root)
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = f"{launch.data}/cache/hypothesis"
    checks = []
    if modules := files("static/dashboard/js", ".js"):
        checks.append([node, "--experimental-vm-modules", "--no-warnings", "tests/js/parse.mjs", *modules])
    if files("tests/js", ".test.mjs"):
        checks.append([node, "--test", "tests/js/**/*.test.mjs"])
    codes = [subprocess.run(check, stdin=subprocess.DEVNULL, check=False).returncode for check in checks]
    command = pytest_command(launch)
    if not any(codes):
        os.execv(command[0], command)
    with subprocess.Popen(command):
        # Ctrl-C reaches pytest too, which cleans up: wait for it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    return 1
