"""Installs the Python environment in the data folder, from lock files with hashes. Stamp files contain the digests of
the installed lock files.

If the stamps match, a start uses neither pip nor the network. After a change in pyproject.toml or package.json, remake
the lock files with::

    lock='uv pip compile --universal --generate-hashes --python-version 3.12
          --no-emit-index-url --no-annotate --no-header -q --extra oidc --extra pdf --extra team pyproject.toml'
    $lock -o requirements.txt
    $lock --group dev -c requirements.txt -o requirements-dev.txt
    npm install --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved

Run the last command in dashboard/bench/lighthouse, too. Then remove the entries "funding", "license" and "engines" from
the lock file there: ``npm ci`` does not need them.
"""

import hashlib
import os

from dashboard.launcher.console import LauncherError, say
from dashboard.launcher.launch import Launch
from dashboard.launcher.machine import run

#: The lock files by name: run is what Netmodes needs to run, dev adds what tests and checks need.
LOCKS = {
    "run": "requirements.txt",
    "dev": "requirements-dev.txt",
    "node": "package-lock.json",
    "lighthouse": "dashboard/bench/lighthouse/package-lock.json",
}


def digest(root: str, lock: str) -> str:
    """Returns the SHA-256 of a lock file. ``lock`` is its name in LOCKS."""
    with open(f"{root}/{LOCKS[lock]}", "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def holds(path: str, line: str) -> bool:
    """Returns whether the first line of the file ``path`` is ``line``."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.readline().removesuffix("\n") == line
    except OSError:
        return False


def write(path: str, line: str = "") -> None:
    """Writes a file that contains only ``line``, or nothing if it is empty."""
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(f"{line}\n" if line else "")


def remove(*paths: str) -> None:
    """Removes files. Missing ones are ignored."""
    for path in paths:
        if os.path.lexists(path):
            os.unlink(path)


class Environment:
    """The Python environment of one data folder. It cannot be moved, and it needs the interpreter that created it."""

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        self._unfinished = f"{launch.data}/.venv-unfinished"
        self._place = f"{launch.venv}/.place"

    def is_ready(self, lock: str) -> bool:
        """Returns whether all packages of a lock file (``run`` or ``dev``) are installed."""
        return holds(self._stamp(lock), digest(self.launch.root, lock)) and self._is_in_place()

    def require(self, lock: str) -> None:
        """Installs the packages of a lock file (``run`` or ``dev``) unless they are installed."""
        if self.is_ready(lock):
            return
        self.launch.close_data_folder_to_others()
        with self.launch.lock():
            if not self.is_ready(lock):
                self._build(lock)

    def _stamp(self, lock: str) -> str:
        return f"{self.launch.venv}/.stamp-{lock}"

    def _here(self) -> str:
        return f"{self.launch.venv} {os.path.realpath(self.launch.python)}"

    def _is_in_place(self) -> bool:
        return os.access(self.launch.python, os.X_OK) and holds(self._place, self._here())

    def _is_sound(self) -> bool:
        return (
            not os.path.exists(self._unfinished)
            and os.access(self.launch.python, os.X_OK)
            and (not os.path.exists(self._place) or self._is_in_place())
            and run(self.launch.python, "-m", "pip", "--version")
        )

    def _build(self, lock: str) -> None:
        # On top of a finished run set, the dev set only adds packages: the run set stays usable meanwhile.
        if not self.is_ready("run"):
            remove(self._stamp("run"))
        remove(self._stamp("dev"))
        if not self._is_sound():
            self._create()
        write(self._unfinished)
        # The dev lock contains the packages of the run lock in the same versions.
        digests = {name: digest(self.launch.root, name) for name in ("run", lock)}
        self._pip_install(lock)
        write(self._place, self._here())
        for name, value in digests.items():
            write(self._stamp(name), value)
        remove(self._unfinished)

    def _create(self) -> None:
        launch = self.launch
        if os.path.basename(launch.interpreter) == "python":
            # This is the interpreter of the environment, which has to be replaced; the shell looks for another one.
            remove(launch.python)
            os.execv("/bin/sh", ["sh", f"{launch.root}/netmodes", launch.command, *launch.arguments])
        say(f"Creating a Python environment in {launch.venv}")
        write(self._unfinished)
        if os.path.islink(launch.venv):
            remove(launch.venv)  # venv would empty the folder that it leads to
        if not run(launch.interpreter, "-m", "venv", "--clear", launch.venv):
            raise LauncherError(f"{launch.interpreter} could not create {launch.venv}")

    def _pip_install(self, lock: str) -> None:
        path = f"{self.launch.root}/{LOCKS[lock]}"
        with open(path, encoding="utf-8") as file:
            count = sum(line[0].islower() for line in file)
        say(f"Installing {count} Python packages from {LOCKS[lock]}")
        # Hashes bind wheels only: what builds an sdist is downloaded without them. One package of the dev lock, a
        # dependency of blockbuster, has no wheel.
        sources = ["--no-binary", "forbiddenfruit"] if lock == "dev" else []
        if not pip_install(self.launch.python, *sources, "-r", path):
            raise LauncherError("the Python packages could not be installed; run the same command again to retry")


def pip_install(python: str, *arguments: str) -> bool:
    """Installs the wheels that the arguments name, and checks their hashes. Returns whether it succeeded. Modules are
    not compiled: Python does that when it first imports them, and compiling all takes as long as the rest of the
    installation."""
    checked = ("--require-hashes", "--only-binary", ":all:")
    return run(python, "-m", "pip", "install", "-q", "--no-input", "--no-compile", *checked, *arguments)
