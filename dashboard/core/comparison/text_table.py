"""Formats a comparison and the results of the doctor as plain text for a terminal."""

import textwrap
from collections.abc import Sequence

from dashboard.core.comparison.rows import SECTIONS
from dashboard.core.experiments.messages import ArmStatus, Comparison, Doctor, ModeReport, Relation, Row

SYMBOLS = {Relation.SAME: "=", Relation.DIFFERS: "≠", Relation.ONLY: "◐", Relation.UNKNOWN: "?"}
LABEL_WIDTH = 30
#: What is printed in place of other characters that an output cannot encode: signs and quotation marks.
_ASCII = {"≠": "!", "◐": "+", "✓": "=", "…": "...", "“": '"', "”": '"', "→": "->", "µ": "u"}


def printable(text: str) -> str:
    """Replaces characters that cannot be printed, so that the output of a container cannot control the terminal. Line
    breaks are kept."""
    return "".join(char if char.isprintable() or char == "\n" else "�" for char in text)


def to_ascii(text: str) -> str:
    """Returns the text in ASCII. The relations of rows become ``=``, ``!`` and ``+``; a character without a replacement
    becomes ``?``."""
    return "".join(char if char.isascii() else _ASCII.get(char, "?") for char in text)


def _cell(row: Row, column: str, width: int) -> list[str]:
    text = row.cells[column]
    if text is None:
        text = f"({row.absent.get(column, 'none')})"
    lines: list[str] = []
    for line in printable(text).splitlines() or [""]:
        lines += textwrap.wrap(line, width) or [""]
    return lines


def _line(label: Sequence[str], cells: Sequence[Sequence[str]], width: int) -> list[str]:
    height = max(len(label), *(len(cell) for cell in cells), 1)
    lines = []
    for number in range(height):
        parts = [(label[number] if number < len(label) else "").ljust(LABEL_WIDTH)]
        parts += [(cell[number] if number < len(cell) else "").ljust(width) for cell in cells]
        lines.append("  ".join(parts).rstrip())
    return lines


def comparison_text(comparison: Comparison, width: int = 120, *, show_all: bool = False) -> str:
    """Returns the comparison as text for a terminal of ``width`` characters. The titles of the columns come first, with
    their commands, warnings, errors and last log lines. The rows follow, each with the reason of its difference below.
    Rows that are the same in all columns are listed only if ``show_all`` is true."""
    width = max(width, LABEL_WIDTH)
    columns = comparison.columns
    room = max(16, (width - LABEL_WIDTH) // max(1, len(columns)) - 2)
    lines = _line([""], [textwrap.wrap(column.title, room) for column in columns], room)
    for column in columns:
        if column.setup:
            lines.append(f"{column.title}: {printable(column.setup)}")
        if column.command:
            lines.append(f"{column.title}: {printable(column.command)}")
        lines += [f"{column.title}: the Engine warns: {printable(warning)}" for warning in column.warnings]
        if column.error:
            lines.append(f"{column.title}: {column.status}: {printable(column.error)}")
        elif column.status is ArmStatus.EXITED:
            lines.append(f"{column.title}: exited with code {column.exit_code}")
        lines += [f"{column.title}:   {printable(line)}" for line in column.logs[-5:]]
    hidden = 0
    for section in SECTIONS:
        rows = [row for row in comparison.rows if row.section == section.key]
        shown = [row for row in rows if show_all or row.relation is not Relation.SAME]
        hidden += len(rows) - len(shown)
        if shown:
            lines += ["", section.title]
        for row in shown:
            label = textwrap.wrap(f"{SYMBOLS[row.relation]} {printable(row.label)}", LABEL_WIDTH)
            lines += _line(label, [_cell(row, column.key, room) for column in columns], room)
            lines += textwrap.wrap(row.why, width - 4, initial_indent="    ", subsequent_indent="    ")
    if hidden:
        lines += ["", f"{hidden} rows are the same in all columns."]
    text = printable("\n".join(lines))
    return "\n".join(line.rstrip() for line in text.split("\n"))


def doctor_text(doctor: Doctor) -> str:
    """Returns the results of the doctor as text: a line for each mode, then a line for each check. Modes that are not
    available for the same reason share a line."""
    reports: dict[str, list[ModeReport]] = {}
    for mode in doctor.modes:
        reports.setdefault(mode.reason or mode.mode, []).append(mode)
    modes = [
        f"{'yes' if same[0].available else 'no ':3}  {', '.join(one.mode for one in same):12}  "
        f"{printable(same[0].reason or same[0].note)}"
        for same in reports.values()
    ]
    width = max(12, *(len(check.name) for check in doctor.checks))
    checks = [f"{'good' if one.ok else 'bad ':4}  {one.name:{width}}  {printable(one.detail)}" for one in doctor.checks]
    return printable("\n".join(line.rstrip() for line in (*modes, "", *checks)))
