"""Helpers for sentences about columns: they select columns and join parts of sentences."""

from collections.abc import Iterable, Mapping, Sequence

from dashboard.core.comparison.cells import Cell, ObservedColumns
from dashboard.core.experiments.messages import Column
from dashboard.core.modes import OBSERVERS, Mode
from dashboard.core.namespaces.links import is_tapped

_BRIDGED = (Mode.BRIDGE, Mode.USER_BRIDGE, Mode.OVERLAY)
RowCells = Mapping[str, Cell]


def arms_of(observed: ObservedColumns, *modes: str) -> list[Column]:
    """Returns the arms that have a state. If ``modes`` are given, only the arms in one of these modes are returned."""
    arms = [column for column in observed.columns if column.key not in OBSERVERS and column.key in observed.states]
    return [column for column in arms if not modes or column.mode in modes]


def tap_columns(observed: ObservedColumns) -> list[Column]:
    """Returns the arms whose network is connected by a program in user space: pasta or slirp4netns."""
    return [
        column
        for column in arms_of(observed)
        if not observed.shares_machine(column.key) and is_tapped(observed.states[column.key])
    ]


def is_bridged(observed: ObservedColumns, column: Column) -> bool:
    """Whether a container is on a bridge. Podman's mode ``private`` is the default bridge if Podman runs as root; then
    the container has a veth interface."""
    state = observed.states.get(column.key)
    if column.mode != Mode.PRIVATE or state is None:
        return column.mode in _BRIDGED
    return any(link.kind == "veth" for link in state.interfaces)


def columns_with_value(observed: ObservedColumns, cells: RowCells) -> list[Column]:
    """Returns the columns whose cell in ``cells`` has a text."""
    return [column for column in observed.columns if cells[column.key].text is not None]


def columns_named(columns: Iterable[Column], name: str) -> list[Column]:
    """Returns the columns whose container has this name. It may be the key of the arm, the name of the container or
    its short id."""
    return [c for c in columns if c.container and name in {c.key, c.container.name, c.container.id[:12]}]


def has_address_of(columns: Iterable[Column], text: str) -> bool:
    """Whether ``text``, the addresses that a lookup returned, contains one that the Engine assigned to these columns. A
    search domain with a wildcard, or a name server that answers for unknown names, returns other addresses."""
    return not {address for c in columns for address in c.networks.values()}.isdisjoint(text.split("\n"))


def join_names(names: Iterable[str]) -> str:
    """Joins the names without duplicates: ``a``, ``a and b`` or ``a, b and c``."""
    unique = list(dict.fromkeys(names))
    return " and ".join([*([", ".join(unique[:-1])] if unique[1:] else []), *unique[-1:]])


def join_titles(columns: Iterable[Column]) -> str:
    """Joins the titles of the columns with ``join_names``."""
    return join_names(column.title for column in columns)


def agree(columns: Sequence[Column], one: str, many: str) -> str:
    """Returns the verb or noun that agrees with the number of columns: ``one`` for a single column, otherwise
    ``many``."""
    return one if len(columns) == 1 else many


def if_host_mode(observed: ObservedColumns, text: str) -> str:
    """Returns the text if one of the arms is in host mode; otherwise an empty text."""
    return text if arms_of(observed, Mode.HOST) else ""


def join_clauses(*parts: str) -> str:
    """Joins the non-empty parts with semicolons and adds a full stop; returns an empty text if there are none. The
    first letter stays unchanged, because it may belong to a column's title."""
    text = "; ".join(part for part in parts if part)
    return f"{text}." if text else ""


def make_sentence(*parts: str) -> str:
    """Joins the parts like ``join_clauses``, and makes the first letter a capital."""
    text = join_clauses(*parts)
    return f"{text[:1].upper()}{text[1:]}"


def with_full_stop(text: str) -> str:
    """Returns the text without surrounding white space; adds a full stop unless it ends with ``.``, ``!`` or ``?``."""
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."
