"""The served ES modules as one script, for a file that may load nothing.

Each module becomes a function's scope, in the order in which they need each other; what it exports is an object.
It knows the forms that our own modules use and refuses every other: a module that it cannot take fails the tests.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from dashboard import configuration

STATIC = configuration.BASE / "static" / "dashboard"

_IMPORT = re.compile(r'^import \{([^}]*)\} from "(\.{1,2}/[^"]+)";[ \t]*\n?', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?function\*? (\w+)|class (\w+)|const (\w+))", re.MULTILINE)
_LEFT = re.compile(r"^(?:import|export)\b|^await\b|\bimport\(|\bimport\.meta\b", re.MULTILINE)


class NotBundledError(ValueError):
    """A module uses a form that the bundler does not know."""


def _names(text: str) -> str:
    """``a, b as c`` of an import as ``a, b: c`` of a pattern."""
    parts = [" ".join(part.split()) for part in text.split(",")]
    return ", ".join(part.replace(" as ", ": ") for part in parts if part)


def _convert(text: str, number_of: dict[Path, int], place: Path) -> str:
    def imported(found: re.Match[str]) -> str:
        return f"const {{ {_names(found[1])} }} = m{number_of[(place.parent / found[2]).resolve()]};\n"

    exported = [name for found in _EXPORT.finditer(text) for name in found.groups() if name]
    body = _EXPORT.sub("", _IMPORT.sub(imported, text))
    if left := _LEFT.search(body):
        line = body[left.start() :].splitlines()[0]
        raise NotBundledError(f"{place.name}: {line[:80]}")
    return f"(() => {{\n{body.rstrip()}\nreturn {{ {', '.join(exported)} }};\n}})()"


def _order(entry: Path, known: list[Path], above: tuple[Path, ...] = ()) -> None:
    """``entry`` and everything that it needs, the needed ones first."""
    if entry in above:
        raise NotBundledError(f"{entry.name} needs itself")
    if entry in known:
        return
    for found in _IMPORT.finditer(entry.read_text(encoding="utf-8")):
        _order((entry.parent / found[2]).resolve(), known, (*above, entry))
    known.append(entry)


@cache
def bundle(entry: str, root: Path = STATIC) -> str:
    """One strict script that does what the module ``entry`` (below ``root``) does; NotBundledError."""
    known: list[Path] = []
    _order((root / entry).resolve(), known)
    number_of = {place: number for number, place in enumerate(known)}
    parts = [
        f"const m{number} = {_convert(place.read_text(encoding='utf-8'), number_of, place)};"
        for place, number in number_of.items()
    ]
    script = '"use strict";\n(() => {\n' + "\n".join(parts) + "\n})();\n"
    # A script element ends at the first of these, whatever the language says.
    return re.sub(r"</(?=script)|<!--", lambda found: found[0].replace("<", "\\x3C"), script, flags=re.IGNORECASE)


@cache
def styles(*names: str, root: Path = STATIC) -> str:
    """Style sheets one behind the other, without comments; NotBundledError for one that would load something."""
    text = "\n".join((root / "css" / name).read_text(encoding="utf-8") for name in names)
    text = re.sub(r"/\*.*?\*/\s*", "", text, flags=re.DOTALL)
    if re.search(r"url\(|@import|</style", text, re.IGNORECASE):
        raise NotBundledError("a style sheet would load something")
    return text
