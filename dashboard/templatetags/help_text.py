"""``{% what_is "KEY" %}``: the “What is this?” next to a heading. It works without JavaScript; exported files omit
it."""

import re
from functools import lru_cache
from itertools import zip_longest
from typing import Any

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext

from dashboard.core.help import HELP

register = template.Library()
_DOCUMENT = re.compile(r"\bdocs/([\w-]+)\.md\b")


@register.simple_tag(takes_context=True)
def what_is(context: dict[str, Any], key: str) -> str:
    """Returns the help text as a closed ``<details>`` element. Empty in an exported file, and for a key without a help
    text: templates that are rendered for JavaScript may pass such a key."""
    if context.get("one_file") or key not in HELP:
        return ""
    return _render(key, get_language() or "")


@register.filter
def with_documents(text: str) -> SafeString:
    """Converts a text to HTML in which the name of each document, such as ``docs/measuring.md``, links to its page."""
    parts = _DOCUMENT.split(text)
    links = (format_html('<a href="/docs/{}/">docs/{}.md</a>', name, name) for name in parts[1::2])
    return format_html_join("", "{}{}", zip_longest(parts[::2], links, fillvalue=""))


@lru_cache(maxsize=512)
def _render(key: str, _language: str) -> SafeString:
    entry = HELP[key]
    see = format_html("<p>{} <code>{}</code></p>", gettext("See it yourself:"), entry.see) if entry.see else ""
    return format_html(
        '<details class="what" data-what="{}"><summary><span aria-hidden="true">?</span>'
        '<span class="unseen">{} {}</span></summary><div><p>{}</p>{}<p class="soft">{} {}</p></div></details>',
        entry.key,
        gettext("What is this:"),
        gettext(entry.title),
        gettext(entry.fact),
        see,
        gettext("Source:"),
        format_html_join("; ", "{}", ((with_documents(source),) for source in entry.sources)),
    )
