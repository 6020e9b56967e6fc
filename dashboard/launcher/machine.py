"""This machine: its programs, its users, its service manager."""

import os

from dashboard.launcher.console import quote


def has(*programs: str) -> bool:
    """Whether all of these programs are on PATH."""
    folders = os.environ["PATH"].split(":")
    return all(any(_is_program(f"{folder}/{name}") for folder in folders) for name in programs)


def _is_program(path: str) -> bool:
    return os.access(path, os.X_OK) and not os.path.isdir(path)


def is_root() -> bool:
    """Whether the launcher runs as root."""
    return os.geteuid() == 0


def runs_systemd() -> bool:
    """Whether systemd is the service manager that runs (sd_booted(3))."""
    return os.path.isdir("/run/systemd/system")


def line_for_root(line: str) -> str:
    """The line that the user types to run a command as root."""
    if is_root():
        return line
    return f"sudo {line}" if has("sudo") else f"su -c {quote(line)}"


def run(*command: str, cwd: str | None = None, output: int = 2, variables: dict[str, str] | None = None) -> bool:
    """Runs a program without input, its output on standard error or on another descriptor. Returns whether it
    succeeded."""
    import subprocess

    environment = {**os.environ, **(variables or {})}
    done = subprocess.run(
        command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False
    )
    return done.returncode == 0
