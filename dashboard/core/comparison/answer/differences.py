"""The most important differences between columns, in sentences."""

from collections.abc import Sequence

from dashboard.core.comparison.answer.comparison_table import ComparisonTable, one_line
from dashboard.core.comparison.answer.rules import RULES
from dashboard.core.comparison.phrases import join_clauses, join_titles
from dashboard.core.experiments.messages import Column, Difference, Row
from dashboard.core.experiments.stream import row_id
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.state import NamespaceState
from dashboard.core.namespaces.visibility import name_machine

MAX_DIFFERENCES = 5


def _capitalise(text: str, columns: Sequence[Column]) -> str:
    """Makes the first letter a capital, unless the sentence begins with the title of a column."""
    titled = any(text.startswith(column.title) for column in columns)
    return text if titled else f"{text[:1].upper()}{text[1:]}"


def _describe_row(table: ComparisonTable, row: Row) -> str:
    """Returns a sentence that lists the text of each arm in a row about which no rule states anything. Empty if no arm
    runs and none has a text."""
    parts = [f"{join_titles(columns)} {one_line(text)}" for text, columns in table.by_text(row)]
    absent: dict[str, list[Column]] = {}
    for column in table.running_without_text(row):
        absent.setdefault(row.absent.get(column.key) or "none", []).append(column)
    parts += [f"{join_titles(columns)} {word}" for word, columns in absent.items()]
    return f"{row.label or row.key}: {join_clauses(*parts)}" if parts else ""


def list_differences(
    columns: Sequence[Column], rows: Sequence[Row], machine: NamespaceState | None = None
) -> tuple[Difference, ...]:
    """Returns the most important differences between the columns.

    First come the differences that the rules in ``answer.rules`` state. Then follow the sections about which no rule
    states a difference, each with its first differing row. There are at most ``MAX_DIFFERENCES``. The sentence on what
    containers offer to the LAN (the rule ``outside``) is not counted.
    ``machine`` is the state of the machine, None if it is not known.
    """
    table = ComparisonTable(columns, rows, machine)
    title = next((column.title for column in columns if column.key == MACHINE), "")
    differences = []
    for name, rule in RULES:
        match rule(table):
            case row, sentence if sentence:
                differences.append(
                    Difference(name, _capitalise(name_machine(sentence, title), columns), row.why, row_id(row))
                )
    proven = {difference.row for difference in differences}
    sections = {difference.row.partition("/")[0] for difference in differences}
    for row in rows:
        if not row.differs or row_id(row) in proven or row.section in sections:
            continue
        sections.add(row.section)
        if sentence := _describe_row(table, row):
            differences.append(Difference("section", sentence, row.why, row_id(row)))
    outside = sum(difference.rule == "outside" for difference in differences[: MAX_DIFFERENCES + 1])
    return tuple(differences[: MAX_DIFFERENCES + outside])
