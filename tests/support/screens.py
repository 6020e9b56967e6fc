"""A terminal as its user sees it, and local shells to use in it."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from collections.abc import Callable

from dashboard.engine.hosts.shell import HostShell, set_size
from tests.support.polling import until

#: What surrounds the output of a command. The line that is typed shows the sums, the shell their results.
BEGIN, END = "_$((1+1))b_", "_$((40+2))_$?_"
#: A program to interrupt, and what it prints once it runs. An interrupt between fork and exec is lost in any terminal,
#: with bash and with dash: until exec the new process has the shell's handler for SIGINT.
READY_THEN_SLEEP, READY = "sh -c 'echo ready-$((40+2)); exec sleep 1000'", "ready-42"
#: Long, because a shell is slow while other tests use the cores, and waits for no periodic pass that could hide a
#: missed event.
DEADLINE_S = 60.0
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]\r?")


def local_shell(cols: int = 80, rows: int = 24) -> HostShell:
    """A shell on this machine behind a pseudo-terminal, for tests of the layers between shell and window."""
    master, slave = pty.openpty()
    try:
        set_size(master, cols, rows)
        os.set_blocking(master, False)
        process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", "/bin/sh"],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env={"PATH": os.defpath, "PS1": "$ "},
        )
    finally:
        os.close(slave)
    return HostShell(process, master)


class Screen:
    """The output of a shell so far. ``step`` is called repeatedly while a method waits."""

    def __init__(self, shell: HostShell, step: Callable[[], None] = lambda: None) -> None:
        self.shell = shell
        self.text = ""
        self._step = step

    def look(self) -> str:
        """Reads the available output."""
        self._step()
        while data := self.shell.read(65536):
            self.text += data.decode("utf-8", "replace")
        return self.text

    def sees(self, pattern: str, deadline_s: float = DEADLINE_S) -> re.Match[str]:
        """Waits for a match in the output after the previous match; AssertionError with that output if none comes."""
        try:
            match: re.Match[str] = until(lambda: re.search(pattern, self.look()), deadline_s)
        except AssertionError:
            raise AssertionError(f"not seen: {pattern}\n{self.text}") from None
        self.text = self.text[match.end() :]
        return match

    def type(self, text: str) -> None:
        """Types the text in one write."""
        data = text.encode()
        while data:
            data = data[self.shell.write(data) :]

    def run(self, line: str) -> tuple[str, int]:
        """Runs a command; returns its output and exit status."""
        self.type(f"echo {BEGIN}; {line}; echo {END}\r")
        match = self.sees(r"(?s)_2b_\s*?\n(.*?)_42_(\d+)_")
        return _COLOUR.sub("", match[1]).replace("\r\n", "\n"), int(match[2])
