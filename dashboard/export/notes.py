"""Renders notes as safe HTML. Notes are Markdown that users write or that imported reports contain."""

from functools import lru_cache

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

#: Longer notes are shown as plain text, since rendering would take too long.
MAX_TEXT = 20_000
#: Nothing that loads resources: no images, styles or forms.
TAGS = {
    *("p", "br", "hr", "em", "strong", "s", "del", "code", "pre", "blockquote", "ul", "ol", "li", "a"),
    *("h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td"),
}
ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
SCHEMES = {"http", "https", "mailto"}

# Without HTML: tags in notes become text. nh3 removes images, which are not in TAGS.
_markdown = MarkdownIt("commonmark", {"html": False, "maxNesting": 20}).enable(["table", "strikethrough"])
_markdown.disable(["image"])
# No relative links: in an exported file they would lead to the reader's disk.
_cleaner = nh3.Cleaner(
    tags=TAGS,
    attributes=ATTRIBUTES,
    url_schemes=SCHEMES,
    url_relative="deny",
    link_rel="noopener noreferrer nofollow",
)


@lru_cache(maxsize=64)
def render_notes(text: str) -> SafeString:
    """Returns the safe HTML of Markdown. Headings start at level 3, below those of the page."""
    text = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    if len(text) > MAX_TEXT:
        return mark_safe(f"<pre>{nh3.clean_text(text)}</pre>")  # noqa: S308 - cleaned  # nosec B703
    tokens = _markdown.parse(text)
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(6, int(token.tag[1]) + 2)}"
    html = _markdown.renderer.render(tokens, _markdown.options, {})
    return mark_safe(_cleaner.clean(html))  # noqa: S308 - cleaned  # nosec B703
