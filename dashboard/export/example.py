"""The example report that comes with Netmodes: a real run on a private host, scrubbed (``example.json``)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dashboard.core.report import digest_of
from dashboard.core.report_check import check_file
from dashboard.core.report_view import ReportView
from dashboard.lab.report_reading import derive

FILE = Path(__file__).with_name("example.json")


@dataclass(frozen=True, slots=True)
class Example:
    """The report ready to be shown."""

    view: ReportView
    track: bytes
    digest: str


def is_there() -> bool:
    """Whether this installation has it."""
    return FILE.is_file()


@cache
def load() -> Example | None:
    """The example, made once and kept; None where the file is missing."""
    if not is_there():
        return None
    content, body = check_file(FILE.read_bytes())
    made = derive(content)
    return Example(made.view, made.track, digest_of(body))
