"""Small helpers of ``boot``: files, and programs that it runs."""

import os
import sys


def copy(source: str, target: str) -> None:
    """Copies the content of a file."""
    with open(source, "rb") as file, open(target, "wb") as copy:
        copy.write(file.read())


def write(path: str, text: str) -> None:
    """Writes a file."""
    with open(path, "w") as file:
        file.write(text)


def read_lines(path: str) -> list[str]:
    """The lines of a file; none if it is missing."""
    try:
        with open(path) as file:
            return file.read().splitlines()
    except FileNotFoundError:
        return []


def run_program(command: list[str], variables: dict[str, str] | None = None) -> None:
    """Runs a program. If it fails, this process ends: the program has printed why."""
    child = os.posix_spawnp(command[0], command, {**os.environ, **(variables or {})})
    if os.waitpid(child, 0)[1]:
        sys.exit(1)
