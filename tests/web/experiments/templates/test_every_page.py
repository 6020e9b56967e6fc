"""Every page: complete, and safe under the strictest content security policy."""

from __future__ import annotations

import gzip
import re
from collections import Counter

import pytest

from tests.web.experiments.templates.pages import PAGES, ROOT, Page


@pytest.fixture(params=sorted(PAGES))
def page(request: pytest.FixtureRequest) -> Page:
    return PAGES[request.param]()


def test_nothing_in_a_page_needs_a_weaker_policy(page: Page) -> None:
    for tag, attributes in page.all:
        assert "style" not in attributes, (tag, attributes)
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
        if tag == "script":
            assert attributes.get("src", "").startswith("/static/") or attributes.get("type") == "application/json"
        for name in ("src", "href", "action"):
            if name in attributes:
                assert attributes[name].startswith(("/", "#", "?")), (tag, attributes)
                assert not attributes[name].startswith("//")
    assert "style" not in page.texts


def test_no_comment_of_a_template_is_shown(page: Page) -> None:
    assert "{#" not in page.html, "a comment of Django's templates has one line"


def test_ids_are_unique_and_references_exist(page: Page) -> None:
    ids = Counter(attributes["id"] for _tag, attributes in page.all if "id" in attributes)
    assert [name for name, count in ids.items() if count > 1] == []
    for tag, attributes in page.all:
        for name in ("for", "aria-labelledby", "aria-describedby", "aria-controls"):
            for reference in attributes.get(name, "").split():
                assert reference in ids, (tag, name, reference)
        # "#shape-" stands in a <template>: the browser fills in the mode.
        if attributes.get("href", "#shape-") != "#shape-" and attributes["href"].startswith("#"):
            assert attributes["href"][1:] in ids, attributes


def test_every_post_carries_a_token(page: Page) -> None:
    posts = page.find("form", method="post")
    tokens = page.find("input", name="csrfmiddlewaretoken")
    assert len(tokens) == len(posts)
    searches = page.find("form", method="get", role="search")
    assert len(page.find("form")) == len(posts) + len(searches)


def test_every_input_has_a_label(page: Page) -> None:
    labelled = {attributes["for"] for attributes in page.find("label") if "for" in attributes}
    for tag, attributes in page.all:
        if tag in {"input", "select", "textarea"} and attributes.get("type") not in {"hidden", "checkbox"}:
            assert attributes.get("id") in labelled or attributes.get("aria-label"), attributes


def test_a_page_has_one_heading_one_main_and_a_skip_link(page: Page) -> None:
    assert len(page.find("h1")) == 1
    assert len(page.find("main", id="main")) == 1
    assert page.find("a", href="#main", class_="skip")


def test_hostile_text_stays_text() -> None:
    page = PAGES["experiment, hostile"]()
    assert not page.find("img")
    assert "<img src=x" not in page.html
    assert "&lt;img src=x onerror=alert(1)&gt;" in page.html
    assert len(page.find("script", src="")) == 0


def test_the_first_load_is_small() -> None:
    page = PAGES["experiment"]()
    addresses = re.findall(r'(?:href|src)="[^"]*/dashboard/([^"]+\.(?:js|css))"', page.html)
    files = {ROOT / "static/dashboard" / address for address in addresses}
    assert len(files) > 20, "the page names its style sheets and modules"
    total = sum(len(gzip.compress(file.read_bytes())) for file in files)
    total += len(gzip.compress(page.html.encode()))
    assert total < 120_000
