"""Finds what a strict content policy forbids in a page."""

from __future__ import annotations

from html.parser import HTMLParser

_ADDRESSES = frozenset({"src", "href", "action", "formaction", "poster", "data", "srcset", "xlink:href"})
#: Questions link to Docker's documentation and to issues; nothing is loaded from there.
_SITES = ("https://docs.docker.com/", "https://github.com/")


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "style":
            self.found.append("a style element")
        if tag == "script" and "src" not in given and given.get("type") != "application/json":
            self.found.append("an inline script")
        if tag in {"iframe", "object", "embed", "base"}:
            self.found.append(f"a {tag}")
        for name, value in attrs:
            if name == "style" or name.startswith("on"):
                self.found.append(f"{tag} {name}=")
            address = (value or "").strip().lower()
            if tag == "a" and name == "href" and address.startswith(_SITES) and given.get("rel") == "noreferrer":
                continue
            if (name in _ADDRESSES and not address.startswith(("/", "#", "?"))) or address.startswith("//"):
                self.found.append(f"{tag} {name}={value}")


def forbidden_in(page: str) -> list[str]:
    """The inline scripts and styles, frames, and addresses of other sites except links of questions."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return reader.found
