"""A report as PDF: tagged (PDF/UA-1), with title, bookmarks and alternative texts. The same report gives the same
bytes.

The typesetter Typst runs in a process with a time limit. It is the optional dependency ``pdf``.
"""

import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from markdown_it import MarkdownIt

from dashboard.core.measurements.formatting import moment_of
from dashboard.core.reports.document import document_data
from dashboard.core.reports.view import ReportView

#: Two seconds more than the limit of the process itself.
SECONDS = 22
CHECK_EVERY_S = 0.1
_CHILD = Path(__file__).with_name("typeset.py")
_KINDS = {"heading_open": "heading", "list_item_open": "item"}


class NoPdfError(Exception):
    """The PDF cannot be made. The text is a message for the user."""


def is_available() -> bool:
    """Whether the typesetter is installed."""
    return importlib.util.find_spec("typst") is not None


def read_notes(text: str) -> list[tuple[str, str]]:
    """Returns the blocks of Markdown as pairs (kind, plain text). Inline markup is removed, and HTML is kept as text.
    Kinds are ``heading``, ``item``, ``code`` and ``paragraph``."""
    blocks: list[tuple[str, str]] = []
    kind = "paragraph"
    for token in MarkdownIt("commonmark", {"html": False}).parse(text):
        kind = _KINDS.get(token.type, kind)
        if token.type == "inline":
            text_of_block = "".join(
                "\n" if one.type in {"softbreak", "hardbreak"} else one.content for one in token.children or ()
            )
            blocks.append((kind, text_of_block))
            kind = "paragraph"
        elif token.type in {"fence", "code_block"}:
            blocks.append(("code", token.content.rstrip("\n")))
    return blocks


def pdf(view: ReportView, digest: str = "", check: Callable[[], None] = lambda: None) -> bytes:
    """Returns the report as PDF. ``digest`` is the SHA-256 of the content, 64 hexadecimal digits. ``check`` is called
    while the typesetter runs; an exception that it raises ends the typesetter. Raises NoPdfError if the PDF cannot be
    made."""
    if not is_available():
        raise NoPdfError(
            "PDF export needs the typesetter typst, which is not installed. Run “pip install 'netmodes[pdf]'” in the "
            "environment of Netmodes, or export as HTML and print that."
        )
    data = {
        "data": document_data(view, read_notes(view.notes), digest),
        "timestamp": int(moment_of(view.saved_at).timestamp()),
    }
    status, document, errors = _typeset(json.dumps(data).encode(), check)
    if status or not document.startswith(b"%PDF-"):
        lines = errors.decode(errors="replace").strip().splitlines()
        reason = lines[-1][:300] if lines else "the typesetter exceeded its limit of time or memory"
        raise NoPdfError(f"The PDF could not be made: {reason}. Export as HTML instead.")
    return document


def _typeset(request: bytes, check: Callable[[], None]) -> tuple[int, bytes, bytes]:
    """Runs the typesetter with ``request``, the JSON that it reads. Returns its exit status, the PDF, and its messages
    on standard error. Raises NoPdfError after ``SECONDS``. The process never outlives this call."""
    command, pipe = [sys.executable, "-I", str(_CHILD)], subprocess.PIPE
    deadline = time.monotonic() + SECONDS
    # A file, not a pipe: after a timeout ``communicate`` of Python 3.13.5 does not write the rest of its input.
    with tempfile.TemporaryFile() as given:
        given.write(request)
        given.seek(0)
        child = subprocess.Popen(command, stdin=given, stdout=pipe, stderr=pipe, env={})
    with child:
        try:
            while True:
                try:
                    document, errors = child.communicate(timeout=CHECK_EVERY_S)
                except subprocess.TimeoutExpired:
                    check()
                    if time.monotonic() > deadline:
                        raise NoPdfError(f"The PDF took longer than {SECONDS} s. Export as HTML instead.") from None
                else:
                    return child.returncode, document, errors
        finally:
            child.kill()
