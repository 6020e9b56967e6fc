"""``{% modules "ui/experiments/experiment.js" %}``: a page names the modules that it will run, so that they come all at once."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from django import template
from django.templatetags.static import static
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from dashboard import configuration

register = template.Library()

FOLDER = "dashboard/js"
MAIN = "main.js"
_ROOT = configuration.BASE / "static" / FOLDER
_IMPORT = re.compile(r'^import \{[^}]*\} from "(\.{1,2}/[^"]+)";', re.MULTILINE)


@cache
def needed_by(name: str) -> tuple[str, ...]:
    """The module (below ``FOLDER``) and all that it imports at its head, without those that it may load later."""
    found: dict[Path, None] = {}
    waiting = [_ROOT / name]
    while waiting:
        one = waiting.pop(0)
        if one not in found:
            found[one] = None
            text = one.read_text(encoding="utf-8")
            waiting += [(one.parent / other).resolve() for other in _IMPORT.findall(text)]
    return tuple(str(one.relative_to(_ROOT)) for one in found)


@register.simple_tag
def modules(*names: str) -> SafeString:
    """Links that let a browser fetch the modules before it knows why, without those that every page has anyhow."""
    always = needed_by(MAIN) if names != (MAIN,) else (MAIN,)
    wanted = dict.fromkeys(one for name in names for one in needed_by(name) if one not in always)
    return format_html_join(
        "", '<link rel="modulepreload" href="{}">', ((static(f"{FOLDER}/{one}"),) for one in wanted)
    )
