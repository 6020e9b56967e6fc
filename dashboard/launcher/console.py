"""Messages for the user. They go to standard error: standard output belongs to the command."""

from __future__ import annotations

import sys

_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:=@%+,-")


class LauncherError(Exception):
    """Ends the launcher. ``str()`` is the message for the user, without the prefix ``netmodes:``."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def say(message: str) -> None:
    """Prints a message."""
    sys.stderr.write(f"{message}\n")
    sys.stderr.flush()


def quote(*words: str) -> str:
    """The words as one line that can be pasted into a shell."""
    return " ".join(
        word if word and _PLAIN.issuperset(word) else "'" + word.replace("'", "'\\''") + "'" for word in words
    )
