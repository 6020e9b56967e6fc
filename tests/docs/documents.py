"""Parses the documents for tests: pages, fenced blocks with the mark before them, links, headings.

A ``console`` block is run line by line, unless the line before it is ``<!-- not run: WHY -->``. A ``text`` block
after ``<!-- it prints -->`` is the output of the line before it: numbers may differ, and a line ``…`` stands for lines
that are left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"<!-- (not run: [^\n]+|it prints) -->\n\Z")
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
_LINK = re.compile(r"!?\[(?:[^\]\\]|\\.)*\]\(([^)\s]+)\)")
PRINTS = "it prints"


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, its text, and the mark in the line before it."""

    page: str
    line: int
    language: str
    text: str
    mark: str

    @property
    def lines(self) -> list[str]:
        """The commands of a console block, without comments and empty lines, with continued lines joined."""
        joined = self.text.replace("\\\n", " ")
        stripped = (re.sub(r"\s{2,}# .*|^# .*", "", line).strip() for line in joined.splitlines())
        return [line for line in stripped if line]

    @property
    def is_run(self) -> bool:
        """Whether the tests run the commands of the block."""
        return self.language == "console" and not self.mark.startswith("not run")


def pages() -> dict[str, str]:
    """Every document by its path."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "vagrant").glob("*.md")]
    return {str(path.relative_to(ROOT)): path.read_text() for path in sorted(found)}


def blocks(page: str, text: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found = []
    for one in _FENCE.finditer(text):
        mark = _MARK.search(text, 0, one.start())
        line = text.count("\n", 0, one.start()) + 1
        found.append(Block(page, line, one[1], one[2], mark[1] if mark else ""))
    return found


def without_blocks(text: str) -> str:
    """The text between fenced and indented blocks."""
    return re.sub(r"^ {4}.*$", "", _FENCE.sub("", text), flags=re.MULTILINE)


def links(text: str) -> list[str]:
    """The link targets in the text of a page."""
    return _LINK.findall(re.sub(r"`[^`\n]+`", "", without_blocks(text)))


def anchors(text: str) -> set[str]:
    """The anchors of the headings, as GitHub builds them: lower-case letters, hyphens for spaces, no
    punctuation."""
    found: set[str] = set()
    for heading in _HEADING.findall(_FENCE.sub("", text)):
        said = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        name = re.sub(r"[^\w\- ]", "", said).replace(" ", "-")
        number, first = 0, name
        while name in found:
            number += 1
            name = f"{first}-{number}"
        found.add(name)
    return found
