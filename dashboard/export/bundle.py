"""Bundles the served ES modules into one script, for an HTML file that may load nothing.

Each module becomes a function, in the order of the imports; its exports become an object. The bundler supports only the
syntax that these modules use, and raises NotBundledError for any other.
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
    """A module or a style sheet contains something that cannot be bundled."""


def _names(text: str) -> str:
    """Converts the names of an import (``a, b as c``) to a destructuring pattern (``a, b: c``)."""
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
    """Appends ``entry`` to ``known``, after the modules that it imports. ``above`` are the modules that import it."""
    if entry in above:
        raise NotBundledError(f"{entry.name} imports itself")
    if entry in known:
        return
    for match in _IMPORT.finditer(entry.read_text(encoding="utf-8")):
        _order((entry.parent / match[2]).resolve(), known, (*above, entry))
    known.append(entry)


@cache
def bundle(entry: str, root: Path = STATIC) -> str:
    """Returns the module ``entry`` (a path below ``root``) and everything that it imports as one script in strict mode.
    Raises NotBundledError."""
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
    """Returns the style sheets joined and without comments. Raises NotBundledError if one refers to another file."""
    text = "\n".join((root / "css" / name).read_text(encoding="utf-8") for name in names)
    text = re.sub(r"/\*.*?\*/\s*", "", text, flags=re.DOTALL)
    if re.search(r"url\(|@import|</style", text, re.IGNORECASE):
        raise NotBundledError("a style sheet refers to another file")
    return text
