"""Runs ``./netmodes check``: format, lint, types, import contracts, shell scripts and templates."""

import os
import sys

from dashboard.launcher.launch import Launch


def files(folder: str, *suffixes: str) -> list[str]:
    """Returns the files below ``folder`` whose names end with one of these suffixes, except those in ./var and
    ./.git."""
    found = []
    for path, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if f"{path}/{name}" not in {"./var", "./.git"}]
        found += [f"{path}/{name}" for name in names if name.endswith(suffixes)]
    return sorted(found)


def tools(launch: Launch) -> dict[str, list[str]]:
    """Returns the command of each check by the name of the check."""
    programs, cache = f"{launch.venv}/bin", f"{launch.data}/cache"
    ruff = f"{programs}/ruff"
    scripts = ["./netmodes", *(path for path in ("./.ci/run",) if os.path.exists(path)), *files(".", ".sh")]
    return {
        "ruff format": [ruff, "format", "--check", "--cache-dir", f"{cache}/ruff", "."],
        "ruff check": [ruff, "check", "--cache-dir", f"{cache}/ruff", "."],
        "mypy": [launch.python, "-m", "mypy", "--cache-dir", f"{cache}/mypy"],
        "import contracts": [f"{programs}/lint-imports", "--cache-dir", f"{cache}/imports"],
        "shellcheck": [f"{programs}/shellcheck", *scripts],
        "djade": [f"{programs}/djade", "--check", "--target-version", "6.1", *files("templates", ".html")],
    }


def run_checks(launch: Launch) -> int:
    """Runs all checks at the same time. Prints a line for each, and the output of those that failed. Returns the exit
    code: 0 if all passed, otherwise 1."""
    import subprocess
    from concurrent.futures import ThreadPoolExecutor

    def run(command: list[str]) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )

    os.chdir(launch.root)
    failed = False
    commands = tools(launch)
    with ThreadPoolExecutor(len(commands)) as pool:
        for name, done in zip(commands, pool.map(run, commands.values()), strict=True):
            if done.returncode != 0:
                failed = True
                sys.stdout.buffer.write(done.stdout)
            sys.stdout.write(f"{'ok' if done.returncode == 0 else 'failed':<7} {name}\n")
            sys.stdout.flush()
    return int(failed)
