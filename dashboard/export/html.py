"""A report as one HTML file: opens anywhere without a network, complete without a script, replays with one."""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from collections.abc import Sequence

from django.template.loader import render_to_string

from dashboard.core.reports.model import ReportContent, canonical, digest_of
from dashboard.core.reports.view import ReportView
from dashboard.export.bundle import STATIC, bundle, styles

SHEETS = ("base.css", "experiments.css", "measurements.css", "replay.css", "reports.css")
ENTRY = "js/ui/reports/report_file.js"
#: The file around the content's bytes: ``{"content":`` before, ``,"hash":"sha256:…","schema":"report/1"}`` behind.
BEFORE, BEHIND = 11, 102

_POLICY = re.compile(rb'<meta http-equiv="Content-Security-Policy" content="([^"<>]*)">')
#: The policy comes before everything that a person typed.
_POLICY_WITHIN = 2_000
_FRAMES = "; frame-ancestors 'none'"  # a meta element cannot say it


def check_command(name: str) -> str:
    """What computes the hash of an exported file with coreutils alone: it is that of the bytes between the frame."""
    return f"tail -c +{BEFORE + 1} report-{name}.json | head -c -{BEHIND} | sha256sum"


def _source(text: str) -> str:
    """As it stands in a policy (CSP 3, hash-source)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def policy(style: str, *scripts: str) -> str:
    """Nothing is loaded, and nothing runs but these; the icon stands in the file."""
    run = " ".join(_source(one) for one in scripts)
    return (
        f"default-src 'none'; script-src {run}; style-src {_source(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def plain_policy(style: str) -> str:
    """For a page without a script."""
    return (
        f"default-src 'none'; style-src {_source(style)}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def frame(sheets: Sequence[str], entry: str = "") -> dict[str, object]:
    """What ``file_base.html`` needs: styles, the icon, the script of ``entry`` with what comes before it, and the
    policy that allows these alone. Without an entry the file has no script."""
    style = styles(*sheets)
    icon = base64.b64encode((STATIC / "icon.svg").read_bytes()).decode()
    found: dict[str, object] = {"one_file": True, "style": style, "icon": icon}
    if entry:
        early, script = (STATIC / "js" / "early.js").read_text(encoding="utf-8"), bundle(entry)
        found |= {"early": early, "script": script}
        allowed = policy(style, early, script)
    else:
        allowed = plain_policy(style).replace("style-src", "img-src data:; style-src")
    return found | {"policy": allowed.removesuffix(_FRAMES)}


def one_file(
    content: ReportContent, view: ReportView, track: bytes, *, digest: str = "", scrubbed: bool = False
) -> bytes:
    """The whole file. ``track`` is the encoded one of ``core.reports.replay.recording``; ``digest`` that of the content, computed where it
    is not given; ``scrubbed``: details of the machine were taken out of it."""
    shown = digest or digest_of(canonical(content))
    context = frame([name for name in SHEETS if (STATIC / "css" / name).is_file()], ENTRY) | {
        "view": view,
        "digest": shown,
        "check_command": check_command(shown[:12]),
        "all_lines": True,
        "replay": view.snapshot is not None,
        "track": base64.b64encode(zlib.compress(track, 9)).decode() if view.snapshot is not None else "",
        "scrubbed": scrubbed,
    }
    return render_to_string("reports/report_file.html", context).encode()


def policy_of(document: bytes) -> str:
    """The policy that a file of ``one_file`` carries; ValueError if it is none."""
    found = _POLICY.search(document, 0, _POLICY_WITHIN)
    if found is None:
        raise ValueError("not a report's file")
    return found[1].decode()
