"""Every section has a help text with a fact and its source."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.template import Context, Template
from django.utils.html import escape

from dashboard.core.help import HELP, Help

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = {
    str(path.relative_to(ROOT / "templates")): path.read_text() for path in sorted((ROOT / "templates").rglob("*.html"))
}
HEADING = re.compile(
    r"<(?P<level>h[12])(?P<attributes>[^>]*)>(?P<text>.*?)</(?P=level)>(?=(?P<behind>.{0,200}))", re.DOTALL
)
SAID = re.compile(
    r'\s*(?:<span class="soft">.*?</span>)?\s*(?:</summary>)?\s*(?:\{% if part == "times" %\})?\{% what_is "[\w-]+" %\}'
)
USED = re.compile(r'\{% what_is (?:"([\w-]+)"|section\.key) %\}')

#: Templates without help texts: messages, and pages that are read from a distance.
NO_SECTIONS = {
    "400.html": "a message",
    "403.html": "a message",
    "404.html": "a message",
    "500.html": "a message",
    "503.html": "a message",
    "error.html": "a message",
    "reports/file/file_base.html": "a file: what it says must need nothing else",
    "reports/file/report_file.html": "a file: what it says must need nothing else",
    "reports/share/gone.html": "a message",
    "training/no_access.html": "a message",
    "training/projector/projector.html": "read from the back of a room",
    "training/projector/_comparison.html": "read from the back of a room",
    "training/resume.html": "a message",
    "training/results/gone.html": "a message",
    "training/results/replay_file.html": "a file: what it says must need nothing else",
    "training/results/shared_file.html": "a file: what it says must need nothing else",
    "sign_in.html": "a message that says itself what it is",
    "operations/accounts/to_provider.html": "a message",
    "operations/api_docs.html": "documentation itself",
}
#: Headings that need no help text: template and part of the heading, with the reason.
NONE_NEEDED = {
    ("experiments/_launch_problems.html", "to fix before launch"): "a list of problems",
    ("experiments/trouble/ports_held.html", "Not launched yet"): "a problem",
    ("measurements/measure.html", "to fix"): "a list of problems",
    ("reports/save.html", "The report was not saved"): "a problem",
    ("claims/claims.html", "group.topic"): "a group of claims; the page's heading says what they are",
    ("claims/_question.html", "question.title"): "an entry of a list",
    ("claims/misconception.html", "What people expect"): "is an explanation itself",
    ("claims/_revealed.html", "Why"): "is an explanation itself",
    ("claims/_revealed.html", "The fix"): "is an explanation itself",
    ("claims/misconceptions.html", "misconception.title"): "an entry of a list",
    ("paths/trace.html", "trace.title"): "one path; the heading of the page explains traces",
    ("experiments/_notices.html", "Launching"): "progress; its bars have text",
    ("experiments/_header.html", "head.title"): "the heading of a page whose sections are explained",
    ("workshops/workshops.html", "workshop.title"): "an entry of a list",
    ("workshops/workshops.html", "has errors"): "a problem",
    ("workshops/_reveal.html", "Predicted and observed"): "is an explanation itself",
    ("workshops/step.html", "step.title"): "the sections of a step have theirs",
}
#: Sources of facts other than the documents of Netmodes.
KNOWN_SOURCES = re.compile(
    r"[a-z_]+\d*[a-z]*(?:\.[a-z]+)?(?:-[a-z]+)*\(\d\)(?:: [A-Z]+)?"  # a manual page
    r"|Docker documentation, “[^”]+”(?:: [\w ]+)?"
    r"|Docker Engine API, \w+(?:: \w+)?"
    r"|Moby, [\w/.-]+"
    r"|Linux, Documentation/[\w/.-]+"
    r"|RFC \d+"
    r"|[A-Z]\w+ \d{4}, “[^”]+”"
)


def headings() -> list[tuple[str, str, str, bool]]:
    """The headings of the templates: template, level, text, and whether “What is this?” follows."""
    return [
        (name, found["level"], found["text"], SAID.match(found["behind"]) is not None)
        for name, text in TEMPLATES.items()
        if name not in NO_SECTIONS
        for found in HEADING.finditer(text)
    ]


def test_every_section_has_a_help_text() -> None:
    explained = {name for name, _level, _text, said in headings() if said}
    missing = [
        f"{name}: {text}"
        for name, level, text, said in headings()
        # A page's own heading needs no help text if its sections have one.
        if not said and not (level == "h1" and name in explained)
        if not any(name == where and part in text for where, part in NONE_NEEDED)
    ]
    assert missing == []


def test_exceptions_are_needed() -> None:
    bare = [(name, text) for name, _level, text, said in headings() if not said]
    assert [one for one in NONE_NEEDED if not any(one[0] == name and one[1] in text for name, text in bare)] == []
    assert set(NO_SECTIONS) <= set(TEMPLATES)


def test_every_answer_is_shown_somewhere() -> None:
    shown = {key for text in TEMPLATES.values() for key in USED.findall(text)}
    from dashboard.core.comparison.rows import SECTIONS

    assert (shown - {""}) | {one.key for one in SECTIONS} == set(HELP)


@pytest.mark.parametrize("one", HELP.values(), ids=lambda one: one.key)
def test_a_help_text_is_short_and_its_sources_exist(one: Help) -> None:
    assert one.title
    assert one.title[0].islower() or one.title in {"DNS", "LANs"}
    assert 6 <= len(one.fact.split()) <= 70
    assert one.fact.endswith(".")
    assert one.sources
    for source in one.sources:
        if source.startswith("docs/"):
            assert (ROOT / source).is_file(), source
        else:
            assert KNOWN_SOURCES.fullmatch(source), source


def render(key: str, **context: object) -> str:
    return Template(f'{{% load help_text %}}{{% what_is "{key}" %}}').render(Context(context))


def test_a_help_text_is_a_disclosure_without_javascript() -> None:
    html = render("listeners")
    assert html.startswith('<details class="what" data-what="listeners"><summary>')
    assert "What is this: listeners</span></summary>" in html
    assert escape(HELP["listeners"].fact) in html
    assert f"<code>{escape(HELP['listeners'].see)}</code>" in html
    assert "Source: sock_diag(7); ip(7); Moby, cmd/docker-proxy" in html
    assert not re.search(r"<script|style=|\son\w+=", html)


def test_exported_files_and_sections_without_a_key_have_no_help_text() -> None:
    assert render("listeners", one_file=True) == ""
    assert Template("{% load help_text %}{% what_is section.key %}").render(Context({"section": None})) == ""
