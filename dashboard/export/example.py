"""The example report that comes with Netmodes: a real run on a private host, scrubbed (``example.json``)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from dashboard.core.reports.model import ReportContent, digest_of
from dashboard.core.reports.replay.recording import build_track, encode_track
from dashboard.core.reports.validate import check_file
from dashboard.core.reports.view import ReportView, build_view

FILE = Path(__file__).with_name("example.json")


def is_there() -> bool:
    """Whether this installation has it."""
    return FILE.is_file()


@cache
def _content() -> tuple[ReportContent, str]:
    content, body = check_file(FILE.read_bytes())
    return content, digest_of(body)


def digest() -> str:
    """The digest of its content."""
    return _content()[1]


@cache
def view() -> ReportView:
    """What is read of it, made once and kept."""
    return build_view(_content()[0])


@cache
def track() -> bytes:
    """What its replay is fed with."""
    experiment = _content()[0].experiment
    return encode_track(build_track(experiment.journal)) if experiment is not None else b""
