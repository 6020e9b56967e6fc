"""The columns and rows of a comparison, with the queries that the rules about differences need."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from dashboard.core.experiments.messages import ArmStatus, Column, Row
from dashboard.core.experiments.stream import row_id
from dashboard.core.modes import MACHINE, OBSERVERS, SHOWN_ONLY
from dashboard.core.namespaces.state import NamespaceState


@dataclass(frozen=True)
class ComparisonTable:
    """The columns and the rows of a comparison. ``machine`` is the state of the machine, None if it is not known."""

    columns: Sequence[Column]
    rows: Sequence[Row]
    machine: NamespaceState | None = None

    @cached_property
    def _by_id(self) -> dict[str, Row]:
        return {row_id(row): row for row in self.rows}

    @property
    def arms(self) -> list[Column]:
        """The columns of arms, without ``OBSERVERS`` such as the machine and the neighbour."""
        return [column for column in self.columns if column.key not in OBSERVERS]

    def row(self, identity: str) -> Row | None:
        """Returns the row with this id; None if it does not exist."""
        return self._by_id.get(identity)

    def differing_row(self, identity: str) -> Row | None:
        """Returns the row with this id; None if it does not exist or its columns are equal."""
        row = self.row(identity)
        return row if row is not None and row.differs else None

    def differing_rows(self, section: str) -> list[Row]:
        """Returns the rows of a section in which columns differ, in the order of the table."""
        return [row for row in self.rows if row.section == section and row.differs]

    @cached_property
    def sharing_machine(self) -> list[Column]:
        """The arms in the network namespace of the machine."""
        row = self.row("identity/netns/")
        machine = row.cells.get(MACHINE) if row is not None else None
        if row is None or machine is None:
            return []
        return [column for column in self.arms if row.cells.get(column.key) == machine]

    def by_text(self, row: Row, *, machine: bool = False) -> list[tuple[str, list[Column]]]:
        """Returns each text of a row with the arms that show it, in the order of the columns. If ``machine`` is true,
        the machine's column is included."""
        groups: dict[str, list[Column]] = {}
        for column in self.columns if machine else self.arms:
            if column.key in SHOWN_ONLY:
                continue
            text = row.cells.get(column.key)
            if text is not None:
                groups.setdefault(text, []).append(column)
        return list(groups.items())

    def with_text(self, row: Row) -> list[Column]:
        """Returns the arms that have a text in the row."""
        return [column for column in self.arms if row.cells.get(column.key) is not None]

    def running_without_text(self, row: Row) -> list[Column]:
        """Returns the running arms that have no text in the row."""
        return [
            column for column in self.arms if row.cells.get(column.key) is None and column.status is ArmStatus.RUNNING
        ]


def one_line(text: str) -> str:
    """Returns the text of a cell on one line, with commas in place of line breaks."""
    return ", ".join(text.split("\n"))


def join_addresses(text: str) -> str:
    """Returns the published addresses of a cell on one line. If a port is published on the wildcard addresses of IPv4
    and IPv6, the two are written as one, such as ``*:8080``, as in ss(8)."""
    lines = text.split("\n")
    ports = {line.removeprefix("[::]:") for line in lines if line.startswith("[::]:")}
    both = {port for port in ports if f"0.0.0.0:{port}" in lines}
    short = [line.replace("0.0.0.0:", "*:") if line.removeprefix("0.0.0.0:") in both else line for line in lines]
    return ", ".join(line for line in short if line.removeprefix("[::]:") not in both)
