"""Snapshots and patches of rows."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st

from dashboard.core.comparison.rows import compare
from dashboard.core.experiments.messages import Relation, Row
from dashboard.core.experiments.stream import PlacedRow, RowPatch, diff_rows, row_id
from tests.core.builders import Columns, States, make_interface, make_loopback, make_state
from tests.core.scenes import make_scene
from tests.core.strategies import apply_rows, engine_scenes, generated_scenes

Rows = tuple[Row, ...]
NOTHING = RowPatch()


def make_row(key: str, text: str = "a") -> Row:
    return Row("listeners", key, "", {"machine": text}, Relation.SAME)


rows_in_any_order = st.lists(
    st.builds(make_row, st.sampled_from("abcdefgh"), st.sampled_from(["a", "b"])), max_size=8, unique_by=row_id
).map(tuple)
rows_in_order = rows_in_any_order.map(lambda rows: tuple(sorted(rows, key=row_id)))


@given(rows_in_order, rows_in_order)
def test_a_patch_leads_from_one_table_to_the_next(before: Rows, after: Rows) -> None:
    assert apply_rows(before, diff_rows(before, after)) == after


@given(rows_in_any_order, rows_in_any_order)
@example((make_row("a"), make_row("b")), (make_row("b"), make_row("a")))
def test_a_patch_moves_rows_whose_order_changed(before: Rows, after: Rows) -> None:
    assert apply_rows(before, diff_rows(before, after)) == after


@given(engine_scenes(), engine_scenes())
def test_a_patch_leads_from_one_comparison_to_any_other(
    first: tuple[Columns, States], second: tuple[Columns, States]
) -> None:
    before, after = compare(*first), compare(*second)
    assert apply_rows(before, diff_rows(before, after)) == after


@given(generated_scenes(), generated_scenes())
def test_a_patch_is_right_for_comparisons_of_impossible_states_too(
    first: tuple[Columns, States], second: tuple[Columns, States]
) -> None:
    before, after = compare(*first), compare(*second)
    assert len({row_id(row) for row in after}) == len(after)
    assert apply_rows(before, diff_rows(before, after)) == after


@given(rows_in_any_order)
def test_equal_tables_need_no_patch(rows: Rows) -> None:
    assert diff_rows(rows, rows) == NOTHING
    assert diff_rows(rows, tuple(replace(row) for row in rows)) == NOTHING
    assert apply_rows(rows, NOTHING) == rows


@given(generated_scenes())
def test_the_same_observation_needs_no_patch(scene: tuple[Columns, States]) -> None:
    assert diff_rows(compare(*scene), compare(*scene)) == NOTHING


def test_only_the_row_that_changed_is_sent() -> None:
    before = tuple(make_row(key) for key in "abcdef")
    after = (*before[:2], make_row("c", "b"), *before[3:])
    assert diff_rows(before, after) == RowPatch((PlacedRow("listeners/c/", "listeners/b/", after[2]),))


def test_a_new_row_does_not_send_its_neighbours_again() -> None:
    before = tuple(make_row(key) for key in "acdef")
    after = tuple(make_row(key) for key in "abcdef")
    assert diff_rows(before, after) == RowPatch((PlacedRow("listeners/b/", "listeners/a/", after[1]),))


def test_the_first_row_has_no_predecessor() -> None:
    patch = diff_rows((make_row("b"),), (make_row("a"), make_row("b")))
    assert patch.set[0].after == ""


def test_only_the_row_that_moved_is_sent() -> None:
    before = tuple(make_row(key) for key in "abcdef")
    after = tuple(make_row(key) for key in "bcdefa")
    patch = diff_rows(before, after)
    assert patch == RowPatch((PlacedRow("listeners/a/", "listeners/f/", before[0]),), ("listeners/a/",))


def test_a_veth_interface_keeps_its_row_when_it_gets_a_link_local_address() -> None:
    def rows(*addresses: str) -> Rows:
        cable = make_interface("veth9", 9, "veth", peer="if1", addresses=addresses)
        wlan = make_interface("wlan0", 8, addresses=("192.0.2.9/24",))
        columns, states = make_scene(("bridge",), publish=None)
        return compare(columns, states | {"machine": make_state(interfaces=(make_loopback(), wlan, cable))})

    before, after = rows(), rows("fe80::9/64")
    assert apply_rows(before, diff_rows(before, after)) == after
    assert diff_rows(before, after).remove == ()
