"""``{% modules %}`` and ``{% stylesheets %}``: the JavaScript modules and style sheets of a page."""

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
    """Returns the module and all modules that it imports, directly or indirectly. Dynamic imports are ignored. Names
    are relative to ``FOLDER``."""
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
    """Returns links that preload the named modules, such as ``ui/experiments/experiment.js``, and their imports, so
    that the browser loads them in parallel. Modules that every page loads are left out."""
    always = needed_by(MAIN) if names != (MAIN,) else (MAIN,)
    wanted = dict.fromkeys(path for name in names for path in needed_by(name) if path not in always)
    return format_html_join(
        "", '<link rel="modulepreload" href="{}">', ((static(f"{FOLDER}/{path}"),) for path in wanted)
    )


@register.simple_tag
def stylesheets(*names: str) -> SafeString:
    """Returns links to the named style sheets, such as ``base.css``."""
    return format_html_join(
        "\n", '<link rel="stylesheet" href="{}">', ((static(f"dashboard/css/{name}"),) for name in names)
    )
