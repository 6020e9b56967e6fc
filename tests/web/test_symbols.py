"""Symbols are SVG or shapes of styles: glyphs depend on fonts, and screen readers read their names."""

from __future__ import annotations

import re
from pathlib import Path

from dashboard.core.help import HELP
from dashboard.core.workshops.progress import StepStage
from dashboard.templatetags.words import SIGNS

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "static/dashboard"
#: Geometric shapes, dingbats, technical symbols, and signs of comparison; arrows in styles.
GLYPHS = re.compile("[\u2300-\u23ff\u2500-\u27bf\u2b00-\u2bff\u2260]")
ARROWS = re.compile("[\u2190-\u21ff]")
COMMENT = re.compile(r"/\*.*?\*/|\{#.*?#\}|^\s*//.*?$", re.DOTALL | re.MULTILINE)


def sources(*patterns: str) -> dict[str, str]:
    """The texts of files of the page, without comments."""
    folders = {".html": ROOT / "templates", ".css": STATIC / "css", ".js": STATIC / "js"}
    return {
        str(path.relative_to(ROOT)): COMMENT.sub("", path.read_text(encoding="utf-8"))
        for pattern in patterns
        for path in sorted(folders[pattern].rglob(f"*{pattern}"))
    }


def test_pages_scripts_and_styles_have_no_glyphs_of_fonts() -> None:
    found = {name: GLYPHS.findall(text) for name, text in sources(".html", ".css", ".js").items()}
    assert {name: glyphs for name, glyphs in found.items() if glyphs} == {}
    assert [name for name, text in sources(".css").items() if ARROWS.search(text)] == []


def test_help_texts_describe_signs_in_words() -> None:
    texts = [str(getattr(entry, name)) for entry in HELP.values() for name in ("title", "fact")]
    assert [text for text in texts if GLYPHS.search(text)] == []


def test_every_sign_is_a_symbol_of_the_page() -> None:
    drawn = (ROOT / "templates/diagram/_mode_icons.html").read_text()
    named = {sign for signs in SIGNS.values() for sign in signs.values()} | {"closed"}
    named |= {"same", "differs", "only", "unknown"}
    for text in sources(".html").values():
        named |= set(re.findall(r'_sign\.html" with sign="(\w+)"', text))
    assert [sign for sign in sorted(named) if f'id="sign-{sign}"' not in drawn] == []
    assert set(SIGNS["progress"]) == set(StepStage)
