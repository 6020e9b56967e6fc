"""A class that met as one HTML file: its replay, for whoever was there; and its anonymous results, for others."""

from __future__ import annotations

import base64
import zlib

import msgspec
from django.template.loader import render_to_string

from dashboard.core.figures import say_offset
from dashboard.core.session_shapes import SessionReport
from dashboard.export.bundle import STATIC, bundle, styles
from dashboard.export.html import plain_policy, policy

SHEETS = (
    "base.css",
    "experiment.css",
    "replay.css",
    "report.css",
    "workshop.css",
    "session.css",
    "results.css",
)
SHARED_SHEETS = ("base.css", "workshop.css", "session.css", "results.css")
ENTRY = "js/ui/session_file.js"
#: A page with more lines would be slow to lay out; the replay has them all.
MOST_LINES = 1500
_FRAMES = "; frame-ancestors 'none'"  # a meta element cannot say it


def _icon() -> str:
    return base64.b64encode((STATIC / "icon.svg").read_bytes()).decode()


def _lines(track: dict[str, object]) -> list[tuple[str, str]]:
    """The sentences of a track with their offsets."""
    texts, times = track["texts"], track["times"]
    assert isinstance(texts, list)  # noqa: S101  as core.session_track makes them
    assert isinstance(times, list)  # noqa: S101
    found: list[tuple[str, str]] = []
    at = 0
    for text, step in zip(texts, times, strict=True):
        at += step
        if text:
            found.append((say_offset(at / 1000), text))
    return found


def replay_file(report: SessionReport, track: dict[str, object], *, anonymous: bool) -> bytes:
    """The replay as one file that needs no network. ``track`` is that of ``core.session_track``; ``anonymous``: its
    people are numbers, and so are those of ``report``."""
    style = styles(*SHEETS)
    early = (STATIC / "js" / "early.js").read_text(encoding="utf-8")
    script = bundle(ENTRY)
    lines = _lines(track)
    context = {
        "report": report,
        "anonymous": anonymous,
        "one_file": True,
        "style": style,
        "early": early,
        "script": script,
        "icon": _icon(),
        "policy": policy(style, early, script).removesuffix(_FRAMES),
        "track": base64.b64encode(zlib.compress(msgspec.json.encode(track), 9)).decode(),
        "first_at": track["first_at"],
        "lines": lines[:MOST_LINES],
        "more_lines": max(0, len(lines) - MOST_LINES),
        "truncated": track["truncated"],
    }
    return render_to_string("session_replay_file.html", context).encode()


def shared_file(report: SessionReport) -> bytes:
    """The page that a link shows: without a script, and with nothing but what ``report``, an anonymous one, says."""
    style = styles(*SHARED_SHEETS)
    context = {
        "report": report,
        "one_file": True,
        "style": style,
        "icon": _icon(),
        "policy": plain_policy(style).removesuffix(_FRAMES).replace("style-src", "img-src data:; style-src"),
    }
    return render_to_string("session_shared_file.html", context).encode()
