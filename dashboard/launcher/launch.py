"""One start of the launcher: the checkout, the data folder and the user's arguments."""

import io
import os

from dashboard.launcher.console import LauncherError, say
from dashboard.launcher.machine import command_for_root, is_root


class Launch:
    """One start of the launcher. ``root`` is the folder of the checkout. ``script`` is the path of ``./netmodes`` as
    the user typed it. ``words`` are the command and its arguments. ``interpreter`` is the Python that runs the
    launcher: that of the environment, or one that can create the environment."""

    def __init__(self, root: str, script: str, interpreter: str, words: list[str]) -> None:
        self.root = root
        self.script = script
        self.interpreter = interpreter
        self.command, *self.arguments = words
        #: Whether the command only prints its help.
        self.asks_for_help = not {"-h", "--help"}.isdisjoint(self.arguments)
        self.data = os.path.realpath(os.environ.get("NETMODES_DATA_DIR") or f"{root}/var")
        #: The Python environment, and its interpreter.
        self.venv = f"{self.data}/venv"
        self.python = f"{self.venv}/bin/python"

    def require_root(self, reason: str) -> None:
        """If the user is not root, raises LauncherError with the command line to type instead. ``reason`` states why
        the command needs root."""
        if is_root():
            return
        raise LauncherError(f"{self.command} needs root: {reason}\nType:\n\n{self._line_for_root()}")

    def _line_for_root(self) -> str:
        return command_for_root(self.script, self.command, *self.arguments)

    def open_data_folder(self) -> None:
        """Creates the data folder unless it exists, and exports its path as NETMODES_DATA_DIR. Raises LauncherError if
        the folder cannot be used."""
        hint = "set NETMODES_DATA_DIR to a folder that you can write to"
        try:
            os.makedirs(self.data, mode=0o700, exist_ok=True)
        except OSError:
            raise LauncherError(f"cannot create {self.data}: {hint}") from None
        as_root = "" if is_root() else f"\nor type:\n\n{self._line_for_root()}"
        if not os.access(self.data, os.X_OK):
            raise LauncherError(f"cannot enter {self.data}: {hint}{as_root}")
        if not os.access(self.data, os.W_OK):
            raise LauncherError(f"cannot write to {self.data}: {hint}{as_root}")
        os.environ["NETMODES_DATA_DIR"] = self.data
        # With this prefix no bytecode is written beside the sources. Without bytecode, each start would compile every
        # module again.
        os.environ["PYTHONPYCACHEPREFIX"] = f"{self.data}/pycache"
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

    def close_data_folder_to_others(self) -> None:
        """Restricts access to the data folder to its owner. A folder that the user chose and that already contains
        files is left unchanged."""
        if self.data == f"{self.root}/var" or not os.listdir(self.data):
            try:
                os.chmod(self.data, 0o700)
            except PermissionError:
                return

    def lock(self) -> io.TextIOWrapper:
        """Waits until no other launcher prepares the same data folder, and returns the locked file. The lock is held
        until the file is closed or this process ends. Programs that this process starts do not inherit it."""
        import fcntl

        file = open(f"{self.data}/.lock", "w", encoding="ascii")  # noqa: SIM115 - the caller closes it
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"Waiting for another netmodes that is preparing {self.data}")
            fcntl.flock(file, fcntl.LOCK_EX)
        return file
