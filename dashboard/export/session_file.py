"""A training session as one HTML file: its replay, or its anonymous results."""

import base64
import zlib

import msgspec
from django.template.loader import render_to_string

from dashboard.core.measurements.formatting import format_offset
from dashboard.core.training.results.model import SessionReport
from dashboard.export.html import frame

SHEETS = (
    "base.css",
    "experiments.css",
    "replay.css",
    "reports.css",
    "workshops.css",
    "training.css",
    "training_results.css",
)
SHARED_SHEETS = ("base.css", "workshops.css", "training.css", "training_results.css")
ENTRY = "js/ui/training/session_file.js"
#: Lines of the log without JavaScript: more would be slow to lay out.
MAX_LINES = 1500


def _lines(track: dict[str, object]) -> list[tuple[str, str]]:
    """Returns the texts of a replay as pairs: the offset from its start, such as ``132.7``, and the text. ``track`` is
    the recording of ``core.training.results.replay``."""
    texts, times = track["texts"], track["times"]
    assert isinstance(texts, list)  # noqa: S101 - as core.training.results.replay builds them
    assert isinstance(times, list)  # noqa: S101
    lines: list[tuple[str, str]] = []
    at = 0
    for text, step in zip(texts, times, strict=True):
        at += step
        if text:
            lines.append((format_offset(at / 1000), text))
    return lines


def replay_file(report: SessionReport, track: dict[str, object], *, anonymous: bool) -> bytes:
    """Returns the replay of a training session as one HTML file that works offline. ``track`` is the recording of
    ``core.training.results.replay``. If ``anonymous`` is true, the caller must already have replaced the names of
    participants by numbers in ``report`` and ``track``."""
    lines = _lines(track)
    context = frame(SHEETS, ENTRY) | {
        "report": report,
        "anonymous": anonymous,
        "track": base64.b64encode(zlib.compress(msgspec.json.encode(track), 9)).decode(),
        "first_at": track["first_at"],
        "lines": lines[:MAX_LINES],
        "more_lines": max(0, len(lines) - MAX_LINES),
        "truncated": track["truncated"],
    }
    return render_to_string("training/results/replay_file.html", context).encode()


def shared_file(report: SessionReport) -> bytes:
    """Returns the page that a shared link shows, without scripts. ``report`` must be anonymous."""
    return render_to_string("training/results/shared_file.html", frame(SHARED_SHEETS) | {"report": report}).encode()
