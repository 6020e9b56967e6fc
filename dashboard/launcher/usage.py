"""The commands and their descriptions, for ``./netmodes help`` and for the installed ``netmodes``."""

import os

#: The shell prints this file, because help needs no Python.
PATH = os.path.join(os.path.dirname(__file__), "usage.txt")
#: Commands that exist in a checkout only.
CHECKOUT_ONLY = frozenset({"setup", "bench", "test", "check", "help"})


def text() -> str:
    """The output of ``./netmodes help``."""
    with open(PATH, encoding="utf-8") as file:
        return file.read()


def descriptions() -> dict[str, str]:
    """The first line of each command's description, in the order in which help lists them."""
    lines = (line.split(maxsplit=1) for line in text().splitlines() if line.startswith("  ") and line[2].islower())
    return dict(lines)
