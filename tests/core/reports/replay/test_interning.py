"""Tables keep each value once; chains can be followed back."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.reports.replay.interning import NONE, Chains, Numbers, Table, differences


def test_equal_values_have_equal_numbers() -> None:
    numbers = Numbers()
    given = [("a", 1), {"x": "1"}, {"x": "2"}, None, ("a", 1), {"x": "1"}, ""]
    assert [numbers.number(one) for one in given] == [0, 1, 2, 3, 0, 1, 4]


def test_a_table_is_written_in_the_order_of_its_numbers() -> None:
    table = Table()
    assert [table.number(one) for one in ({"a": [1]}, "text", {"a": [1]})] == [0, 1, 0]
    assert msgspec.json.encode(table.dump()) == b'[{"a":[1]},"text"]'
    assert len(table) == 2


@given(st.lists(st.tuples(st.lists(st.integers(0, 9)).map(tuple), st.integers(0, 99))))
def test_every_sequence_is_restored_from_a_chain(given: list[tuple[tuple[int, ...], int]]) -> None:
    chains = Chains()
    numbers: list[int] = []
    for items, like in given:
        numbers.append(chains.number(items, like % (max(numbers) + 1) if numbers and like % 3 else NONE))
    found: list[list[int]] = []
    last = 0
    for back, start, removed, *steps in chains.dump():
        base = found[len(found) - back] if back <= len(found) else []
        inserted = []
        for step in steps:
            last += step
            inserted.append(last)
        found.append([*base[:start], *inserted, *base[start + removed :]])
    assert [tuple(found[number]) for number in numbers] == [items for items, _ in given]


def test_a_sequence_that_is_like_another_is_written_as_the_difference() -> None:
    chains = Chains()
    first = chains.number((1, 2, 3, 4))
    assert chains.number((1, 2, 9, 4), first) == 1
    assert chains.number((1, 2, 3, 4), 1) == first
    assert chains.dump() == [[1, 0, 0, 1, 1, 1, 1], [1, 2, 1, 5]]


def test_differences_add_up_to_the_sequence() -> None:
    assert differences([3, 4, 4, 1]) == [3, 1, 0, -3]
    assert differences([]) == []


@pytest.mark.parametrize(
    ("before", "after", "dumped"),
    [
        ((1, 2, 3), (1, 2, 3, 4), [1, 3, 0, 1]),
        ((1, 2, 3), (1, 2), [1, 2, 1]),
        ((1, 2, 3), (2, 3), [1, 0, 1]),
        ((1, 2, 3), (0, 1, 2, 3), [1, 0, 0, -3]),
        ((1, 1), (1, 1, 1), [1, 2, 0, 0]),
        ((1, 1, 1), (1, 1), [1, 2, 1]),
        ((1, 2, 3), (4, 5, 6), [1, 0, 3, 1, 1, 1]),
        ((1, 2, 1), (1, 1), [1, 1, 1]),
        ((), (7,), [1, 0, 0, 7]),
        ((3,), (), [1, 0, 1]),
    ],
)
def test_a_difference_leaves_out_what_both_ends_have_in_common(
    before: tuple[int, ...], after: tuple[int, ...], dumped: list[int]
) -> None:
    chains = Chains()
    first = chains.number(before)
    second = chains.number(after, first)
    assert (first, second, chains.items(second)) == (0, 1, after)
    assert chains.dump()[1] == dumped


def test_a_sequence_refers_to_the_similar_one_by_the_distance_of_their_numbers() -> None:
    chains = Chains()
    chains.number((1, 2))
    chains.number((8, 9))
    chains.number((1, 2, 3), 0)
    chains.number((5,))
    assert [one[0] for one in chains.dump()] == [1, 2, 2, 4]


def test_dictionaries_are_compared_with_their_order() -> None:
    numbers = Numbers()
    assert [numbers.number(one) for one in ({"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 1, "b": 2})] == [0, 1, 0]
