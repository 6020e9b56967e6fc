"""Bundles the served ES modules into one script, for a file that may load nothing.

Each module becomes the scope of a function, in the order of their imports; its exports are an object. The bundler knows
only the forms that these modules use and raises NotBundledError for others.
"""

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
    """The names of an import (``a, b as c``) as a destructuring pattern (``a, b: c``)."""
    parts = [" ".join(part.split()) for part in text.split(",")]
    return ", ".join(part.replace(" as ", ": ") for part in parts if part)


def _convert(text: str, number_of: dict[Path, int], place: Path) -> str:
    def imported(match: re.Match[str]) -> str:
        return f"const {{ {_names(match[1])} }} = m{number_of[(place.parent / match[2]).resolve()]};\n"

    exported = [name for match in _EXPORT.finditer(text) for name in match.groups() if name]
    body = _EXPORT.sub("", _IMPORT.sub(imported, text))
    if left := _LEFT.search(body):
        line = body[left.start() :].splitlines()[0]
        raise NotBundledError(f"{place.name}: {line[:80]}")
    return f"(() => {{\n{body.rstrip()}\nreturn {{ {', '.join(exported)} }};\n}})()"


def _order(entry: Path, known: list[Path], above: tuple[Path, ...] = ()) -> None:
    """Adds ``entry`` to ``known`` after everything that it imports."""
    if entry in above:
        raise NotBundledError(f"{entry.name} imports itself")
    if entry in known:
        return
    for match in _IMPORT.finditer(entry.read_text(encoding="utf-8")):
        _order((entry.parent / match[2]).resolve(), known, (*above, entry))
    known.append(entry)


@cache
def bundle(entry: str, root: Path = STATIC) -> str:
    """The module ``entry`` (below ``root``) and its imports as one strict script. Raises NotBundledError."""
    known: list[Path] = []
    _order((root / entry).resolve(), known)
    number_of = {place: number for number, place in enumerate(known)}
    parts = [
        f"const m{number} = {_convert(place.read_text(encoding='utf-8'), number_of, place)};"
        for place, number in number_of.items()
    ]
    script = '"use strict";\n(() => {\n' + "\n".join(parts) + "\n})();\n"
    # These end a script element, even within a string.
    return re.sub(r"</(?=script)|<!--", lambda match: match[0].replace("<", "\\x3C"), script, flags=re.IGNORECASE)


@cache
def styles(*names: str, root: Path = STATIC) -> str:
    """The style sheets joined, without comments. Raises NotBundledError if one would load something."""
    text = "\n".join((root / "css" / name).read_text(encoding="utf-8") for name in names)
    text = re.sub(r"/\*.*?\*/\s*", "", text, flags=re.DOTALL)
    if re.search(r"url\(|@import|</style", text, re.IGNORECASE):
        raise NotBundledError("a style sheet refers to another file")
    return text
