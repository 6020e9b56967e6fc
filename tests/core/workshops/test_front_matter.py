"""TOML front matter, and the lines of its keys."""

from __future__ import annotations

import pytest

from dashboard.core.workshops.front_matter import SourceError, read_toml, split

FILE = """+++
title = "x"
hints = [
  "a",
]

[predict]
question = "q"
reading = {kind = "k", port = 1}

[[check]]
kind = "one"

[[check]]
kind = "two"
port = 3

[check.more]
deep = 1
+++
Text.
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("title",), 2),
        (("hints",), 3),
        (("nowhere",), 1),
        (("predict",), 7),
        (("predict", "question"), 8),
        (("predict", "reading", "kind"), 9),
        (("predict", "nowhere"), 7),
        (("check", 0, "kind"), 12),
        (("check", 1, "kind"), 15),
        (("check", 1, "port"), 16),
        (("check", 0, "port"), 11),
        (("check", 1, "more", "deep"), 19),
    ],
)
def test_the_line_of_each_key_is_known(path: tuple[str | int, ...], line: int) -> None:
    source, body, first = split(FILE)
    assert source.line(*path) == line
    assert (body, first) == ("Text.\n", 21)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", 1, "first line"),
        ("# Title\n", 1, "first line"),
        ("+++\ntitle = 1\n", 1, "no end"),
        ("+++\ntitle = 1\nx = = 2\n+++\n", 3, "not valid TOML"),
        ("+++\ntitle = 1\ntitle = 2\n+++\n", 3, "not valid TOML"),
        ("+++\r\ntitle = [\r\n+++\r\n", 2, "not valid TOML"),
    ],
)
def test_an_error_has_its_line(text: str, line: int, said: str) -> None:
    with pytest.raises(SourceError, match=said) as caught:
        split(text)
    assert caught.value.line == line


def test_toml_that_is_nested_too_deep_is_refused() -> None:
    with pytest.raises(SourceError, match="not valid TOML"):
        read_toml("x = " + "[" * 100_000)


TABLES = """top = 1

[a]
x = 1

[a.b]
y = 2

[[c]]
x = 1

[[c]]
x = 2
[c.d]
z = 3
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top",), 1),
        (("a",), 3),
        (("a", "x"), 4),
        (("a", "b", "y"), 7),
        (("a", "b"), 6),
        (("a", "top"), 3),
        (("x",), 1),
        (("c", 0), 9),
        (("c", 0, "x"), 10),
        (("c", 1), 12),
        (("c", 1, "x"), 13),
        (("c", 1, "d", "z"), 15),
        (("c", 0, "d"), 9),
        (("c", 5, "x"), 1),
    ],
)
def test_a_key_belongs_to_its_own_table(path: tuple[str | int, ...], line: int) -> None:
    assert read_toml(TABLES).line(*path) == line
    assert read_toml(TABLES, 10).line(*path) == (line + 10 if path not in {("x",), ("c", 5, "x")} else 1)


def test_an_error_at_the_end_is_on_the_last_line() -> None:
    with pytest.raises(SourceError) as caught:
        read_toml("a = 1\nb = [", 3)
    assert caught.value.line == 5
