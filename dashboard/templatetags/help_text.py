"""``{% what_is "KEY" %}``: the “What is this?” beside a heading. It needs no script and is left out of files."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext

from dashboard.core.help import HELP

register = template.Library()


@register.simple_tag(takes_context=True)
def what_is(context: dict[str, Any], key: str) -> str:
    """The disclosure, closed; nothing in a file, and for a section without a key (one to be cloned, an unknown one)."""
    if context.get("one_file") or key not in HELP:
        return ""
    return _drawn(key, get_language() or "")


@lru_cache(maxsize=512)
def _drawn(key: str, _language: str) -> SafeString:
    one = HELP[key]
    see = format_html("<p>{} <code>{}</code></p>", gettext("See it yourself:"), one.see) if one.see else ""
    return format_html(
        '<details class="what" data-what="{}"><summary><span aria-hidden="true">?</span>'
        '<span class="unseen">{} {}</span></summary><div><p>{}</p>{}<p class="soft">{} {}</p></div></details>',
        one.key,
        gettext("What is this:"),
        gettext(one.title),
        gettext(one.fact),
        see,
        gettext("Source:"),
        "; ".join(one.sources),
    )
