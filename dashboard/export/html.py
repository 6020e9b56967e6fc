"""A report as one HTML file that needs no network. Only the replay needs the script in it."""

import base64
import hashlib
import re
import zlib
from collections.abc import Callable, Sequence

from django.template.loader import render_to_string

from dashboard.core.reports.model import ReportContent, canonical, digest_of
from dashboard.export.bundle import STATIC, bundle, styles
from dashboard.store.reports.reading import Derived

SHEETS = ("base.css", "experiments.css", "measurements.css", "replay.css", "reports.css")
ENTRY = "js/ui/reports/report_file.js"
#: The length of ``{"content":`` before the content of an exported file, and of the hash and schema after it.
BEFORE, BEHIND = 11, 102

_POLICY = re.compile(rb'<meta http-equiv="Content-Security-Policy" content="([^"<>]*)">')
#: The policy comes before all text of the report.
_POLICY_WITHIN = 2_000
_FRAMES = "; frame-ancestors 'none'"  # not supported in meta elements


def hash_command(file: str) -> str:
    """Returns a shell command that computes the hash of the content of an exported JSON file with coreutils. ``file``
    is the file's name, which must need no quotes in a shell."""
    return f"tail -c +{BEFORE + 1} {file} | head -c -{BEHIND} | sha256sum"


def _source(text: str) -> str:
    """Returns the hash source of an inline element for a content security policy (CSP 3)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def policy(style: str, *scripts: str) -> str:
    """Returns a content security policy that allows only this style, these scripts and images in ``data:`` URLs, such
    as the icon."""
    sources = " ".join(_source(script) for script in scripts)
    return (
        f"default-src 'none'; script-src {sources}; style-src {_source(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def plain_policy(style: str) -> str:
    """Returns the content security policy of a page without scripts."""
    return (
        f"default-src 'none'; style-src {_source(style)}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def frame(sheets: Sequence[str], entry: str = "") -> dict[str, object]:
    """Returns the context of the template ``file_base.html``: styles, icon, scripts and a content security policy that
    allows them.

    ``sheets`` are the names of style sheets. ``entry`` is the module from which the script is bundled; without it, the
    file has no scripts. With ``entry``, the file also has the script of the theme, which must run first.
    """
    style = styles(*sheets)
    icon = base64.b64encode((STATIC / "icon.svg").read_bytes()).decode()
    context: dict[str, object] = {"one_file": True, "style": style, "icon": icon}
    if entry:
        theme_script, script = (STATIC / "js" / "theme_boot.js").read_text(encoding="utf-8"), bundle(entry)
        context |= {"theme_script": theme_script, "script": script}
        allowed = policy(style, theme_script, script)
    else:
        allowed = plain_policy(style).replace("style-src", "img-src data:; style-src")
    return context | {"policy": allowed.removesuffix(_FRAMES)}


def render_file(
    content: ReportContent,
    derived: Derived,
    *,
    digest: str = "",
    json_file: str = "",
    anonymised: bool = False,
    check: Callable[[], None] = lambda: None,
) -> bytes:
    """Returns the HTML file of a report.

    ``derived`` is what ``derive`` returns for the content. ``digest`` is the SHA-256 of the content; if it is empty, it
    is computed. ``json_file`` is the name of the report's JSON file; if it is empty, the command that computes the hash
    from that file is omitted. If ``anonymised`` is true, the file states that details of the machine were removed.
    ``check`` is called for each row, run and claim, because a large report takes seconds. An exception that it raises
    ends the work.
    """
    view = derived.view
    shown = digest or digest_of(canonical(content))
    context = frame(SHEETS, ENTRY) | {
        "view": view,
        "digest": shown,
        "check_command": hash_command(json_file) if json_file else "",
        "all_lines": True,
        "replay": view.snapshot is not None,
        "recording": base64.b64encode(zlib.compress(derived.recording, 9)).decode() if view.snapshot else "",
        "anonymised": anonymised,
        "check": check,
    }
    return render_to_string("reports/file/report_file.html", context).encode()


def policy_of(document: bytes) -> str:
    """Returns the content security policy in a file that ``render_file`` made. Raises ValueError if the file has
    none."""
    match = _POLICY.search(document, 0, _POLICY_WITHIN)
    if match is None:
        raise ValueError("not a report's file")
    return match[1].decode()
