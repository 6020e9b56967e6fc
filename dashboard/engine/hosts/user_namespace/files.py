"""Helpers of ``boot`` that read and write files and run programs."""

import os
import sys


def copy(source: str, target: str) -> None:
    """Copies the content of the file ``source`` to ``target``."""
    with open(source, "rb") as file, open(target, "wb") as copy:
        copy.write(file.read())


def write(path: str, text: str) -> None:
    """Replaces the content of a file with ``text``."""
    with open(path, "w") as file:
        file.write(text)


def read_lines(path: str) -> list[str]:
    """Returns the lines of a file; an empty list if it is missing."""
    try:
        with open(path) as file:
            return file.read().splitlines()
    except FileNotFoundError:
        return []


def run_program(command: list[str], text: str = "", *, is_required: bool = True) -> None:
    """Runs a program with the input ``text`` and waits for its end. ``text`` must be shorter than a pipe's buffer. If
    the program is required and fails or is missing, this process exits with status 1 after a message."""
    reader, writer = os.pipe()
    os.write(writer, text.encode())
    os.close(writer)
    failure = ""
    try:
        child = os.posix_spawnp(command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, reader, 0)])
        failed = bool(os.waitpid(child, 0)[1])
    except FileNotFoundError:
        failed, failure = True, f"{command[0]} is missing.\n"
    os.close(reader)
    if failed and is_required:
        sys.stderr.write(failure)  # the program has printed its own
        sys.exit(1)
