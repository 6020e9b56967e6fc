"""The documents as pages, and the links of the main pages: each leads to a page that exists."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import pytest

from dashboard.configuration import BASE
from dashboard.core.help import HELP
from dashboard.templatetags.help_text import with_documents
from dashboard.web.operations.documents import FIRST, _render, load, names, url_of
from tests.support.lab_harness import LabHarness
from tests.web.asgi_client import NOBODY, Person, http
from tests.web.markup import forbidden_in

MAIN_PAGES = (
    "/",
    "/workshop/",
    "/workshop/host-network/",
    "/sessions/",
    "/sessions/new/",
    "/measurements/",
    "/claims/",
    "/misconceptions/",
    "/misconceptions/names-on-bridge/",
    "/reports/",
    "/reports/example/",
    "/doctor/",
    "/docs/",
)


class Links(HTMLParser):
    """The addresses of a page's links and pictures, and its ids."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if values.get("id"):
            self.ids.add(str(values["id"]))
        address = values.get("href") if tag == "a" else values.get("src") if tag == "img" else None
        if address:
            self.addresses.append(address)


def test_links_of_templates_lead_to_documents() -> None:
    links = {
        str(link)
        for template in (BASE / "templates").rglob("*.html")
        for link in re.findall(r'href="(/docs/[^"{]*)"', template.read_text())
    }
    assert {"/docs/deploying/", "/docs/deploying/#several-machines"} <= links
    for link in sorted(links):
        path, _, place = link.partition("#")
        document = load(path.removeprefix("/docs/").removesuffix("/") or FIRST)
        assert path.endswith("/"), link
        assert document is not None, link
        assert not place or f'id="{place}"' in document.html, link


@pytest.mark.parametrize("name", sorted(names()))
def test_a_document_has_a_title_and_no_markdown_left(name: str) -> None:
    document = load(name)
    assert document is not None
    assert document.html.count("<h1") == 1
    text = re.sub(r"<(pre|code)\b.*?</\1>", "", document.html, flags=re.DOTALL)
    assert "<!--" not in text
    assert not re.search(r"\]\(|^#+ |\|---", text, re.MULTILINE)
    assert [found for found in forbidden_in(document.html) if not found.startswith("a href=http://127.0.0.1")] == []


def test_a_link_leads_to_a_served_page_or_is_shown_as_text() -> None:
    assert url_of("measuring.md") == "/docs/measuring/"
    assert url_of("measuring.md#verdicts") == "/docs/measuring/#verdicts"
    assert url_of("README.md") == "/docs/"
    assert url_of("alerts.yml") == "/docs/alerts.yml"
    assert url_of("#here") == "#here"
    for outside in ("../CHANGELOG.md", "../manage.py", "nothing.md", "../docs/README.md"):
        assert url_of(outside) == ""


def test_documents_in_a_sentence_become_links() -> None:
    made = with_documents("Moby <cmd>; docs/measuring.md, docs/modes.md")
    assert made == (
        'Moby &lt;cmd&gt;; <a href="/docs/measuring/">docs/measuring.md</a>, <a href="/docs/modes/">docs/modes.md</a>'
    )


def test_every_document_that_a_help_text_names_exists() -> None:
    named = {name for entry in HELP.values() for name in re.findall(r"docs/([\w-]+)\.md", entry.source)}
    assert named
    assert named <= names()


@pytest.mark.django_db(transaction=True)
async def test_everybody_reads_documents_and_nothing_else_of_the_folder() -> None:
    assert (await http("GET", "/docs/measuring/", who=NOBODY)).status == 200
    assert "Sign out" not in (await http("GET", "/docs/", who=NOBODY)).text
    picture = await http("GET", "/docs/experiment.png", who=NOBODY)
    assert (picture.status, picture["content-type"]) == (200, "image/png")
    for path in (
        "/docs/nothing/",
        "/docs/README/",
        "/docs/measuring.md",
        "/docs/..%2fmanage.py",
        "/docs/%2e%2e%2fx.png",
    ):
        assert (await http("GET", path, who=NOBODY)).status == 404, path


@pytest.mark.django_db(transaction=True)
async def test_no_link_of_a_main_page_leads_nowhere(lab_harness: LabHarness, me: Person) -> None:
    waiting = [*MAIN_PAGES, *(f"/docs/{name}/" for name in sorted(names() - {"README"}))]
    pages: dict[str, Links | None] = {}
    wanted: list[tuple[str, str, str]] = []
    start = len(waiting)
    while waiting:
        path = waiting.pop(0)
        if path in pages:
            continue
        answer = await http("GET", path, who=me)
        assert answer.status < 400, f"{path}: {answer.status}; linked from {[at for at, to, _ in wanted if to == path]}"
        is_page = answer["content-type"].startswith("text/html")
        pages[path] = Links(answer.text) if is_page else None
        if len(pages) > start:
            continue  # the links of linked pages are theirs
        for address in pages[path].addresses if is_page else ():  # type: ignore[union-attr]
            target = urlsplit(urljoin(path, unescape(address)))
            if target.scheme or target.netloc:
                assert target.scheme == "https" or target.hostname in {"127.0.0.1", "localhost"}, address
                continue
            to = target.path + (f"?{target.query}" if target.query else "")
            wanted.append((path, to, target.fragment))
            waiting.append(to)
    for at, to, fragment in wanted:
        page = pages[to]
        assert not fragment or page is None or fragment in page.ids, f"{at} links to {to}#{fragment}"
    assert len(pages) > start


def test_a_name_that_is_no_document_is_not_kept_in_memory() -> None:
    assert load(FIRST) is load(FIRST)
    before = _render.cache_info().currsize
    assert load("x" * 1000) is None
    assert _render.cache_info().currsize == before
