"""dashboard.export.html: one file that loads nothing and runs only its own script."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest

from dashboard.core.reports.model import canonical, digest_of
from dashboard.export.html import policy_of, render_file
from dashboard.store.reports.reading import derive
from tests.support.reports import make_content, make_run

CONTENT = make_content(changes=4)


@pytest.fixture(scope="module")
def document() -> str:
    assert CONTENT.experiment is not None
    return render_file(CONTENT, derive(CONTENT)).decode()


class EnoughError(Exception):
    """Raised by a check."""


def _count_down(left: Iterator[int]) -> None:
    if next(left, None) is None:
        raise EnoughError


def test_a_check_ends_the_rendering_at_any_row_and_run() -> None:
    content = make_content(changes=4, runs=[make_run(rounds=2)])
    derived = derive(content)
    assert derived.view.snapshot is not None
    steps = len(derived.view.snapshot.rows) + len(derived.view.runs) + len(derived.view.claims)
    calls: list[None] = []
    assert render_file(content, derived, check=lambda: calls.append(None)) == render_file(content, derived)
    assert len(calls) >= steps > 2
    for last in (1, steps // 2, steps):
        left = iter(range(last))
        with pytest.raises(EnoughError):
            render_file(content, derived, check=lambda left=left: _count_down(left))  # type: ignore[misc]


class Elements(HTMLParser):
    """Every element with its attributes, and the text of scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.all: list[tuple[str, dict[str, str]]] = []
        self.inside: list[tuple[str, dict[str, str], str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.all.append((tag, {name: value or "" for name, value in attrs}))
        if tag in {"script", "style"}:
            self.inside.append((*self.all[-1], ""))

    def handle_data(self, data: str) -> None:
        if self.inside and self.lasttag == self.inside[-1][0]:
            tag, attrs, text = self.inside[-1]
            self.inside[-1] = (tag, attrs, text + data)

    def handle_endtag(self, tag: str) -> None:
        self.lasttag = ""


def hash_of(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_the_policy_allows_exactly_the_scripts_and_the_style_of_the_file(document: str) -> None:
    policy = dict(part.strip().split(" ", 1) for part in policy_of(document.encode()).split(";"))
    inside = Elements(document).inside
    run = [text for tag, attrs, text in inside if tag == "script" and "type" not in attrs]
    assert set(policy["script-src"].split()) == {hash_of(text) for text in run}
    assert policy["style-src"] == hash_of(next(text for tag, _attrs, text in inside if tag == "style"))
    assert policy["default-src"] == "'none'"
    assert {attrs["type"] for tag, attrs, _text in inside if "type" in attrs} == {"application/json", "text/plain"}


def test_nothing_is_loaded_and_no_attribute_has_script_or_style(document: str) -> None:
    for tag, attrs in Elements(document).all:
        assert tag not in {"img", "iframe", "object", "embed", "form", "base"}
        assert not [name for name in attrs if name.startswith("on") or name == "style"]
        for name in {"src", "href", "action", "srcset"} & attrs.keys():
            assert attrs[name].startswith(("#", "data:image/svg+xml;base64,")), (tag, attrs)


def test_the_policy_comes_before_text_of_the_report(document: str) -> None:
    assert document.index("Content-Security-Policy") < document.index("<title>")


def test_the_file_contains_the_recording(document: str) -> None:
    packed = re.search(r'id="report-recording">([^<]*)<', document)
    assert packed is not None
    assert json.loads(zlib.decompress(base64.b64decode(packed[1])))


def test_the_file_shows_the_hash_of_its_content(document: str) -> None:
    assert f"sha256:{digest_of(canonical(CONTENT))}" in document


def test_a_report_without_an_experiment_has_no_recording() -> None:
    content = make_content(experiment=None)
    document = render_file(content, derive(content)).decode()
    assert 'id="report-recording"' not in document
    assert "Latency" in document


def test_another_document_has_no_policy() -> None:
    with pytest.raises(ValueError, match="not a report"):
        policy_of(b"<title>x</title>" + b" " * 3000 + b'<meta http-equiv="Content-Security-Policy" content="x">')
