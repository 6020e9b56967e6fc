"""Reads facts about this machine (programs, user, service manager), and runs programs."""

import os

from dashboard.launcher.console import quote


def has(*programs: str) -> bool:
    """Returns whether all of these programs are on PATH."""
    folders = os.environ["PATH"].split(":")
    return all(any(_is_program(f"{folder}/{name}") for folder in folders) for name in programs)


def _is_program(path: str) -> bool:
    return os.access(path, os.X_OK) and not os.path.isdir(path)


def is_root() -> bool:
    """Returns whether the launcher runs as root."""
    return os.geteuid() == 0


def runs_systemd() -> bool:
    """Returns whether systemd is the running service manager (sd_booted(3))."""
    return os.path.isdir("/run/systemd/system")


def line_for_root(line: str) -> str:
    """Returns the line that the user types to run the command ``line`` as root."""
    if is_root():
        return line
    return f"sudo {line}" if has("sudo") else f"su -c {quote(line)}"


def run(*command: str, cwd: str | None = None, output: int = 2, variables: dict[str, str] | None = None) -> bool:
    """Runs a program without input, and returns whether it succeeded. Its output goes to the descriptor ``output``, by
    default standard error. ``variables`` are added to the environment."""
    import subprocess

    environment = {**os.environ, **(variables or {})}
    done = subprocess.run(
        command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False
    )
    return done.returncode == 0
