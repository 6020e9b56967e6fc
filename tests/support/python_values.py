"""Finds Python values in texts for people: None, True, lists, tuples and dictionaries as repr() writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable

#: Brackets are fine around an IPv6 address, an inode (``net:[4026531840]``) and in a program's own output.
_VALUE = re.compile(
    r"\b(None|True|False)\b|\[\]|\{\}|\(\)|\[['\"]|\{['\"]|\(['\"][^()]*['\"],|<[\w.]+ object|\w+\((\w+=|'|\d)"
)


def python_values(texts: Iterable[str]) -> list[str]:
    """The texts that contain a Python value."""
    return [text for text in texts if _VALUE.search(text)]
