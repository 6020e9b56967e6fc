"""The differences between columns that matter most, in plain sentences.

Every sentence follows from a row of the comparison; where no row says it, it is not said. ``RULES`` is the order in
which differences matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from dashboard.core.experiments.messages import ArmStatus, Column, Relation, Row
from dashboard.core.experiments.stream import row_id
from dashboard.core.modes import MACHINE

MOST_DIFFERENCES = 5


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference. ``sentence`` says what, ``why`` the reason that the table gives; ``row`` is the id of the row
    that proves it, ``rule`` names the rule that found it (``section`` where none did)."""

    rule: str
    sentence: str
    why: str
    row: str


@dataclass(frozen=True)
class Told:
    """The columns with their rows, as the report shows them."""

    columns: Sequence[Column]
    rows: Sequence[Row]
    _by_id: dict[str, Row] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_id", {row_id(row): row for row in self.rows})

    @property
    def arms(self) -> list[Column]:
        """The columns that are containers."""
        return [one for one in self.columns if one.key != MACHINE]

    def row(self, identity: str) -> Row | None:
        """The row if it is there and its columns differ."""
        found = self._by_id.get(identity)
        return found if found is not None and found.relation is not Relation.SAME else None

    def any_row(self, identity: str) -> Row | None:
        """The row if it is there."""
        return self._by_id.get(identity)

    def differing(self, section: str) -> list[Row]:
        """The rows of a section whose columns differ, in their order."""
        return [row for row in self.rows if row.section == section and row.relation is not Relation.SAME]

    def sharing_machine(self) -> list[Column]:
        """The arms whose network namespace is the machine's, as the table shows."""
        row = self.any_row("identity/netns/")
        machine = row.cells.get(MACHINE) if row is not None else None
        if row is None or machine is None:
            return []
        return [one for one in self.arms if row.cells.get(one.key) == machine]


def name_list(words: Iterable[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    found = list(dict.fromkeys(words))
    return " and ".join([*([", ".join(found[:-1])] if found[1:] else []), *found[-1:]])


def _titles(columns: Iterable[Column]) -> str:
    return name_list(one.title for one in columns)


def _line(text: str) -> str:
    return ", ".join(text.split("\n"))


def _sentence(parts: Iterable[str]) -> str:
    """The parts that say something, joined by semicolons, with a full stop."""
    text = "; ".join(part for part in parts if part)
    return f"{text}." if text else ""


def _grouped(told: Told, row: Row, *, machine: bool = False) -> list[tuple[str, list[Column]]]:
    """The arms (with ``machine`` the machine too) by what they say in this row, those that say nothing left out."""
    groups: dict[str, list[Column]] = {}
    for one in told.columns if machine else told.arms:
        text = row.cells.get(one.key)
        if text is not None:
            groups.setdefault(text, []).append(one)
    return list(groups.items())


def _without(told: Told, row: Row) -> list[tuple[str, list[Column]]]:
    """The arms that say nothing in this row, by their word for it; those that do not run left out."""
    groups: dict[str, list[Column]] = {}
    for one in told.arms:
        if row.cells.get(one.key) is None and one.status is ArmStatus.RUNNING:
            groups.setdefault(row.absent.get(one.key) or "none", []).append(one)
    return list(groups.items())


def _namespace(told: Told) -> tuple[Row, str] | None:
    row = told.row("identity/netns/")
    if row is None:
        return None
    sharing = told.sharing_machine()
    apart = [(text, columns) for text, columns in _grouped(told, row) if not any(one in sharing for one in columns)]
    alone = [columns[0] for _text, columns in apart if len(columns) == 1]
    joint = [columns for _text, columns in apart if len(columns) > 1]
    parts = []
    if sharing:
        parts.append(f"{_titles(sharing)} {_verb(sharing, 'lives', 'live')} in this machine's own network namespace")
    if len(alone) == 1:
        parts.append(f"{alone[0].title} has one of its own")
    elif alone:
        parts.append(f"{_titles(alone)} each have one of their own")
    parts += [f"{_titles(columns)} share one" for columns in joint]
    said = _sentence(parts)
    if said and not sharing:
        said = f"Network namespaces: {said}"
    return (row, said) if said else None


def _verb(columns: Sequence[Column], one: str, many: str) -> str:
    return one if len(columns) == 1 else many


def _discarded(told: Told) -> tuple[Row, str] | None:
    for row in told.differing("published") + [one for one in told.rows if one.relation is Relation.SAME]:
        if row.section != "published" or row.field != "published":
            continue
        asked = told.any_row(f"published/{row.key}/asked")
        lost = [
            one
            for one in told.arms
            if row.cells.get(one.key) is None
            and row.absent.get(one.key) == "discarded"
            and asked is not None
            and asked.cells.get(one.key) is not None
        ]
        if lost and asked is not None:
            where = name_list(_line(asked.cells[one.key] or "") for one in lost)
            whom = _titles(lost)
            return row, f"The Engine discarded -p for {whom}: {row.key} was asked for at {where} and is not published."
    return None


def _published(told: Told) -> tuple[Row, str] | None:
    found: Row | None = None
    reached: dict[tuple[str, str], list[str]] = {}
    for row in told.differing("published"):
        for one in told.arms if row.field == "published" else ():
            text = row.cells.get(one.key)
            if text is not None:
                found = found or row
                reached.setdefault((one.title, text), []).append(row.key)
    if found is None:
        return None
    parts = [
        f"{title} is reached through {_line(text)}, published for {name_list(ports)}"
        for (title, text), ports in reached.items()
    ]
    for one in told.sharing_machine():
        listening = told.any_row(f"listeners/tcp :{one.port}/") if one.port else None
        if listening is not None and listening.cells.get(one.key) is not None:
            parts.append(f"{one.title} answers at the machine's own port {one.port}, nothing is forwarded")
    return found, _sentence(parts)


def _address(told: Told) -> tuple[Row, str] | None:
    row = told.row("identity/address/")
    if row is None:
        return None
    parts = [f"{_titles(columns)} {_verb(columns, 'has', 'have')} {text}" for text, columns in _grouped(told, row)]
    for word, columns in _without(told, row):
        rest = word.removeprefix("none").removeprefix(": ")
        verb = _verb(columns, "has", "have")
        parts.append(f"{_titles(columns)} {verb} no address of {_verb(columns, 'its', 'their')} own")
        if rest:
            parts[-1] += f" ({rest.replace('uses ', 'using ', 1)})"
    return row, _sentence(parts)


def _resolver(told: Told) -> tuple[Row, str] | None:
    row = told.row("dns/resolver/nameservers")
    if row is None:
        return None
    groups: dict[tuple[str, str], list[Column]] = {}
    for text, columns in _grouped(told, row):
        for one in columns:
            groups.setdefault((text, row.notes.get(one.key, "")), []).append(one)
    parts = [
        f"{_titles(columns)} {_verb(columns, 'asks', 'ask')} {_line(text)}{f' ({note})' if note else ''}"
        for (text, note), columns in groups.items()
    ]
    return (row, "For names " + _sentence(parts)) if parts else None


def _lookup(told: Told) -> tuple[Row, str] | None:
    names = {name for one in told.arms if one.container for name in (one.key, one.container.name)}
    for row in told.differing("dns"):
        name = row.key.removeprefix("lookup ")
        if not row.key.startswith("lookup ") or name not in names:
            continue
        found = [one for _text, columns in _grouped(told, row) for one in columns]
        missing = [one for _word, columns in _without(told, row) for one in columns]
        if found and missing:
            return row, f"The container's name “{name}” is found from {_titles(found)}, not from {_titles(missing)}."
    return None


def _hosts(told: Told) -> tuple[Row, str] | None:
    dull = ("own host name", "localhost", "ip6-")
    rows = sorted(told.differing("hosts"), key=lambda row: row.key.startswith(dull))
    for row in rows:
        found = [one for _text, columns in _grouped(told, row) for one in columns]
        missing = [one for _word, columns in _without(told, row) for one in columns]
        what = "a line for the own host name" if row.key == "own host name" else f"“{row.key}”"
        if found and missing:
            return row, f"The hosts file of {_titles(found)} has {what}, that of {_titles(missing)} has not."
    return None


def is_open(note: str) -> bool:
    """Whether a listener's note names an address that the network reaches: any but loopback ones."""
    places = [place for part in note.split("; ") for place in part.split(", ") if place]
    return any(not place.startswith(("127.", "[::1]")) for place in places)


def _open_ports(told: Told) -> tuple[Row, str] | None:
    rows = [row for row in told.rows if row.section == "listeners" and not row.key.endswith(" resolver")]
    sharing = told.sharing_machine()
    machine = [row for row in rows if row.cells.get(MACHINE) is not None]
    apart = [one for one in told.arms if one not in sharing and one.status is ArmStatus.RUNNING]
    if not sharing or not machine or not apart:
        return None
    open_ones = sum(is_open(row.notes.get(MACHINE, "")) for row in machine)
    own = max(sum(row.cells.get(one.key) is not None for row in rows) for one in apart)
    proof = next((row for row in machine if row.relation is not Relation.SAME), None)
    if proof is None:
        return None
    ports = f"{len(machine)} listening port{'s' if len(machine) > 1 else ''}"
    reached = "all" if open_ones == len(machine) else str(open_ones)
    count = "none" if own == 0 else f"only {own}" if len(apart) == 1 else f"at most {own}"
    sentence = (
        f"{_titles(sharing)} {_verb(sharing, 'stands', 'stand')} beside this machine's {ports}, "
        f"{reached} of them open to the network; {_titles(apart)} {_verb(apart, 'has', 'have')} {count} of "
        f"{_verb(apart, 'its', 'their')} own."
    )
    return proof, sentence


def _low_ports(told: Told) -> tuple[Row, str] | None:
    row = told.row("sysctls/net.ipv4.ip_unprivileged_port_start/")
    if row is None:
        return None
    parts = [f"from {text} on in {_titles(columns)}" for text, columns in _grouped(told, row, machine=True)]
    return (row, "Without root a program may take ports " + _sentence(parts)) if parts else None


def _default_route(told: Told) -> tuple[Row, str] | None:
    for row in told.differing("routes"):
        if row.key == "default":
            parts = [
                f"{_titles(columns)} {_verb(columns, 'leaves', 'leave')} {_line(text)}"
                for text, columns in _grouped(told, row)
            ]
            parts += [
                f"{_titles(columns)} {_verb(columns, 'has', 'have')} no way out" for _w, columns in _without(told, row)
            ]
            return row, _sentence(parts)
    return None


def _hostname(told: Told) -> tuple[Row, str] | None:
    row = told.row("identity/hostname/")
    if row is None:
        return None
    parts = [f"{_titles(columns)} {_verb(columns, 'is', 'are')} called {text}" for text, columns in _grouped(told, row)]
    return (row, _sentence(parts)) if parts else None


Rule = Callable[[Told], tuple[Row, str] | None]

#: What matters most comes first; the first five that say something are shown.
RULES: tuple[tuple[str, Rule], ...] = (
    ("namespace", _namespace),
    ("discarded", _discarded),
    ("published", _published),
    ("address", _address),
    ("resolver", _resolver),
    ("lookup", _lookup),
    ("hosts", _hosts),
    ("open-ports", _open_ports),
    ("low-ports", _low_ports),
    ("route", _default_route),
    ("hostname", _hostname),
)


def _capital(text: str, told: Told) -> str:
    """With a capital letter, unless a column's name comes first."""
    named = any(text.startswith(one.title) for one in told.columns)
    return text if named else f"{text[:1].upper()}{text[1:]}"


def list_differences(
    columns: Sequence[Column], rows: Sequence[Row], most: int = MOST_DIFFERENCES
) -> tuple[Difference, ...]:
    """The differences that matter most, at most ``most``: by the rules, then what else differs, a row a section."""
    told = Told(columns, rows)
    found: dict[str, Difference] = {}
    for name, rule in RULES:
        said = rule(told)
        if said is not None and said[1]:
            row, sentence = said
            found.setdefault(name, Difference(name, _capital(sentence, told), row.why, row_id(row)))
    proven = {one.row for one in found.values()}
    sections = {one.row.partition("/")[0] for one in found.values()}
    for row in rows:
        if row.relation is Relation.SAME or row_id(row) in proven or row.section in sections:
            continue
        sections.add(row.section)
        parts = [f"{_titles(group)} {_line(text)}" for text, group in _grouped(told, row)]
        parts += [f"{_titles(group)} {word}" for word, group in _without(told, row)]
        if parts:
            label = row.label or row.key
            found[row_id(row)] = Difference("section", f"{label}: {_sentence(parts)}", row.why, row_id(row))
    return tuple(found.values())[:most]
