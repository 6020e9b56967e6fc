"""Filters for the pages of workshops: ``{% load workshops %}``."""

from collections.abc import Sequence
from typing import Any

from django import template
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

register = template.Library()


class _Renderer(RendererHTML):
    """Renders links so that the browser sends no referrer."""

    def link_open(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        tokens[index].attrSet("rel", "noopener noreferrer")
        return self.renderToken(tokens, index, options, env)


class _Markdown(MarkdownIt):
    def validateLink(self, url: str) -> bool:  # noqa: N802 - the library's name
        return (url.startswith("/") and not url.startswith("//")) or url.startswith(("#", "https://"))


_markdown = _Markdown("commonmark", {"html": False}, renderer_cls=_Renderer).disable(["image", "heading", "lheading"])


@register.filter
def markdown(text: str) -> SafeString:
    """Converts a step's Markdown to HTML. Raw HTML, images and headings are not allowed. Links are allowed only to
    pages of this site and to https URLs."""
    return SafeString(_markdown.render(text))  # html is off: the renderer escapes all text  # nosec B703


@register.filter
def duration(seconds: float | None) -> str:
    """Formats a duration, such as ``40 s``, ``12 min`` or ``1 h 5 min``; a dash if it is unknown."""
    if seconds is None or seconds < 0:
        return "\N{EN DASH}"
    whole = round(seconds)
    if whole < 100:
        return ngettext("%(count)d s", "%(count)d s", whole) % {"count": whole}
    minutes = round(whole / 60)
    if minutes < 60:
        return _("%(minutes)d min") % {"minutes": minutes}
    return _("%(hours)d h %(minutes)d min") % {"hours": minutes // 60, "minutes": minutes % 60}
