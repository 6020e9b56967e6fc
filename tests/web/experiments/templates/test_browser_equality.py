"""The functions of templates give what the browser's give."""

from __future__ import annotations

import json
import re
from functools import cache

import msgspec
import pytest
from django.utils import translation

from dashboard.core.experiments.messages import Column, PublishedPort, Row
from dashboard.core.experiments.picture import Box, DrawnPath, Picture
from dashboard.core.experiments.stream import PlacedRow as Placed
from dashboard.core.experiments.stream import RowPatch
from dashboard.core.measurements import formatting
from dashboard.templatetags import script_words
from dashboard.templatetags.reports import size_text
from dashboard.web.experiments import picture_presenter, table_presenter
from tests.core.strategies import apply_rows
from tests.web import sample
from tests.web.experiments.templates.pages import ROOT

VECTORS = json.loads((ROOT / "tests/js/vectors.json").read_text())


@pytest.mark.parametrize("name", ["duration", "offset", "micros", "size"])
def test_figures_are_formatted_as_in_the_browser(name: str) -> None:
    say = {
        "duration": formatting.format_duration,
        "offset": formatting.format_offset,
        "micros": formatting.format_micros,
        "size": size_text,
    }[name]
    assert [say(value) for value, _text in VECTORS[name]] == [text for _value, text in VECTORS[name]]


def test_cells_boxes_and_ports_are_those_of_the_browser() -> None:
    for one in VECTORS["cells"]:
        columns = msgspec.convert(one["columns"], tuple[Column, ...])
        cells = table_presenter.list_cells(msgspec.convert(one["row"], Row), columns)
        assert json.loads(msgspec.json.encode(cells)) == one["expected"]
    for one in VECTORS["boxes"]:
        box = picture_presenter.lay_out_box(msgspec.convert(one["box"], Box))
        assert json.loads(msgspec.json.encode(box)) == one["expected"]
    for one in VECTORS["numbers"]:
        boxes = msgspec.convert(one["boxes"], tuple[Box, ...])
        numbers = picture_presenter.number_hops(boxes, msgspec.convert(one["path"], DrawnPath))
        assert json.loads(msgspec.json.encode(numbers)) == one["expected"]
    for port, text in VECTORS["published"]:
        assert table_presenter.format_published(msgspec.convert(port, PublishedPort)) == text
    for text, inode in VECTORS["inode"]:
        assert table_presenter.namespace_inode(text) == inode


def test_patches_are_applied_as_the_browser_applies_them() -> None:
    def row(name: str) -> Row:
        return Row("s", name, "", {}, sample.make_snapshot().rows[0].relation)

    for one in VECTORS["rows"]:
        placed = tuple(Placed(f"s/{name}/", f"s/{after}/" if after else "", row(name)) for name, after in one["set"])
        patch = RowPatch(placed, tuple(f"s/{name}/" for name in one["remove"]))
        after = apply_rows(tuple(row(name) for name in one["before"]), patch)
        assert [found.key for found in after] == one["after"], one["name"]


def test_no_locale_puts_a_comma_into_a_diagram() -> None:
    assert picture_presenter.number(12.5) == "12.5"
    assert picture_presenter.number(-0.001) == "0"
    assert picture_presenter.lay_out(Picture(1400, 300.125)).box == "0 0 1400 300.13"


def test_every_text_that_scripts_use_exists() -> None:
    said = set()
    for file in (ROOT / "static/dashboard/js/ui").rglob("*.js"):
        said |= set(re.findall(r"\bwords\.(\w+)", file.read_text()))
    assert said <= set(script_words.words_for_scripts())


def test_scripts_get_their_texts_in_the_language_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script_words, "_", lambda text: f"{translation.get_language()}: {text}")
    monkeypatch.setattr(script_words, "_script_of_words", cache(script_words._script_of_words.__wrapped__))
    for language in ("en", "de", "en"):
        with translation.override(language):
            element = script_words.interface_words()
        (text,) = re.findall(r'<script id="words" type="application/json">(.*)</script>', element)
        assert json.loads(text)["copied"] == f"{language}: Copied"
