"""The command lines of claims: mutated, filled in, and as a person types them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from dashboard.core.modes import MACHINE

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
#: What only the lab image has: its own settings, and busybox's web server.
_NEEDS_LAB_IMAGE = re.compile(r"NETMODES_|\bhttpd\b|\busleep\b")


def mutate(text: str, mutation: Mapping[str, str]) -> str:
    """``text`` with all words of the mutation replaced at once, so that two words can be swapped."""
    if not mutation:
        return text
    words = "|".join(re.escape(word) for word in sorted(mutation, key=len, reverse=True))
    return re.sub(words, lambda match: mutation[match[0]], text)


def fill(text: str, names: Mapping[str, str]) -> str:
    """``{name}`` replaced by its value; KeyError for an unknown name."""
    return _PLACEHOLDER.sub(lambda match: names[match[1]], text)


def show_line(line: str) -> str:
    """A line as it is typed: with the workshop's image, or the lab image if the line needs it."""
    image = "netmodes-lab:1" if _NEEDS_LAB_IMAGE.search(line) else "nginx"
    return _PLACEHOLDER.sub(lambda m: "MACHINE" if m[1] == MACHINE else m[1], line.replace("IMAGE", image))
