"""The example report that is part of Netmodes: a real run on a private host, anonymised (``example.json``)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from dashboard.core.reports.model import ReportContent, digest_of
from dashboard.core.reports.replay.recording import build_recording, encode_recording
from dashboard.core.reports.validate import validate_file
from dashboard.core.reports.view import ReportView, build_view

FILE = Path(__file__).with_name("example.json")


def is_there() -> bool:
    """Whether this installation has it."""
    return FILE.is_file()


@cache
def _content() -> tuple[ReportContent, str]:
    content, body = validate_file(FILE.read_bytes())
    return content, digest_of(body)


def digest() -> str:
    """The digest of its content."""
    return _content()[1]


@cache
def view() -> ReportView:
    """Its view, computed once."""
    return build_view(_content()[0])


@cache
def recording() -> bytes:
    """The recording for its replay, as JSON."""
    experiment = _content()[0].experiment
    return encode_recording(build_recording(experiment.journal)) if experiment is not None else b""
