"""A Markdown file with TOML in front, and where in it a key stands. The TOML is between two lines ``+++``."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import Any

FENCE = "+++"
_HEADER = re.compile(r"\s*(\[\[?)\s*([A-Za-z0-9_.-]+)\s*\]\]?\s*(#.*)?")
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=")
_AT_LINE = re.compile(r"\s*\(at line (\d+), column \d+\)")


class SourceError(Exception):
    """It cannot be read at all; ``line`` counts from 1, 0 for the whole."""

    def __init__(self, line: int, sentence: str) -> None:
        super().__init__(sentence)
        self.line = line


@dataclass(frozen=True, slots=True)
class Source:
    """TOML that was read: ``values``, its text, and how many lines of the file come before it."""

    values: dict[str, Any]
    text: str
    before: int = 0

    def line(self, *path: str | int) -> int:
        """The line of ``path``: a key, or a table, its number among those of its name, and a key in it.

        Where the key is missing it is the line of its table, and 1 where that is missing too.
        """
        table = str(path[0]) if len(path) > 1 else ""
        number = next((one for one in path if isinstance(one, int)), 0)
        keys = [str(one) for one in (path[1:] if table else path) if isinstance(one, str)]
        found, depth, here, count = 0, -1, "", -1
        for offset, line in enumerate(self.text.splitlines(), start=1):
            header, word = _HEADER.fullmatch(line), _KEY.match(line)
            name = header[2] if header else (word[1] if word else "")
            if header:
                here = name
                count += here == table
            inside = here == table or (bool(table) and here.startswith(f"{table}."))
            at = -1
            if not table:
                at = 0 if name in keys and (header or not here) else -1
            elif name == table and (not here or count == number):
                at = 0
            elif inside and max(count, 0) == number and (last := name.rpartition(".")[2]) in keys:
                at = keys.index(last) + 1
            if at > depth:
                found, depth = self.before + offset, at
        return max(found, 1)


def read_toml(text: str, before: int = 0) -> Source:
    """TOML, or SourceError with the line at fault."""
    try:
        values = tomllib.loads(text.replace("\r\n", "\n"))
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        said = str(error)
        at = _AT_LINE.search(said)
        line = before + int(at[1]) if at else before + len(text.splitlines())
        what = _AT_LINE.sub("", said).replace(" (at end of document)", " at its end")[:200] or "it is nested too deep"
        raise SourceError(max(line, 1), f"this is not TOML: {what}.") from None
    return Source(values, text, before)


def split(text: str) -> tuple[Source, str, int]:
    """The TOML in front, the Markdown behind it, and the line on which that begins."""
    lines = text.replace("\r\n", "\n").split("\n")
    if lines[0].rstrip() != FENCE:
        raise SourceError(1, f"the first line must be {FENCE}: TOML stands between two such lines.")
    end = next((number for number, line in enumerate(lines[1:], start=1) if line.rstrip() == FENCE), None)
    if end is None:
        raise SourceError(1, f"the TOML has no end: put a second line {FENCE} behind it.")
    return read_toml("\n".join(lines[1:end]), 1), "\n".join(lines[end + 1 :]), end + 2
