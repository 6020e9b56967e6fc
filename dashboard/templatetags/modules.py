"""``{% modules "ui/experiment.js" %}``: a page names the modules that it will run, so that they come all at once."""

from __future__ import annotations

import re
from functools import cache
from pathlib import PurePosixPath
from posixpath import normpath

from django import template
from django.contrib.staticfiles import finders
from django.templatetags.static import static
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

register = template.Library()

ROOT = "dashboard/js"
MAIN = "main.js"
_IMPORT = re.compile(r'^import \{[^}]*\} from "(\.{1,2}/[^"]+)";', re.MULTILINE)


@cache
def needed_by(name: str) -> tuple[str, ...]:
    """The module (below ``ROOT``) and all that it imports at its head, without those that it may load later."""
    found: dict[str, None] = {}
    waiting = [name]
    while waiting:
        one = waiting.pop(0)
        path = finders.find(f"{ROOT}/{one}")
        if one in found or path is None:
            continue
        found[one] = None
        with open(path, encoding="utf-8") as opened:
            text = opened.read()
        waiting += [normpath(str(PurePosixPath(one).parent / other)) for other in _IMPORT.findall(text)]
    return tuple(found)


@register.simple_tag
def modules(*names: str) -> SafeString:
    """Links that let a browser fetch the modules before it knows why, without those of ``MAIN`` itself."""
    always = set(needed_by(MAIN)) if names != (MAIN,) else set()
    wanted = dict.fromkeys(one for name in names for one in needed_by(name) if one not in always)
    wanted.pop(MAIN, None)
    return format_html_join("", '<link rel="modulepreload" href="{}">', ((static(f"{ROOT}/{one}"),) for one in wanted))
