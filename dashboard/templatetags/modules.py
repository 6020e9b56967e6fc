"""What a page loads and where it is in the navigation: ``{% load modules %}``."""

import re
from functools import cache
from pathlib import Path

from django import template
from django.templatetags.static import static
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from dashboard import configuration

register = template.Library()

FOLDER = "dashboard/js"
MAIN = "main.js"
_ROOT = configuration.BASE / "static" / FOLDER
_IMPORT = re.compile(r'^import \{[^}]*\} from "(\.{1,2}/[^"]+)";', re.MULTILINE)


@cache
def needed_by(name: str) -> tuple[str, ...]:
    """The module (below ``FOLDER``) and all its static imports, without dynamic ones."""
    found: dict[Path, None] = {}
    waiting = [_ROOT / name]
    while waiting:
        path = waiting.pop(0)
        if path not in found:
            found[path] = None
            text = path.read_text(encoding="utf-8")
            waiting += [(path.parent / other).resolve() for other in _IMPORT.findall(text)]
    return tuple(str(path.relative_to(_ROOT)) for path in found)


@register.simple_tag
def modules(*names: str) -> SafeString:
    """Links that preload the modules of a page (``ui/experiments/experiment.js``), so that they load in parallel,
    without those that every page loads."""
    always = needed_by(MAIN) if names != (MAIN,) else (MAIN,)
    wanted = dict.fromkeys(path for name in names for path in needed_by(name) if path not in always)
    return format_html_join(
        "", '<link rel="modulepreload" href="{}">', ((static(f"{FOLDER}/{path}"),) for path in wanted)
    )


@register.simple_tag
def stylesheets(*names: str) -> SafeString:
    """Links to style sheets such as ``base.css``."""
    return format_html_join(
        "\n", '<link rel="stylesheet" href="{}">', ((static(f"dashboard/css/{name}"),) for name in names)
    )


@register.simple_tag(takes_context=True)
def navigation(context: template.Context) -> list[dict[str, str]]:
    """The entries of the navigation. ``current`` is the value of aria-current: ``page`` for the entry's own page,
    ``true`` for the pages below it."""
    path = context["request"].path if "request" in context else ""
    return [
        {"url": url, "title": title, "current": "page" if path == url else "true" if path.startswith(below) else ""}
        for url, below, title in (
            ("/", "/experiments/", _("Compare")),
            ("/workshop/", "/workshop/", _("Workshop")),
            ("/sessions/", "/sessions/", _("Sessions")),
            ("/measurements/", "/measurements/", _("Measurements")),
            ("/claims/", ("/claims/", "/misconceptions/"), _("Claims")),
            ("/reports/", "/reports/", _("Reports")),
            ("/doctor/", "/doctor/", _("Doctor")),
            ("/api/docs", "/api/docs", _("API")),
        )
    ]
