"""Words that Netmodes does not use: none of them is in the code, the pages or the documents."""

from __future__ import annotations

import re
import subprocess
from functools import cache

import pytest

from tests.docs.documents import ROOT

#: A pattern, and what to write instead. CONTRIBUTING.md has the rules behind them.
AVOIDED: dict[str, str] = {
    r"\b(?:a|an|each|every|of|one|the|whose|per) seats?\b": "participant",
    r"\bany more\b": "no longer",
    r"\bas it was\b": "unchanged, or name the state",
    r"\bbecame of\b|\bbecomes of\b|\bcomes? of it\b": "the result",
    r"\bbeside[s]\b": "also, apart from",
    r"\bis listened to\b": "is accepted, is read",
    r"\bis told\b|\bare told\b": "receives, is informed, or the active voice",
    r"\bLabBeat\b|\bheart beat\b": "heartbeat",
    r"\bMOST_[A-Z]|\b[A-Z]+_MOST\b|\bLONGEST_[A-Z]": "MAX_…",
    r"\bof one's own\b|\bof ours\b": "its own, our, or nothing",
    r"\bpupils?\b|\blearners?\b": "participant",
    r"\bsays so\b|\bsaying so\b": "reports it",
    r"\bsomebody else's\b|\bnobody else\b": "name the owner",
    r"\bthere is none\b": "does not exist, is missing",
    r"\bto be had\b": "available",
    r"\bwhat there is\b": "what exists",
    r"\bwhoever\b": "a user who, everyone who",
    r"\bwhose it is\b": "its owner",
    r"\bwrong turns?\b": "common mistake",
}
#: Where a word may stand, and why.
ALLOWED: dict[str, str] = {
    "CHANGELOG.md": "history",
    "dashboard/migrations": "names of the past",
    "tests/docs/test_vocabulary.py": "the list itself",
    "tests/recorded": "files of earlier versions",
}


def lines() -> list[tuple[str, str]]:
    """Every line of code, pages and documents, with its place."""
    names = ["*.py", "*.html", "*.js", "*.mjs", "*.css", "*.md", "*.sh", "netmodes"]
    listed = subprocess.run(["git", "ls-files", *names], cwd=ROOT, capture_output=True, text=True, check=True)
    paths = [name for name in listed.stdout.splitlines() if not name.startswith(tuple(ALLOWED))]
    return [
        (f"{name}:{number}", line)
        for name in paths
        if (ROOT / name).exists()
        for number, line in enumerate((ROOT / name).read_text().splitlines(), 1)
    ]


@cache
def suspects() -> list[tuple[str, str]]:
    """The lines with any of the words: one search of all lines is quicker than one for each word."""
    expression = re.compile("|".join(AVOIDED))
    return [(place, line) for place, line in lines() if expression.search(line)]


@pytest.mark.parametrize("pattern", AVOIDED)
def test_a_word_that_is_avoided_does_not_occur(pattern: str) -> None:
    expression = re.compile(pattern)
    found = [f"{place}: {line.strip()[:100]}" for place, line in suspects() if expression.search(line)]
    assert found == [], f"write: {AVOIDED[pattern]}"


def test_the_list_is_in_order() -> None:
    words = [re.sub(r"[^a-z]", "", re.sub(r"\\b", "", pattern.lower())) for pattern in AVOIDED]
    assert words == sorted(words)
