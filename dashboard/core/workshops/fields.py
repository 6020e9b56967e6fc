"""Validates the values in the files of a workshop; collects the problems, each with file and line."""

import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

from dashboard.core.workshops.front_matter import Source
from dashboard.core.workshops.model import Problem


class FieldReader:
    """Reads the values of one file and collects problems. In the methods, ``path`` is the sequence of keys and indexes
    that leads to a value, and ``values`` is the table that contains the value."""

    def __init__(self, file: str, source: Source) -> None:
        self.file = file
        self.source = source
        self.problems: list[Problem] = []

    def add_problem(self, sentence: str, *path: str | int) -> None:
        """Adds a problem at the line of the value at ``path``."""
        self.problems.append(Problem(self.file, self.source.line(*path), sentence))

    def text(self, values: Mapping[str, Any], *path: str | int, max_chars: int = 200) -> str:
        """Returns a required text, without surrounding blanks. If it is missing, empty, too long or not printable, adds
        a problem."""
        key = str(path[-1])
        value = values.get(key)
        if not isinstance(value, str) or not value.strip():
            self.add_problem(f"“{key}” must be a text that is not empty.", *path)
            return ""
        if len(value) > max_chars:
            self.add_problem(f"“{key}” has {len(value)} characters: at most {max_chars} are allowed.", *path)
        if not is_printable(value):
            self.add_problem(f"“{key}” has a character that cannot be printed.", *path)
        return value.strip()

    def texts(
        self, values: Mapping[str, Any], *path: str | int, max_items: int, max_chars: int = 400
    ) -> tuple[str, ...]:
        """Returns an optional list of texts, empty if it is missing. If it is not such a list or exceeds a limit, adds
        a problem."""
        key = str(path[-1])
        value = values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(text, str) and text.strip() for text in value):
            self.add_problem(f"“{key}” must be a list of texts.", *path)
            return ()
        if len(value) > max_items:
            self.add_problem(f"“{key}” has {len(value)} entries: at most {max_items} are allowed.", *path)
        if any(len(text) > max_chars or not is_printable(text) for text in value):
            self.add_problem(f"An entry of “{key}” is longer than {max_chars} characters or cannot be printed.", *path)
        return tuple(text.strip() for text in value)

    def reject_unknown(self, values: Mapping[str, Any], allowed: set[str], *path: str | int) -> None:
        """Adds a problem for each key that is not in ``allowed``, since it may be a typing error."""
        for key in values:
            if key not in allowed:
                choices = ", ".join(sorted(allowed))
                self.add_problem(f"“{key[:40]}” is unknown here: choose from {choices}.", *path, key)

    def tables(self, values: Mapping[str, Any], key: str, max_items: int) -> list[dict[str, Any]]:
        """Returns the ``[[key]]`` tables of a file. If the value is something else, adds a problem and returns []."""
        tables = values.get(key, [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            self.add_problem(f"Write “{key}” as tables: [[{key}]].", key)
            return []
        if len(tables) > max_items:
            self.add_problem(f"There are {len(tables)} of [[{key}]]: at most {max_items} are allowed.", key)
        return tables[:max_items]

    def typed[T](
        self,
        values: Mapping[str, Any],
        types: Mapping[str, Any],
        make: Callable[[str, dict[str, str | int]], T],
        *path: str | int,
        optional: frozenset[str] = frozenset(),
    ) -> T | None:
        """Reads a table that has a ``kind`` and the arguments of this kind, such as a check. Returns ``make(kind,
        arguments)``. If something is wrong in the table, adds problems and returns None.

        ``path`` leads to the table, and ``values`` is its content. ``types`` maps each kind to a type that has
        ``parameters`` (the form of each argument by name) and ``required`` (the names of arguments that must be given).
        The keys in ``optional`` may also occur in the table; they are not arguments.
        """
        kind = values.get("kind")
        if not isinstance(kind, str) or kind not in types:
            given = f"“{kind[:40]}”" if isinstance(kind, str) else "missing"
            self.add_problem(f"“kind” is {given}: choose one of {', '.join(types)}.", *path, "kind")
            return None
        wanted = types[kind]
        self.reject_unknown(values, {"kind", *wanted.parameters, *optional}, *path)
        arguments: dict[str, str | int] = {}
        before = len(self.problems)
        for name, form in wanted.parameters.items():
            if name in values:
                if problem := argument_problem(values[name], form):
                    self.add_problem(f"“{name}” {problem}", *path, name)
                arguments[name] = values[name]
            elif name in wanted.required:
                self.add_problem(f"{kind} needs “{name}”.", *path)
        return make(kind, arguments) if len(self.problems) == before else None


def is_printable(text: str) -> bool:
    """Whether every character can be printed. Unlike ``str.isprintable``, accepts no-break and other spaces."""
    return all(char.isprintable() or unicodedata.category(char) == "Zs" for char in text)


def argument_problem(value: object, form: str) -> str:
    """Returns the problem with an argument; empty if it is valid. ``form`` is ``text``, ``port``, ``number`` or the
    allowed values, as in ``a|b|c``."""
    if form in {"port", "number"}:
        low, high = (1, 65535) if form == "port" else (0, 100)
        valid = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        return "" if valid else f"must be a number from {low} to {high}."
    if not isinstance(value, str) or not value or len(value) > 200 or not value.isprintable():
        return "must be a text of at most 200 characters, without control characters and no-break spaces."
    choices = form.split("|")
    return "" if form == "text" or value in choices else f"must be one of {', '.join(choices)}."
