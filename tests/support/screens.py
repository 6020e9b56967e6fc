"""A terminal from the side of who sits at it, and shells to sit at."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from collections.abc import Callable

from dashboard.engine.hosts.shell import HostShell, set_size
from tests.support.polling import DEADLINE_S, until

#: What surrounds the output of a command. The line that is typed shows the sums, the shell their results.
BEGIN, END = "_$((1+1))b_", "_$((40+2))_$?_"
#: A program to interrupt, and what it prints once it runs. An interrupt between fork and exec is lost in any terminal,
#: with bash and with dash: until exec the new process has the shell's handler for SIGINT.
READY_THEN_SLEEP, READY = "sh -c 'echo ready-$((40+2)); exec sleep 1000'", "ready-42"
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]\r?")


def local_shell(cols: int = 80, rows: int = 24) -> HostShell:
    """A shell of this machine behind a terminal's device, for tests of what is between shell and window."""
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
    """What a shell has printed so far. ``step`` is called while it is waited for something."""

    def __init__(self, shell: HostShell, step: Callable[[], None] = lambda: None) -> None:
        self.shell = shell
        self.text = ""
        self._step = step

    def look(self) -> str:
        """Reads what is there."""
        self._step()
        while data := self.shell.read(65536):
            self.text += data.decode("utf-8", "replace")
        return self.text

    def sees(self, pattern: str, deadline_s: float = DEADLINE_S) -> re.Match[str]:
        """The first match of a pattern in what was printed since the last; AssertionError with all of it."""
        try:
            found: re.Match[str] = until(lambda: re.search(pattern, self.look()), deadline_s)
        except AssertionError:
            raise AssertionError(f"not seen: {pattern}\n{self.text}") from None
        self.text = self.text[found.end() :]
        return found

    def type(self, text: str) -> None:
        """Types it, all at once."""
        data = text.encode()
        while data:
            data = data[self.shell.write(data) :]

    def run(self, line: str) -> tuple[str, int]:
        """What a command printed, and its exit status."""
        self.type(f"echo {BEGIN}; {line}; echo {END}\r")
        found = self.sees(r"(?s)_2b_\s*?\n(.*?)_42_(\d+)_")
        return _COLOUR.sub("", found[1]).replace("\r\n", "\n"), int(found[2])
