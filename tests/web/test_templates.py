"""Every template can be compiled: its tags and filters exist and are loaded. No tag is shown as text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.template.loader import get_template

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"


NAMES = sorted(str(file.relative_to(TEMPLATES)) for file in TEMPLATES.rglob("*.html"))


@pytest.mark.parametrize("name", NAMES)
def test_a_template_compiles(name: str) -> None:
    assert get_template(name)


@pytest.mark.parametrize("name", NAMES)
def test_a_tag_ends_on_the_line_where_it_begins(name: str) -> None:
    """Django shows a tag, a variable or a comment of several lines as text."""
    text = (TEMPLATES / name).read_text()
    assert re.findall(r"\{[%{#](?:(?![%}#]\}).)*$", text, re.MULTILINE) == []
