"""The cells of the comparison, before they are compared.

A cell has a text for users. Where the text contains names, numbers or times that carry no meaning (veth names, MAC
addresses, the resolver's random ports, process ids), the cell also has a normalised text without them, and cells are
compared by that.
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
    """Identity and order of a row: ``rank`` sorts within the section."""

    section: str
    key: str
    field: str
    label: str
    rank: tuple[int | str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cell:
    """One column's cell of a row. If ``text`` is None, ``absent`` says why. ``normalised`` is what is
    compared, None where that is the text itself.

    With ``applies`` False the row does not apply to this column, and the relation ignores it. With ``visible`` False
    the column may have a value that cannot be read.
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
    """All columns with their states at one instant."""

    columns: Sequence[Column]
    states: Mapping[str, NamespaceState]

    @cached_property
    def compared(self) -> ObservedColumns:
        """The columns that are compared: all except those that are only shown."""
        if all(column.key not in SHOWN_ONLY for column in self.columns):
            return self
        columns = tuple(column for column in self.columns if column.key not in SHOWN_ONLY)
        return ObservedColumns(columns, {key: state for key, state in self.states.items() if key not in SHOWN_ONLY})

    @cached_property
    def engine(self) -> EngineKind:
        """The kind of engine that runs the containers."""
        return next((column.engine_kind for column in self.columns if column.key == MACHINE), EngineKind.DOCKER)

    def name_machine(self, text: str) -> str:
        """The text, with “the machine” replaced by the title of the machine's column where that differs."""
        title = next((column.title for column in self.columns if column.key == MACHINE), "")
        return name_machine(text, title)

    @property
    def machine(self) -> NamespaceState | None:
        """The machine's state, if known."""
        return self.states.get(MACHINE)

    def shares_machine(self, key: str) -> bool:
        """Whether the column shares the machine's network namespace."""
        return self.machine is not None and key in self.states and self.states[key].netns == self.machine.netns

    @cached_property
    def _titles(self) -> dict[str, str]:
        return {column.container.id: column.title for column in reversed(self.columns) if column.container}

    def owner_title(self, container: str | None) -> str | None:
        """The title of the column with this container."""
        return None if container is None else self._titles.get(container)

    @cached_property
    def _veth_peers(self) -> tuple[dict[int, tuple[Column, Interface]], dict[tuple[int, int], Interface]]:
        """Two views of the veth pairs between the machine and columns: column and inner end by the index of the
        machine's end, and the machine's end by the namespace and index of the inner end."""
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
        """The peers of the machine's veth interfaces with both ends on the machine, by index."""
        pairs = veth_ends(self.machine, self.machine) if self.machine is not None else ()
        return {end.index: other for other, end in pairs}

    def veth_owner(self, index: int) -> str | None:
        """The title of the column that has the peer of the machine's veth interface ``index``."""
        peer = self._veth_peers[0].get(index)
        return peer[0].title if peer else None

    def veth_peer(self, state: NamespaceState, link: Interface) -> str | None:
        """Describes the peer of a veth interface; None if it is unknown."""
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
