"""Serves the documents of this version at ``/docs/``, without any external connection.

The documents are part of the program and public. So their HTML is trusted, and no sign-in is required.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import SafeString
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_GET
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

from dashboard import configuration

FOLDER = configuration.BASE / "docs"
#: The name of the document that ``/docs/`` shows.
FIRST = "README"
#: The media types of files that documents link to or show, by the ending of the name.
FILES = {".png": "image/png", ".yml": "text/plain", ".yaml": "text/plain", ".json": "text/plain"}
_DOCUMENT = re.compile(r"([\w-]+)\.md(#[\w-]+)?")
_COMMENT = re.compile(r"<!--.*?-->\n?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Document:
    """A document, rendered as HTML. ``name`` is its file name without the ending."""

    name: str
    title: str
    html: SafeString


@cache
def names() -> frozenset[str]:
    """Returns the names of all documents."""
    return frozenset(path.stem for path in FOLDER.glob("*.md"))


def url_of(target: str) -> str:
    """Returns the URL for the target of a link in a document; empty for a target that is not served, such as a source
    file."""
    if target.startswith(("https://", "http://", "#")):
        return target
    match = _DOCUMENT.fullmatch(target)
    if match and match[1] in names():
        return ("/docs/" if match[1] == FIRST else f"/docs/{match[1]}/") + (match[2] or "")
    return f"/docs/{target}" if _file(target) is not None else ""


def _file(name: str) -> Path | None:
    """Returns the path of the file with this name if documents may link to it; otherwise None."""
    path = FOLDER / name
    return path if path.parent == FOLDER and path.suffix in FILES and path.is_file() else None


class _Renderer(RendererHTML):
    """Renders Markdown. Gives headings ids, resolves links to files that are served, and makes wide tables scroll."""

    def heading_open(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        identity = slugify(re.sub(r"[^\w\s-]", "", tokens[index + 1].content))
        seen = env.setdefault("ids", {})
        seen[identity] = seen.get(identity, -1) + 1
        tokens[index].attrSet("id", f"{identity}-{seen[identity]}" if seen[identity] else identity)
        return self.renderToken(tokens, index, options, env)

    def link_open(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        url = url_of(str(tokens[index].attrGet("href")))
        env.setdefault("links", []).append(bool(url))
        if not url:
            return ""
        tokens[index].attrSet("href", url)
        tokens[index].attrSet("rel", "noopener noreferrer")
        return self.renderToken(tokens, index, options, env)

    def link_close(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        return self.renderToken(tokens, index, options, env) if env["links"].pop() else ""

    def image(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        tokens[index].attrSet("src", url_of(str(tokens[index].attrGet("src"))))
        return super().image(tokens, index, options, env)

    def th_open(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        return self._cell(tokens, index, options, env)

    def td_open(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        return self._cell(tokens, index, options, env)

    def _cell(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        tokens[index].attrs.pop("style", None)  # the alignment; the Content-Security-Policy forbids inline styles
        return self.renderToken(tokens, index, options, env)

    def table_open(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        return '<div class="wide" tabindex="0" role="group"><table class="plain">'

    def table_close(self, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
        return "</table></div>"


_markdown = MarkdownIt("commonmark", {"html": True}, renderer_cls=_Renderer).enable("table")


def load(name: str) -> Document | None:
    """Returns the document with this name; None if it does not exist."""
    return _render(name) if name in names() else None


@cache
def _render(name: str) -> Document:
    text = _COMMENT.sub("", (FOLDER / f"{name}.md").read_text(encoding="utf-8"))
    title = next((line[2:].replace("`", "") for line in text.splitlines() if line.startswith("# ")), name)
    return Document(name, title, SafeString(_markdown.render(text)))  # trusted: a document of Netmodes  # nosec B703


@require_GET
@cache_control(private=True, no_cache=True)
def document(request: HttpRequest, name: str = FIRST) -> HttpResponse:
    """Renders the page of a document."""
    found = load(name)
    if found is None or (name == FIRST and request.path != "/docs/"):
        raise Http404(_("There is no document with this name."))
    return render(request, "operations/document.html", {"document": found, "is_first": name == FIRST})


@require_GET
@cache_control(private=True, no_cache=True)
def document_file(_request: HttpRequest, name: str) -> HttpResponse:
    """Returns a picture or configuration file that a document links to."""
    path = _file(name)
    if path is None:
        raise Http404(_("There is no document with this name."))
    return HttpResponse(path.read_bytes(), content_type=FILES[path.suffix])
