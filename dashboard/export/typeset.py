"""The child that sets a report: JSON from standard input, ``report.typ`` beside it, PDF to standard output.

It is a process of its own so that it can be ended, and has bounds of its own; it knows neither Django nor the network.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
from pathlib import Path
from typing import Any

import typst

SECONDS = 20
MOST_MEMORY = 2 << 30
#: Known to be in the fonts; every other character is tried before the document is set.
_SURE = frozenset(map(chr, [10, *range(0x20, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100), 0x200B, 0xFFFD]))
_MOST_TRIES = 400
_PROBE = b'#set text(font: ("Libertinus Serif", "DejaVu Sans Mono", "New Computer Modern"), lang: "en")\n'
_PROBE += b'#set document(title: "probe")\n#for one in json(bytes(sys.inputs.data)) [#one #parbreak()]'


class Press:
    """The typesetter with its own fonts only, in an empty folder."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._fonts = typst.Fonts(include_system_fonts=False)
        self._tries = 0

    def print(self, source: bytes, data: object, timestamp: int) -> bytes:
        """A tagged PDF; typst.TypstError."""
        compiler = typst.Compiler(
            input=source,
            root=self._folder,
            font_paths=self._fonts,
            ignore_system_fonts=True,
            sys_inputs={"data": json.dumps(data)},
            package_path=self._folder,
            package_cache_path=self._folder,
        )
        found = compiler.compile(format="pdf", pdf_standards="ua-1", timestamp=timestamp)
        return found if isinstance(found, bytes) else b""

    def unknown(self, chars: list[str]) -> set[str]:
        """Those that no font has."""
        if not chars:
            return set()
        self._tries += 1
        if self._tries > _MOST_TRIES:
            return set(chars)
        try:
            self.print(_PROBE, chars, 0)
        except typst.TypstError:
            if len(chars) == 1:
                return set(chars)
            half = len(chars) // 2
            return self.unknown(chars[:half]) | self.unknown(chars[half:])
        return set()


def replace_unknown(data: Any, unknown: set[str]) -> Any:
    """The same data, with a replacement character for each unknown one."""
    table = str.maketrans(dict.fromkeys(unknown, "\ufffd"))

    def walk(value: Any) -> Any:
        if isinstance(value, str):
            return value.translate(table)
        if isinstance(value, list):
            return [walk(one) for one in value]
        return {key: walk(one) for key, one in value.items()} if isinstance(value, dict) else value

    return walk(data)


def set_report(data: Any, source: bytes, timestamp: int) -> bytes:
    """The report as PDF. Characters that no font has are replaced; typst.TypstError."""
    text = json.dumps(data, ensure_ascii=False)
    with tempfile.TemporaryDirectory() as folder:
        press = Press(folder)
        others = sorted(set(text) - _SURE)
        data = replace_unknown(data, press.unknown(others))
        try:
            return press.print(source, data, timestamp)
        except typst.TypstError as error:
            if "could not be displayed" not in str(error):
                raise
            # Shapes that characters have only together: what is not Latin goes.
            return press.print(source, replace_unknown(data, set(others)), timestamp)


def main() -> int:
    """Reads, sets, writes; 1 with a line on standard error where it cannot be set."""
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    said = json.load(sys.stdin.buffer)
    source = Path(__file__).with_name("report.typ").read_bytes()
    try:
        found = set_report(said["data"], source, int(said["timestamp"]))
    except typst.TypstError as error:
        sys.stderr.write(f"{str(error)[:400]}\n")
        return 1
    sys.stdout.buffer.write(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
