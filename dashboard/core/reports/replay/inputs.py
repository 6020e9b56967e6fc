"""What rows and pictures are made from, as numbers: equal numbers mean that nothing need be made anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dashboard.core.comparison.cells import ObservedColumns
from dashboard.core.experiments.messages import Column
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.addresses import primary_addresses
from dashboard.core.namespaces.links import is_cable
from dashboard.core.namespaces.state import NamespaceState
from dashboard.core.reports.replay.interning import Numbers

#: Fields of a state that are shown.
FIELDS = ("hostname", "namespaces", "interfaces", "routes", "listeners", "resolver", "hosts", "sysctls", "lookups")
_DERIVED = ("primary", "links", "ways")


@dataclass(frozen=True)
class Frame:
    """Columns and states of one position. ``common`` stands for the columns and for which of them share a namespace;
    ``of`` has a number for each field of each state, and for what follows from it:
    ``primary`` addresses of the machine, ``links`` without their addresses, ``ways`` out."""

    columns: Sequence[Column]
    states: Mapping[str, NamespaceState]
    common: tuple[int, int]
    of: Mapping[str, Mapping[str, int]]

    @cached_property
    def observed(self) -> ObservedColumns:
        """The same for whoever makes rows of it."""
        return ObservedColumns(self.columns, self.states)

    @cached_property
    def links(self) -> tuple[int, ...]:
        """What all links are and how they are joined."""
        return tuple(numbers["links"] for numbers in self.of.values())


class Inputs:
    """The numbers of one track."""

    def __init__(self) -> None:
        self._numbers = {name: Numbers() for name in ("place", *FIELDS, *_DERIVED)}
        self._known: dict[str, tuple[NamespaceState, dict[str, int]]] = {}

    def look(self, columns: Sequence[Column], columns_number: int, states: Mapping[str, NamespaceState]) -> Frame:
        """The next position's. A field that was not touched is the same object as before."""
        of = {key: self._of(key, state) for key, state in states.items()}
        place = self._numbers["place"].number(tuple((key, state.netns) for key, state in states.items()))
        return Frame(columns, states, (columns_number, place), of)

    def _of(self, key: str, state: NamespaceState) -> dict[str, int]:
        before, known = self._known.get(key, (None, {}))
        if state is before:
            return known
        numbers = {}
        for name in FIELDS:
            value = getattr(state, name)
            numbers[name] = (
                known[name] if before is not None and value is getattr(before, name) else self._number(name, value)
            )
        moved = [name for name in ("interfaces", "routes") if numbers[name] != known.get(name)]
        if moved:
            numbers["primary"] = self._number("primary", primary_addresses(state) if key == MACHINE else ())
            numbers["links"] = self._number(
                "links",
                tuple(
                    (one.name, one.index, one.kind, one.peer, one.master, is_cable(one), bool(one.addresses))
                    for one in state.interfaces
                ),
            )
            out = frozenset(route.interface for route in state.routes if route.destination == "default")
            numbers["ways"] = self._number("ways", out)
        else:
            numbers |= {name: known[name] for name in _DERIVED}
        self._known[key] = (state, numbers)
        return numbers

    def _number(self, name: str, value: Any) -> int:
        return self._numbers[name].number(value)
