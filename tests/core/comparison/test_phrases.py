"""How titles and parts of sentences are joined."""

from __future__ import annotations

import pytest

from dashboard.core.comparison.phrases import agree, join_clauses, join_titles, make_sentence
from dashboard.core.experiments.messages import Column

COLUMNS = tuple(Column(key, "bridge", key) for key in ("a", "b", "c"))


@pytest.mark.parametrize(("count", "text"), [(0, ""), (1, "a"), (2, "a and b"), (3, "a, b and c")])
def test_titles_are_joined_as_a_list_in_a_sentence(count: int, text: str) -> None:
    assert join_titles(COLUMNS[:count]) == text


def test_a_title_that_two_columns_share_is_named_once() -> None:
    assert join_titles((COLUMNS[0], COLUMNS[0])) == "a"


def test_a_verb_agrees_with_the_number_of_columns() -> None:
    assert agree(COLUMNS[:1], "has", "have") == "has"
    assert agree(COLUMNS, "has", "have") == "have"


def test_empty_parts_are_left_out_and_only_a_sentence_is_capitalised() -> None:
    assert join_clauses("a has one", "", "b has two") == "a has one; b has two."
    assert make_sentence("", "each has one") == "Each has one."
    assert make_sentence("") == join_clauses() == ""
