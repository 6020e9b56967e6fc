"""Parses Markdown files with TOML front matter between two lines ``+++``, and finds the line of each key."""

import re
import tomllib
from dataclasses import dataclass
from typing import Any

FENCE = "+++"
_HEADER = re.compile(r"\s*(\[\[?)\s*([A-Za-z0-9_.-]+)\s*\]\]?\s*(#.*)?")
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=")
_AT_LINE = re.compile(r"\s*\(at line (\d+), column \d+\)")


class SourceError(Exception):
    """Raised when a file cannot be parsed. ``line`` counts from 1; 0 means the whole file."""

    def __init__(self, line: int, sentence: str) -> None:
        super().__init__(sentence)
        self.line = line


@dataclass(frozen=True, slots=True)
class Source:
    """Parsed TOML: its values and its text. ``before`` is the number of lines before the text in the file."""

    values: dict[str, Any]
    text: str
    before: int = 0

    def line(self, *path: str | int) -> int:
        """Returns the line of the value at ``path``, a sequence of keys and indexes such as ``"check", 2, "kind"``. If
        the key is missing, returns the line of the table; if the table is missing too, returns 1."""
        table = str(path[0]) if len(path) > 1 else ""
        number = next((part for part in path if isinstance(part, int)), 0)
        keys = [part for part in (path[1:] if table else path) if isinstance(part, str)]
        best_line, best_depth, current, count = 0, -1, "", -1
        for offset, line in enumerate(self.text.splitlines(), start=1):
            header, word = _HEADER.fullmatch(line), _KEY.match(line)
            name = header[2] if header else (word[1] if word else "")
            if header:
                current = name
                count += current == table
            inside = current == table or (bool(table) and current.startswith(f"{table}."))
            depth = -1
            if not table:
                depth = 0 if name in keys and (header or not current) else -1
            elif name == table and (not current or count == number):
                depth = 0
            elif inside and max(count, 0) == number and (last := name.rpartition(".")[2]) in keys:
                depth = keys.index(last) + 1
            if depth > best_depth:
                best_line, best_depth = self.before + offset, depth
        return max(best_line, 1)


def read_toml(text: str, before: int = 0) -> Source:
    """Parses TOML. Raises SourceError with the line of the error. ``before`` is the number of lines before the text in
    its file."""
    try:
        values = tomllib.loads(text.replace("\r\n", "\n"))
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        message = str(error)
        position = _AT_LINE.search(message)
        line = before + int(position[1]) if position else before + len(text.splitlines())
        reason = _AT_LINE.sub("", message).replace(" (at end of document)", " at its end")[:200]
        raise SourceError(max(line, 1), f"this is not valid TOML: {reason or 'it is nested too deep'}.") from None
    return Source(values, text, before)


def split(text: str) -> tuple[Source, str, int]:
    """Returns the parsed TOML, the Markdown after it, and the line number at which the Markdown starts. Raises
    SourceError if the front matter is missing or invalid."""
    lines = text.replace("\r\n", "\n").split("\n")
    if lines[0].rstrip() != FENCE:
        raise SourceError(1, f"the first line must be {FENCE}: put the TOML between two such lines.")
    end = next((number for number, line in enumerate(lines[1:], start=1) if line.rstrip() == FENCE), None)
    if end is None:
        raise SourceError(1, f"the TOML has no end: put a second line {FENCE} after it.")
    return read_toml("\n".join(lines[1:end]), 1), "\n".join(lines[end + 1 :]), end + 2
