"""Converts the columns of an experiment on several machines between the form that labs use and the form that pages
show.

A lab knows nothing of the other machines: in each lab, the machine's column has the key ``machine`` and the title “this
machine”. A page shows the columns of all machines together. There, a column that is not an arm has the name of its
machine in the title and, from the second machine on, the number of its machine in the key. Keys of arms are unique
among all machines.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from dashboard.core.experiments.messages import Column
from dashboard.core.modes import MACHINE, is_observer, plain_key
from dashboard.core.namespaces.state import NamespaceState


def shared_key(key: str, number: int) -> str:
    """Returns the key of a column that is unique among all machines. ``key`` is the key that the lab of the column's
    machine uses. ``number`` is the number of that machine, counted from 1."""
    return f"{key}@{number}" if number > 1 and is_observer(key) else key


def shared_column(column: Column, number: int, machine: str) -> Column:
    """Returns the column with a key and a title that are unique among all machines. ``column`` has the key and the
    title that its machine's lab uses. ``number`` and ``machine`` are the number and the name of that machine."""
    title = f"{column.title} ({machine})" if is_observer(column.key) else column.title
    return replace(column, key=shared_key(column.key, number), title=title, machine=machine, absent="", note="")


def _own_column(column: Column) -> Column:
    title = column.title.removesuffix(f" ({column.machine})") if is_observer(column.key) else column.title
    return replace(column, key=plain_key(column.key), title=title, machine="", absent="", note="")


@dataclass(frozen=True)
class MachineGroup:
    """The columns of one machine. ``columns`` and ``states`` have the keys and titles that the machine's lab uses.
    ``shown`` are the same columns with keys and titles that are unique among all machines."""

    machine: str
    number: int
    columns: tuple[Column, ...]
    shown: tuple[Column, ...]
    states: Mapping[str, NamespaceState]

    def shared(self, key: str) -> str:
        """Converts the key that the machine's lab uses for a column to the key that is unique among all machines."""
        return shared_key(key, self.number)

    @property
    def machine_column(self) -> Column | None:
        """The column that shows the machine itself, or None."""
        return next((column for column in self.columns if column.key == MACHINE), None)


def group_by_machine(columns: Sequence[Column], states: Mapping[str, NamespaceState]) -> tuple[MachineGroup, ...]:
    """Groups the columns by machine, in the order of the machines. Empty if the experiment runs on one machine only."""
    names = dict.fromkeys(column.machine for column in columns)
    if not any(names):
        return ()
    groups = []
    for place, name in enumerate(names, start=1):
        shown = tuple(column for column in columns if column.machine == name)
        own = tuple(map(_own_column, shown))
        number = next((machine_number(column.key) for column in shown if is_observer(column.key)), place)
        known = {plain_key(column.key): states[column.key] for column in shown if column.key in states}
        groups.append(MachineGroup(name, number, own, shown, known))
    return tuple(groups)


def shared_titles(groups: Sequence[MachineGroup]) -> tuple[dict[str, str], ...]:
    """Returns the titles of the arms of each machine, by arm key. Corresponding arms of several machines get the same
    title, so that sentences about them can be compared.

    The second bridge arm of one machine, for example, corresponds to the second bridge arm of every other machine.
    Their title is the one that this arm has on the first machine with two bridge arms. If two arms of a machine would
    get the same title, the mapping of this machine is empty.
    """
    first: dict[tuple[str, int], str] = {}
    found = []
    for group in groups:
        places: Counter[str] = Counter()
        titles = {}
        for column in group.columns:
            if not is_observer(column.key):
                titles[column.key] = first.setdefault((column.mode, places[column.mode]), column.title)
                places[column.mode] += 1
        found.append(titles if len(set(titles.values())) == len(titles) else {})
    return tuple(found)


def machine_number(key: str) -> int:
    """Returns the machine's number in the key of a column that is no arm: 2 for ``machine@2``, 1 for ``machine``."""
    number = key.partition("@")[2]
    return int(number) if number.isascii() and number.isdigit() and len(number) < 4 else 1


def sort_by_machine(columns: Iterable[Column]) -> tuple[Column, ...]:
    """Returns the columns grouped by machine. The order within each machine does not change."""
    columns = tuple(columns)
    places = {name: place for place, name in enumerate(dict.fromkeys(column.machine for column in columns))}
    return tuple(sorted(columns, key=lambda column: places[column.machine])) if len(places) > 1 else columns


@dataclass(frozen=True, slots=True)
class MachineNote:
    """What pages show about a machine. ``absent`` is the reason why the machine's columns do not change now. ``note``
    is another remark, such as that the machine is drained. At most one of the two is set."""

    absent: str = ""
    note: str = ""


def mark_machines(columns: tuple[Column, ...], notes: Mapping[str, MachineNote]) -> tuple[Column, ...]:
    """Returns the columns with ``absent`` and ``note`` of their machines. ``notes`` is indexed by the name of the
    machine. A machine without an entry has no note."""
    if not any(column.machine for column in columns):
        return columns
    known = {column.machine: notes.get(column.machine, MachineNote()) for column in columns}
    return tuple(replace(one, absent=known[one.machine].absent, note=known[one.machine].note) for one in columns)
