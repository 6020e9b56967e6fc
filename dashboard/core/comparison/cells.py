"""The cells of the comparison table, before they are compared.

A cell has a text for users. If the text contains names or numbers without a meaning (names of veth interfaces, MAC
addresses, random ports of the resolver, process ids), the cell also has a normalised text without them. Cells are
compared by their normalised texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from dashboard.core.experiments.engine_kind import EngineKind
from dashboard.core.experiments.messages import Column
from dashboard.core.modes import MACHINE, SHOWN_ONLY, Mode
from dashboard.core.namespaces.links import veth_ends
from dashboard.core.namespaces.state import Interface, NamespaceState
from dashboard.core.namespaces.visibility import name_machine


@dataclass(frozen=True, slots=True)
class RowKey:
    """The identity and the position of a row. Rows of a section are sorted by weight, and rows of the same weight by
    ``rank``."""

    section: str
    key: str
    field: str
    label: str
    rank: tuple[int | str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cell:
    """The cell of one column in a row.

    ``text`` is None if there is no value; ``absent`` is then shown, and states why. ``normalised`` is the text that is
    compared, None if ``text`` itself is compared. ``note`` is a remark on the text. ``applies`` is false if the row
    does not apply to the column; the comparison then ignores the cell. ``visible`` is false if the column may have a
    value, but it cannot be read.
    """

    text: str | None = None
    normalised: str | None = None
    note: str = ""
    absent: str = ""
    applies: bool = True
    visible: bool = True


Cells = Iterator[tuple[RowKey, Cell]]


@dataclass(frozen=True)
class ObservedColumns:
    """All columns of one machine, with their states at one instant. Columns that do not run or cannot be read have no
    state."""

    columns: Sequence[Column]
    states: Mapping[str, NamespaceState]

    @cached_property
    def compared(self) -> ObservedColumns:
        """Only the columns that are compared. Those in ``SHOWN_ONLY``, such as the neighbour, are shown beside them and
        left out here."""
        if all(column.key not in SHOWN_ONLY for column in self.columns):
            return self
        columns = tuple(column for column in self.columns if column.key not in SHOWN_ONLY)
        return ObservedColumns(columns, {key: state for key, state in self.states.items() if key not in SHOWN_ONLY})

    @cached_property
    def engine(self) -> EngineKind:
        """The kind of the engine that runs the containers."""
        return next((column.engine_kind for column in self.columns if column.key == MACHINE), EngineKind.DOCKER)

    def name_machine(self, text: str) -> str:
        """Returns ``text``. On a rootless Docker Engine, each “the machine” in it is replaced by the title of
        RootlessKit's namespace."""
        title = next((column.title for column in self.columns if column.key == MACHINE), "")
        return name_machine(text, title)

    @property
    def machine(self) -> NamespaceState | None:
        """The state of the machine; None if it is not known."""
        return self.states.get(MACHINE)

    def shares_machine(self, key: str) -> bool:
        """Whether the column is in the network namespace of the machine. False if one of the two states is not
        known."""
        return self.machine is not None and key in self.states and self.states[key].netns == self.machine.netns

    @cached_property
    def _titles(self) -> dict[str, str]:
        return {column.container.id: column.title for column in reversed(self.columns) if column.container}

    def owner_title(self, container: str | None) -> str | None:
        """Returns the title of the column with this container id; None if no column has it."""
        return None if container is None else self._titles.get(container)

    @cached_property
    def _veth_peers(self) -> tuple[dict[int, tuple[Column, Interface]], dict[tuple[int, int], Interface]]:
        """The veth pairs between the machine and the columns, as two dictionaries for searching from either end. The
        first maps the index of the machine's end to the column and the column's end. The second maps a column's
        namespace and the index of the end in it to the machine's end."""
        outside: dict[int, tuple[Column, Interface]] = {}
        inside: dict[tuple[int, int], Interface] = {}
        for column in sorted(self.columns, key=lambda column: column.mode == Mode.CONTAINER):  # owners of a stack first
            state = self.states.get(column.key)
            if self.machine is None or state is None or state.netns == self.machine.netns:
                continue
            for outer, inner in veth_ends(self.machine, state):
                outside.setdefault(outer.index, (column, inner))
                inside[state.netns, inner.index] = outer
        return outside, inside

    @cached_property
    def _local_peers(self) -> dict[int, Interface]:
        """The veth pairs with both ends in the machine's namespace: maps the index of each end to the other end."""
        pairs = veth_ends(self.machine, self.machine) if self.machine is not None else ()
        return {end.index: other for other, end in pairs}

    def veth_owner(self, index: int) -> str | None:
        """Returns the title of the column that has the peer of a veth interface of the machine; None if no column has
        it. ``index`` is the index of the machine's interface. If the column has several veth pairs, the name of the
        peer follows in parentheses."""
        outside = self._veth_peers[0]
        if index not in outside:
            return None
        column, inner = outside[index]
        several = sum(owner.key == column.key for owner, _inner in outside.values()) > 1
        return f"{column.title} ({inner.name})" if several else column.title

    def veth_peer(self, state: NamespaceState, link: Interface) -> str | None:
        """Describes the peer of ``link``, a veth interface in the namespace of ``state``; None if it is not known."""
        if self.machine is None:
            return None
        if state.netns != self.machine.netns:
            outer = self._veth_peers[1].get((state.netns, link.index))
            return self.name_machine(f"{outer.name} on this machine") if outer else None
        peer = self._veth_peers[0].get(link.index)
        if peer is not None:
            return f"{peer[1].name} in {peer[0].title}"
        local = self._local_peers.get(link.index)
        return local.name if local is not None else None
