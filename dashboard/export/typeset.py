"""The process that typesets a report. It reads JSON from standard input, typesets ``report.typ``, and writes a PDF to
standard output.

It can be killed, and limits its own time and memory. It imports neither Django nor anything that uses the network.
"""

import json
import resource
import sys
import tempfile
from pathlib import Path
from typing import Any

import typst

SECONDS = 20
MAX_MEMORY = 2 << 30
#: Characters that the fonts contain; others are tried before the document is set.
_SUPPORTED = frozenset(map(chr, [10, *range(0x20, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100), 0x200B, 0xFFFD]))
_MAX_TRIES = 400
_PROBE = b'#set text(font: ("Libertinus Serif", "DejaVu Sans Mono", "New Computer Modern"), lang: "en")\n'
_PROBE += b'#set document(title: "probe")\n#for one in json(bytes(sys.inputs.data)) [#one #parbreak()]'


class Typesetter:
    """The typesetter Typst with its own fonts. ``folder`` is an empty folder, the only one that a document can read."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._fonts = typst.Fonts(include_system_fonts=False)
        self._tries = 0

    def compile(self, source: bytes, data: object, timestamp: int) -> bytes:
        """Returns a tagged PDF. ``source`` is a document in Typst's markup, which reads ``data``. ``timestamp`` is the
        time of the document in seconds since the epoch. Raises typst.TypstError."""
        compiler = typst.Compiler(
            input=source,
            root=self._folder,
            font_paths=self._fonts,
            ignore_system_fonts=True,
            sys_inputs={"data": json.dumps(data)},
            package_path=self._folder,
            package_cache_path=self._folder,
        )
        document = compiler.compile(format="pdf", pdf_standards="ua-1", timestamp=timestamp)
        return document if isinstance(document, bytes) else b""

    def unknown(self, chars: list[str]) -> set[str]:
        """Returns those of ``chars`` that no font contains. To find them, it typesets smaller and smaller groups. After
        ``_MAX_TRIES`` attempts, the characters that were not tested count as unknown."""
        if not chars:
            return set()
        self._tries += 1
        if self._tries > _MAX_TRIES:
            return set(chars)
        try:
            self.compile(_PROBE, chars, 0)
        except typst.TypstError:
            if len(chars) == 1:
                return set(chars)
            half = len(chars) // 2
            return self.unknown(chars[:half]) | self.unknown(chars[half:])
        return set()


def replace_unknown(data: Any, unknown: set[str]) -> Any:
    """Returns a copy of the data with a replacement character (U+FFFD) in place of each unknown character."""
    table = str.maketrans(dict.fromkeys(unknown, "\ufffd"))

    def walk(value: Any) -> Any:
        if isinstance(value, str):
            return value.translate(table)
        if isinstance(value, list):
            return [walk(one) for one in value]
        return {key: walk(one) for key, one in value.items()} if isinstance(value, dict) else value

    return walk(data)


def set_report(data: Any, source: bytes, timestamp: int) -> bytes:
    """Returns the report with this ``data`` as PDF. ``source`` is the report's document in Typst's markup, which
    displays ``data``. Characters that no font contains are replaced. Raises typst.TypstError."""
    text = json.dumps(data, ensure_ascii=False)
    with tempfile.TemporaryDirectory() as folder:
        typesetter = Typesetter(folder)
        others = sorted(set(text) - _SUPPORTED)
        data = replace_unknown(data, typesetter.unknown(others))
        try:
            return typesetter.compile(source, data, timestamp)
        except typst.TypstError as error:
            if "could not be displayed" not in str(error):
                raise
            # Some characters can be displayed only in combination: replace all that are not Latin.
            return typesetter.compile(source, replace_unknown(data, set(others)), timestamp)


def main() -> int:
    """Typesets the report. Returns the exit status: 1, after a line on standard error, if that fails."""
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    request = json.load(sys.stdin.buffer)
    source = Path(__file__).with_name("report.typ").read_bytes()
    try:
        document = set_report(request["data"], source, int(request["timestamp"]))
    except typst.TypstError as error:
        sys.stderr.write(f"{str(error)[:400]}\n")
        return 1
    sys.stdout.buffer.write(document)
    return 0


if __name__ == "__main__":
    sys.exit(main())
