"""Converts terminal output to lines of text, so that a recording can be read without a terminal.

Interprets the control sequences with which a shell edits its line (move, insert, delete, erase). The output of
full-screen programs is left out. Source: ECMA-48, xterm's control sequences.
"""

import re

MAX_LINE = 2000
FULL_SCREEN = "[full-screen program]"
_TAB = 8
_TOKEN = re.compile(
    r"(?P<osc>\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?)"
    r"|(?P<string>\x1b[PX^_][^\x1b]*(?:\x1b\\)?)"
    r"|\x1b\[(?P<parameters>[0-?]*)[ -/]*(?P<final>[@-~])"
    r"|(?P<escape>\x1b[ -/]*[0-~]?)"
    r"|(?P<control>[\x00-\x1f\x7f-\x9f])"
    r"|(?P<text>[^\x00-\x1f\x7f-\x9f]+)"
)
_SIZE_MARK = re.compile(rb"\x1b\[8;\d{1,4};(\d{1,4})t")
_ALTERNATE_SCREENS = {"?1049", "?1047", "?47"}


class _Line:
    """A line of output with its cursor. A line longer than ``width`` wraps into several rows; ``start`` is the position
    at which the cursor's row begins. If ``width`` is 0, the width is unknown and the line does not wrap."""

    def __init__(self, width: int) -> None:
        self.cells: list[str] = []
        self.cursor = self.start = 0
        self.width = width

    def put(self, text: str) -> None:
        for character in text:
            if self.cursor >= MAX_LINE:
                return
            if self.width and self.cursor - self.start >= self.width:
                self.start += self.width
            self._pad()
            self.cells[self.cursor : self.cursor + 1] = [character]
            self.cursor += 1

    def _pad(self) -> None:
        if len(self.cells) < self.cursor:
            self.cells += [" "] * (self.cursor - len(self.cells))

    def go(self, column: int) -> None:
        """Moves the cursor to this column of its row."""
        self.cursor = self.start + min(max(column, 0), MAX_LINE)

    def up(self) -> None:
        """Moves the cursor up by one row, unless it is in the first row of the line."""
        if self.start:
            self.start -= self.width
            self.cursor -= self.width

    def erase(self, what: int) -> None:
        if what == 0:
            del self.cells[self.cursor :]
        elif what == 1:
            self.cells[: self.cursor + 1] = [" "] * min(self.cursor + 1, len(self.cells))
        else:
            self.cells.clear()

    def insert(self, count: int) -> None:
        self._pad()
        self.cells[self.cursor : self.cursor] = [" "] * count
        del self.cells[MAX_LINE:]

    def delete(self, count: int) -> None:
        del self.cells[self.cursor : self.cursor + count]

    def text(self) -> str:
        return "".join(self.cells).rstrip()


def size_mark(cols: int, rows: int) -> bytes:
    """Returns the control sequence that marks a new window size in a recording (XTWINOPS 8)."""
    return b"\x1b[8;%d;%dt" % (rows, cols)


def width_after(data: bytes, width: int) -> int:
    """Returns the window width that the last size mark in ``data`` states; ``width`` if there is no mark."""
    widths = _SIZE_MARK.findall(data)
    return int(widths[-1]) if widths else width


def plain_text(data: bytes, width: int = 0) -> str:
    """Returns the output as lines of text, each with a newline. Invalid UTF-8 is replaced. ``width`` is the width of
    the window until a size mark changes it; if it is 0, lines do not wrap."""
    lines: list[str] = []
    line = _Line(width)
    full_screen = False
    for token in _TOKEN.finditer(data.decode("utf-8", "replace")):
        kind = token.lastgroup
        if kind == "final":
            final, parameters = token["final"], token["parameters"]
            if final in "hl" and parameters in _ALTERNATE_SCREENS:
                if final == "h" and not full_screen:
                    lines += [*([line.text()] if line.cells else []), FULL_SCREEN]
                    line = _Line(width)
                full_screen = final == "h"
            elif final == "t":
                line.width = width = width_after(token[0].encode(), width)
            elif not full_screen:
                _edit(line, final, parameters)
        elif full_screen:
            continue
        elif kind == "text":
            line.put(token["text"])
        elif kind == "control":
            match token["control"]:
                case "\n":
                    lines.append(line.text())
                    line = _Line(width)
                case "\r":
                    line.go(0)
                case "\b":
                    line.go(line.cursor - line.start - 1)
                case "\t":
                    line.go(((line.cursor - line.start) // _TAB + 1) * _TAB)
    if line.cells:
        lines.append(line.text())
    return "".join(f"{text}\n" for text in lines)


def _edit(line: _Line, final: str, parameters: str) -> None:
    first = parameters.partition(";")[0]
    number = min(int(first), MAX_LINE) if first.isascii() and first.isdigit() and len(first) < 6 else 0
    count = max(1, number)
    match final:
        case "C":
            line.go(line.cursor - line.start + count)
        case "D":
            line.go(line.cursor - line.start - count)
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
            here = line.cursor
            line.cells[here : here + count] = [" "] * len(line.cells[here : here + count])
