"""dashboard.export.notes: Markdown from any source becomes HTML that runs and loads nothing."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.export.notes import ATTRIBUTES, MAX_TEXT, TAGS, render_notes
from tests.support.xss import STRINGS


class Reader(HTMLParser):
    """Collects forbidden elements and attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        allowed = ATTRIBUTES.get(tag, set()) | ({"rel"} if tag == "a" else set())
        if tag not in TAGS:
            self.found.append(tag)
        for name, value in attrs:
            if name not in allowed:
                self.found.append(f"{tag} {name}")
            if name == "href" and not (value or "").lower().startswith(("http:", "https:", "mailto:")):
                self.found.append(f"{tag} {name}={value}")


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("**b** *e* `c`", "<p><strong>b</strong> <em>e</em> <code>c</code></p>\n"),
        ("# One\n\n###### Six", "<h3>One</h3>\n<h6>Six</h6>\n"),
        ("<b>x</b>", "<p>&lt;b&gt;x&lt;/b&gt;</p>\n"),
        (
            "[x](https://example.org)",
            '<p><a href="https://example.org" rel="noopener noreferrer nofollow">x</a></p>\n',
        ),
        (
            "![x](https://example.org/x.png)",
            '<p>!<a href="https://example.org/x.png" rel="noopener noreferrer nofollow">x</a></p>\n',
        ),
        ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n"),
        ("a\0b", "<p>a\N{REPLACEMENT CHARACTER}b</p>\n"),
        ("", ""),
    ],
)
def test_markdown_is_rendered_as_html(text: str, html: str) -> None:
    assert render_notes(text) == html


@pytest.mark.parametrize(
    "text", ["[x](javascript:alert(1))", "[x](data:text/html,y)", "<javascript:alert(1)>", "[x](/sign-out/)", "[x](x)"]
)
def test_a_link_that_would_run_script_is_removed(text: str) -> None:
    assert "href" not in render_notes(text)


def test_two_hundred_hostile_strings_run_nothing() -> None:
    for text in (*STRINGS, *(f"[x]({one})" for one in STRINGS), *(f"    {one}\n\n> {one}" for one in STRINGS)):
        assert Reader(render_notes(text)).found == [], text


@given(st.text(max_size=200))
def test_any_text_becomes_allowed_elements_only(text: str) -> None:
    assert Reader(render_notes(text)).found == []


@pytest.mark.parametrize("text", ["x" * (MAX_TEXT + 1), ("<b>" * MAX_TEXT)[: MAX_TEXT + 1]])
def test_a_long_text_is_shown_as_plain_text(text: str) -> None:
    html = render_notes(text)
    assert html.startswith("<pre>")
    assert "<b>" not in html


@pytest.mark.parametrize("unit", ["[", "*", "> ", "- ", "`", "[a](", "**a ", "|a"])
def test_deeply_nested_markup_is_rendered_quickly(unit: str) -> None:
    assert len(render_notes(unit * (20_000 // len(unit)))) < 2_000_000
