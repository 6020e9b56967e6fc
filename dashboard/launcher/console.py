"""Prints messages for the user to standard error, because standard output belongs to the command."""

import sys


class LauncherError(Exception):
    """Ends the launcher with ``exit_code``. ``str()`` is the message for the user, without the prefix ``netmodes:``."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def say(message: str) -> None:
    """Prints a message and a line break."""
    sys.stderr.write(f"{message}\n")
    sys.stderr.flush()


def is_plain(word: str, marks: str) -> bool:
    """Returns whether ``word`` consists only of ASCII letters, digits and the characters in ``marks``."""
    return all(char.isascii() and (char.isalnum() or char in marks) for char in word)


def quote(*words: str) -> str:
    """Joins the words to one line that can be pasted into a shell."""
    plain = {word: word for word in words if word and is_plain(word, "_./:=@%+,-")}
    return " ".join(plain.get(word, "'" + word.replace("'", "'\\''") + "'") for word in words)
