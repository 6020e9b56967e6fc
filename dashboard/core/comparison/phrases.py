"""Helpers for sentences about columns: which columns they are about, and how the parts are joined."""

from collections.abc import Iterable, Mapping, Sequence

from dashboard.core.comparison.cells import Cell, ObservedColumns
from dashboard.core.experiments.messages import Column
from dashboard.core.modes import OBSERVERS, Mode
from dashboard.core.namespaces.links import is_tapped

_BRIDGED = (Mode.BRIDGE, Mode.USER_BRIDGE, Mode.OVERLAY)
RowCells = Mapping[str, Cell]


def arms_of(observed: ObservedColumns, *modes: str) -> list[Column]:
    """The observed arms: all, or those in one of these modes."""
    arms = [column for column in observed.columns if column.key not in OBSERVERS and column.key in observed.states]
    return [column for column in arms if not modes or column.mode in modes]


def tap_columns(observed: ObservedColumns) -> list[Column]:
    """The arms that a program in user space, pasta or slirp4netns, connects with the machine's network."""
    return [
        column
        for column in arms_of(observed)
        if not observed.shares_machine(column.key) and is_tapped(observed.states[column.key])
    ]


def is_bridged(observed: ObservedColumns, column: Column) -> bool:
    """Whether a container is on a bridge. Podman's mode private is the default bridge as root, which its link shows."""
    state = observed.states.get(column.key)
    if column.mode != Mode.PRIVATE or state is None:
        return column.mode in _BRIDGED
    return any(link.kind == "veth" for link in state.interfaces)


def columns_with_value(observed: ObservedColumns, cells: RowCells) -> list[Column]:
    """The columns that have a value in this row."""
    return [column for column in observed.columns if cells[column.key].text is not None]


def join_names(names: Iterable[str]) -> str:
    """The names in one text, each once: ``a``, ``a and b`` or ``a, b and c``."""
    unique = list(dict.fromkeys(names))
    return " and ".join([*([", ".join(unique[:-1])] if unique[1:] else []), *unique[-1:]])


def join_titles(columns: Iterable[Column]) -> str:
    """The titles of columns, joined as ``join_names`` joins names."""
    return join_names(column.title for column in columns)


def agree(columns: Sequence[Column], one: str, many: str) -> str:
    """The form of a verb that agrees with the number of columns."""
    return one if len(columns) == 1 else many


def if_host_mode(observed: ObservedColumns, text: str) -> str:
    """The text if a container in host mode is observed, else empty."""
    return text if arms_of(observed, Mode.HOST) else ""


def join_clauses(*parts: str) -> str:
    """The non-empty parts, joined by semicolons. The first may begin with a lower-case name."""
    text = "; ".join(part for part in parts if part)
    return f"{text}." if text else ""


def make_sentence(*parts: str) -> str:
    """The joined clauses as a sentence, with a capital letter."""
    text = join_clauses(*parts)
    return f"{text[:1].upper()}{text[1:]}"


def with_full_stop(text: str) -> str:
    """The text as a sentence: with a full stop unless it ends with ``.``, ``!`` or ``?``."""
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."
