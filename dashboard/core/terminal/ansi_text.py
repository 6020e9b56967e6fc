"""What a terminal has shown, as lines of text: for reading a recording without a terminal.

Lines are edited as a shell edits its own (back, forward, insert, delete, erase); programs that take the whole screen
are left out. Source: ECMA-48, xterm's control sequences.
"""

from __future__ import annotations

import re

LONGEST_LINE = 2000
LEFT_OUT = "[a program that takes the whole screen]"
_TAB = 8
_TOKEN = re.compile(
    r"(?P<osc>\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?)"
    r"|(?P<string>\x1b[PX^_][^\x1b]*(?:\x1b\\)?)"
    r"|\x1b\[(?P<parameters>[0-?]*)[ -/]*(?P<final>[@-~])"
    r"|(?P<escape>\x1b[ -/]*[0-~]?)"
    r"|(?P<control>[\x00-\x1f\x7f-\x9f])"
    r"|(?P<text>[^\x00-\x1f\x7f-\x9f]+)"
)
_MARK = re.compile(rb"\x1b\[8;\d{1,4};(\d{1,4})t")
_SCREENS = {"?1049", "?1047", "?47"}


class _Line:
    """One line and the place of the cursor in it. In a window it may take several rows; ``start`` is where the cursor's
    begins. ``width`` 0: nobody knows."""

    def __init__(self, width: int) -> None:
        self.cells: list[str] = []
        self.at = self.start = 0
        self.width = width

    def put(self, text: str) -> None:
        for letter in text:
            if self.at >= LONGEST_LINE:
                return
            if self.width and self.at - self.start >= self.width:
                self.start += self.width
            self._reach()
            self.cells[self.at : self.at + 1] = [letter]
            self.at += 1

    def _reach(self) -> None:
        if len(self.cells) < self.at:
            self.cells += [" "] * (self.at - len(self.cells))

    def go(self, place: int) -> None:
        """To a place in the cursor's row."""
        self.at = self.start + min(max(place, 0), LONGEST_LINE)

    def up(self) -> None:
        """To the row above, if the line has one."""
        if self.start:
            self.start -= self.width
            self.at -= self.width

    def erase(self, what: int) -> None:
        if what == 0:
            del self.cells[self.at :]
        elif what == 1:
            self.cells[: self.at + 1] = [" "] * min(self.at + 1, len(self.cells))
        else:
            self.cells.clear()

    def insert(self, count: int) -> None:
        self._reach()
        self.cells[self.at : self.at] = [" "] * count
        del self.cells[LONGEST_LINE:]

    def delete(self, count: int) -> None:
        del self.cells[self.at : self.at + count]

    def text(self) -> str:
        return "".join(self.cells).rstrip()


def size_mark(cols: int, rows: int) -> bytes:
    """What stands in a recording where the window has this size from now on (XTWINOPS 8)."""
    return b"\x1b[8;%d;%dt" % (rows, cols)


def width_after(data: bytes, width: int) -> int:
    """The last width that was marked; the one before where none was."""
    found = _MARK.findall(data)
    return int(found[-1]) if found else width


def plain_text(data: bytes, width: int = 0) -> str:
    """The lines, each ended; what is not UTF-8 is replaced. ``width`` of the window until another is marked, 0 if that
    is not known: then no line is taken to go on in the next row."""
    lines: list[str] = []
    line = _Line(width)
    apart = False  # a program has the whole screen
    for found in _TOKEN.finditer(data.decode("utf-8", "replace")):
        kind = found.lastgroup
        if kind == "final":
            final, parameters = found["final"], found["parameters"]
            if final in "hl" and parameters in _SCREENS:
                if final == "h" and not apart:
                    lines += [*([line.text()] if line.cells else []), LEFT_OUT]
                    line = _Line(width)
                apart = final == "h"
            elif final == "t":
                line.width = width = width_after(found[0].encode(), width)
            elif not apart:
                _edit(line, final, parameters)
        elif apart:
            continue
        elif kind == "text":
            line.put(found["text"])
        elif kind == "control":
            match found["control"]:
                case "\n":
                    lines.append(line.text())
                    line = _Line(width)
                case "\r":
                    line.go(0)
                case "\b":
                    line.go(line.at - line.start - 1)
                case "\t":
                    line.go(((line.at - line.start) // _TAB + 1) * _TAB)
    if line.cells:
        lines.append(line.text())
    return "".join(f"{one}\n" for one in lines)


def _edit(line: _Line, final: str, parameters: str) -> None:
    first = parameters.partition(";")[0]
    number = min(int(first), LONGEST_LINE) if first.isascii() and first.isdigit() and len(first) < 6 else 0
    count = max(1, number)
    match final:
        case "C":
            line.go(line.at - line.start + count)
        case "D":
            line.go(line.at - line.start - count)
        case "A":
            for _ in range(count):
                line.up()
        case "G":
            line.go(count - 1)
        case "K":
            line.erase(number)
        case "P":
            line.delete(count)
        case "@":
            line.insert(count)
        case "X":
            here = line.at
            line.cells[here : here + count] = [" "] * len(line.cells[here : here + count])
