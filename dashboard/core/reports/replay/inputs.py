"""Assigns numbers to the inputs from which rows and diagrams are computed. Equal inputs get the same number.

Rows and diagrams are stored under the numbers of their inputs, so that none is computed twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dashboard.core.comparison.cells import ObservedColumns
from dashboard.core.comparison.machines.rows import ObservedGroup, observe_groups
from dashboard.core.experiments.messages import Column
from dashboard.core.modes import MACHINE, is_observer, plain_key
from dashboard.core.namespaces.addresses import primary_addresses
from dashboard.core.namespaces.links import default_routes, is_cable
from dashboard.core.namespaces.state import NamespaceState
from dashboard.core.reports.replay.interning import Numbers

#: The fields of a state that are shown.
FIELDS = (
    "hostname",
    "namespaces",
    "interfaces",
    "routes",
    "listeners",
    "resolver",
    "hosts",
    "sysctls",
    "lookups",
    "firewall",
)
_DERIVED = ("primary", "connection", "links", "exits")


@dataclass(frozen=True)
class Frame:
    """The inputs of rows and diagrams at one position of a recording, with a number for each of them.

    ``common`` are two numbers: one for the columns, one for the namespaces that the columns show. ``numbers`` maps each
    column to the numbers of the fields of its state (``FIELDS``) and of four values derived from the state:

    - ``primary``: the primary addresses of a column that is not an arm
    - ``connection``: the links and addresses of an arm with a network stack of its own
    - ``links``: the links without their addresses
    - ``exits``: the interfaces of default routes, the preferred first
    """

    columns: Sequence[Column]
    states: Mapping[str, NamespaceState]
    common: tuple[int, int]
    numbers: Mapping[str, Mapping[str, int]]

    @cached_property
    def observed(self) -> ObservedColumns:
        """The columns and their states, from which rows are computed if the experiment runs on one machine."""
        return ObservedColumns(self.columns, self.states)

    @cached_property
    def groups(self) -> tuple[ObservedGroup, ...]:
        """The columns and their states by machine, from which rows are computed if the experiment runs on several
        machines; otherwise empty."""
        return observe_groups(self.columns, self.states)

    @cached_property
    def links(self) -> tuple[int, ...]:
        """For each column, the value of ``numbers`` for ``links``."""
        return tuple(numbers["links"] for numbers in self.numbers.values())


class Inputs:
    """Creates the frames of one recording. Equal values have the same number in all frames."""

    def __init__(self) -> None:
        self._numbers = {name: Numbers() for name in ("place", *FIELDS, *_DERIVED)}
        self._known: dict[str, tuple[NamespaceState, dict[str, int]]] = {}

    def next_frame(self, columns: Sequence[Column], columns_number: int, states: Mapping[str, NamespaceState]) -> Frame:
        """Returns the frame of the next position. ``columns_number`` is the number that stands for ``columns``. States,
        and fields of states, that are the same objects as in the previous frame are not compared again."""
        machines = {state.netns for key, state in states.items() if plain_key(key) == MACHINE}
        shared = machines if len(machines) == 1 else set()
        numbers = {
            key: self._numbers_of(key, state, not is_observer(key) and state.netns not in shared)
            for key, state in states.items()
        }
        place = self._numbers["place"].number(tuple((key, state.netns) for key, state in states.items()))
        return Frame(columns, states, (columns_number, place), numbers)

    def _numbers_of(self, key: str, state: NamespaceState, separate: bool) -> dict[str, int]:
        before, known = self._known.get(key, (None, {}))
        if state is before and known["separate"] == separate:
            return known
        numbers = {"separate": int(separate)}
        for name in FIELDS:
            value = getattr(state, name)
            numbers[name] = (
                known[name] if before is not None and value is getattr(before, name) else self._number(name, value)
            )
        changed = [name for name in ("interfaces", "routes", "separate") if numbers[name] != known.get(name)]
        if changed:
            numbers["primary"] = self._number("primary", primary_addresses(state) if is_observer(key) else ())
            connection = tuple((one.name, one.kind, one.addresses) for one in state.interfaces) if separate else ()
            numbers["connection"] = self._number("connection", connection)
            numbers["links"] = self._number(
                "links",
                tuple(
                    (
                        *(one.name, one.index, one.kind, one.peer, one.peer_netns, one.master),
                        *(is_cable(one), bool(one.addresses)),
                    )
                    for one in state.interfaces
                ),
            )
            exits = tuple(route.interface for route in default_routes(state.routes))
            numbers["exits"] = self._number("exits", exits)
        else:
            numbers |= {name: known[name] for name in _DERIVED}
        self._known[key] = (state, numbers)
        return numbers

    def _number(self, name: str, value: Any) -> int:
        return self._numbers[name].number(value)
