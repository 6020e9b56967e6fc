"""The example report that comes with Netmodes: a real run on a private host, scrubbed (``example.json``)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dashboard.core.report import digest_of
from dashboard.core.report_check import check_file
from dashboard.core.report_view import ReportView, build_view
from dashboard.core.track import build_track, encode_track

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
    entries = content.experiment.journal if content.experiment is not None else ()
    return Example(build_view(content), encode_track(build_track(entries)), digest_of(body))
