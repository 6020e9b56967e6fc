"""A report as PDF: tagged (PDF/UA-1), with a title, bookmarks and alternative texts; the same report, the same bytes.

The typesetter runs as a process with a time limit. It is the extra ``pdf``: without it there is a sentence that says
how to install it.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

from markdown_it import MarkdownIt

from dashboard.core.measurements.formatting import moment_of
from dashboard.core.reports.document import document_data
from dashboard.core.reports.view import ReportView

#: Two more than the process allows itself.
SECONDS = 22
_CHILD = Path(__file__).with_name("typeset.py")
_KINDS = {"heading_open": "heading", "list_item_open": "item"}


class NoPdfError(Exception):
    """There is no PDF; the text is a sentence for a person."""


def is_available() -> bool:
    """Whether the typesetter is installed."""
    return importlib.util.find_spec("typst") is not None


def read_notes(text: str) -> list[tuple[str, str]]:
    """Markdown as (kind, plain text) of its blocks, in order; markup within a line is left out, HTML stays text."""
    found: list[tuple[str, str]] = []
    kind = "paragraph"
    for token in MarkdownIt("commonmark", {"html": False}).parse(text):
        kind = _KINDS.get(token.type, kind)
        if token.type == "inline":
            said = "".join(
                "\n" if one.type in {"softbreak", "hardbreak"} else one.content for one in token.children or ()
            )
            found.append((kind, said))
            kind = "paragraph"
        elif token.type in {"fence", "code_block"}:
            found.append(("code", token.content.rstrip("\n")))
    return found


def pdf(view: ReportView, digest: str = "") -> bytes:
    """The report on pages; NoPdfError. ``digest``: the 64 digits of the content's hash."""
    if not is_available():
        raise NoPdfError(
            "PDF needs the typesetter typst, which is not installed: run “pip install 'netmodes[pdf]'” in the "
            "environment of Netmodes, or export as HTML and print that."
        )
    data = {
        "data": document_data(view, read_notes(view.notes), digest),
        "timestamp": int(moment_of(view.saved_at).timestamp()),
    }
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(_CHILD)],
            input=json.dumps(data).encode(),
            capture_output=True,
            timeout=SECONDS,
            check=False,
            env={},
        )
    except subprocess.TimeoutExpired:
        raise NoPdfError(f"The PDF took longer than {SECONDS} s and was given up: export as HTML instead.") from None
    if done.returncode or not done.stdout.startswith(b"%PDF-"):
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        reason = lines[-1][:300] if lines else "it needed more time or memory than it may have"
        raise NoPdfError(f"The PDF could not be set: {reason}. Export as HTML instead.")
    return done.stdout
