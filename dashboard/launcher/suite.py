"""``./netmodes test``: the tests of the browser's modules, then pytest."""

from __future__ import annotations

import os
import signal

from dashboard.launcher.browser_assets import BrowserAssets
from dashboard.launcher.checks import files
from dashboard.launcher.launch import Launch

#: The tests that run again on PostgreSQL and Redis, in place of SQLite and memory.
TEAM_TESTS = ("tests/web", "tests/lab", "tests/store")
#: The tests of ``--engine`` unless paths are given: engine, lab, claims, and one page.
ENGINE_TESTS = (
    "tests/engine",
    "tests/lab",
    "tests/netns",
    "tests/management/test_claims.py",
    "tests/browser/experiments/test_live.py",
)


def take_option(arguments: list[str], option: str) -> tuple[str, list[str]]:
    """The value of an option (``--x VALUE`` or ``--x=VALUE``), empty if it is absent, and the other arguments."""
    value, others = "", []
    words = iter(arguments)
    for word in words:
        if word == option:
            value = next(words, "")
        elif word.startswith(f"{option}="):
            value = word.removeprefix(f"{option}=")
        else:
            others.append(word)
    return value, others


def deselect_slow(arguments: list[str]) -> list[str]:
    """The arguments for pytest with tests marked slow deselected, in addition to what ``-m`` selects."""
    selected, others = "", []
    words = iter(arguments)
    for word in words:
        if word == "-m":
            selected = next(words, "")
        elif word.startswith("-m"):
            selected = word.removeprefix("-m").removeprefix("=")
        else:
            others.append(word)
    return ["-m", f"({selected}) and not slow" if selected else "not slow", *others]


def pytest_command(launch: Launch) -> list[str]:
    """The command that runs pytest; arguments other than ``--all``, ``--team`` and ``--engine`` are passed on."""
    engine, words = take_option(launch.arguments, "--engine")
    arguments = [word for word in words if word not in {"--all", "--team"}]
    paths = [] if any(word.startswith("tests") for word in arguments) else ENGINE_TESTS
    team = "--team" in launch.arguments
    # A worker for each core, unless the user asks for another number or for none. One Redis serves one process.
    workers = [] if team or "no:xdist" in " ".join(arguments) else ["-n", "auto"]
    if "--all" not in launch.arguments:
        arguments = deselect_slow(arguments)
    pytest = [launch.python, "-m", "pytest", "-o", f"cache_dir={launch.data}/cache/pytest", *workers, *arguments]
    if team:
        return [launch.python, "-m", "dashboard.bench.operations.postgres_redis", *pytest, *TEAM_TESTS]
    if engine:
        return [launch.python, "-m", "dashboard.bench.operations.chosen_engine", engine, *pytest, *paths]
    return pytest


def run_tests(launch: Launch, assets: BrowserAssets) -> int:
    """Runs the tests. Returns 1 if those of the browser's modules failed; otherwise pytest takes the place of this
    process. pytest comes last: its closing line sums up the run."""
    import subprocess

    node = assets.require_node_modules()
    assets.install_libraries()
    os.chdir(launch.root)
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = f"{launch.data}/cache/hypothesis"
    checks = [[node, "--check", module] for module in files("static/dashboard/js", ".js")]
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
