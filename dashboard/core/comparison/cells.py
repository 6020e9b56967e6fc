"""What each column says in each row, before it is compared.

A cell has a text for the reader. Where the text holds names, numbers or times that carry no meaning (veth names, MAC
addresses, the resolver's random ports, process ids), the cell also has a normalised text without them, and cells are
compared by that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from dashboard.core.experiments.messages import Column
from dashboard.core.modes import MACHINE, Mode
from dashboard.core.namespaces.links import veth_ends
from dashboard.core.namespaces.state import Interface, NamespaceState


@dataclass(frozen=True, slots=True)
class RowKey:
    """Identity and reading order of a row: ``rank`` sorts within the section."""

    section: str
    key: str
    field: str
    label: str
    rank: tuple[int | str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cell:
    """What one column says. ``text`` None: nothing, then ``absent`` is the word for it. ``normalised`` is what is
    compared, None where that is the text itself.

    ``applies`` False: the row has no meaning for this column; it is left out of the relation.
    """

    text: str | None = None
    normalised: str | None = None
    note: str = ""
    absent: str = ""
    applies: bool = True


Cells = Iterator[tuple[RowKey, Cell]]


@dataclass(frozen=True)
class ObservedColumns:
    """All columns with their states, as one instant."""

    columns: Sequence[Column]
    states: Mapping[str, NamespaceState]

    @property
    def machine(self) -> NamespaceState | None:
        """The machine's state, if it is known."""
        return self.states.get(MACHINE)

    def shares_machine(self, key: str) -> bool:
        """Whether the column lives in the machine's network namespace."""
        return self.machine is not None and key in self.states and self.states[key].netns == self.machine.netns

    @cached_property
    def _titles(self) -> dict[str, str]:
        return {column.container.id: column.title for column in reversed(self.columns) if column.container}

    def owner_title(self, container: str | None) -> str | None:
        """The title of the column whose container this is."""
        return None if container is None else self._titles.get(container)

    @cached_property
    def _cables(self) -> tuple[dict[int, tuple[Column, Interface]], dict[tuple[int, int], Interface]]:
        """The far end of each veth between the machine and a column, from both sides."""
        outside: dict[int, tuple[Column, Interface]] = {}
        inside: dict[tuple[int, int], Interface] = {}
        for column in sorted(
            self.columns, key=lambda one: one.mode == Mode.CONTAINER
        ):  # who owns the stack comes first
            state = self.states.get(column.key)
            if self.machine is None or state is None or state.netns == self.machine.netns:
                continue
            for outer, inner in veth_ends(self.machine, state):
                outside.setdefault(outer.index, (column, inner))
                inside[state.netns, inner.index] = outer
        return outside, inside

    @cached_property
    def _twins(self) -> dict[int, Interface]:
        """The machine's veth ends by the index of their peer: a cable with both ends on the machine."""
        ends = self.machine.interfaces if self.machine is not None else ()
        return {int(x.peer[2:]): x for x in ends if x.kind == "veth" and x.peer and x.peer[2:].isdigit()}

    def veth_owner(self, index: int) -> str | None:
        """The title of the column at the other end of the machine's veth ``index``."""
        found = self._cables[0].get(index)
        return found[0].title if found else None

    def veth_peer(self, state: NamespaceState, one: Interface) -> str | None:
        """Where the other end of a veth is, in words; None if it is not in sight."""
        if self.machine is None:
            return None
        if state.netns != self.machine.netns:
            outer = self._cables[1].get((state.netns, one.index))
            return f"{outer.name} on this machine" if outer else None
        found = self._cables[0].get(one.index)
        if found is not None:
            return f"{found[1].name} in {found[0].title}"
        twin = self._twins.get(one.index)
        return twin.name if twin is not None and one.peer == f"if{twin.index}" else None
