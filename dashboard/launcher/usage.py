"""The names and descriptions of the commands, for ``./netmodes help`` and for the installed command ``netmodes``."""

import os

#: The shell prints this file, because help needs no Python.
PATH = os.path.join(os.path.dirname(__file__), "usage.txt")
#: Commands that exist in a checkout only.
CHECKOUT_ONLY = frozenset({"setup", "bench", "test", "check", "help"})


def text() -> str:
    """Returns the output of ``./netmodes help``."""
    with open(PATH, encoding="utf-8") as file:
        return file.read()


def descriptions() -> dict[str, str]:
    """Returns a mapping from each command's name to the first line of its description, in the order of the help."""
    lines = (line.split(maxsplit=1) for line in text().splitlines() if line.startswith("  ") and line[2].islower())
    return dict(lines)
