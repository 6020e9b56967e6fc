"""dashboard.core.comparison.answer.comparison_table."""

from __future__ import annotations

from dashboard.core.comparison.answer.comparison_table import ComparisonTable, one_line
from dashboard.core.comparison.rows import compare
from dashboard.core.experiments.messages import ArmStatus
from tests.core.builders import end, without
from tests.core.scenes import make_scene


def make_table(*modes: str, exited: str = "") -> ComparisonTable:
    columns, states = make_scene(modes)
    if exited:
        columns, states = end(columns, exited, ArmStatus.EXITED), without(states, exited)
    return ComparisonTable(columns, compare(columns, states))


def test_arms_are_the_columns_without_the_machine() -> None:
    assert [column.key for column in make_table("host", "bridge").arms] == ["host", "bridge"]


def test_arms_with_the_inode_of_the_machine_share_its_network_namespace() -> None:
    assert [column.key for column in make_table("host", "bridge", "none").sharing_machine] == ["host"]
    assert make_table("bridge", "none").sharing_machine == []
    assert ComparisonTable((), ()).sharing_machine == []


def test_a_row_differs_only_if_its_relation_is_not_same() -> None:
    table = make_table("host", "bridge")
    same = next(row for row in table.rows if row.relation == "same")
    assert table.row(f"{same.section}/{same.key}/{same.field}") == same
    assert table.differing_row(f"{same.section}/{same.key}/{same.field}") is None
    assert table.differing_row("identity/netns/") == table.row("identity/netns/") is not None
    assert same not in table.differing_rows(same.section)
    assert table.row("weather/sky/") is None


def test_columns_are_grouped_by_text_and_the_machine_is_included_only_on_request() -> None:
    table = make_table("host", "bridge")
    row = table.row("identity/netns/")
    assert row is not None
    assert [[column.key for column in columns] for _text, columns in table.by_text(row)] == [["host"], ["bridge"]]
    assert [[column.key for column in columns] for _text, columns in table.by_text(row, machine=True)] == [
        ["machine", "host"],
        ["bridge"],
    ]


def test_a_container_that_exited_does_not_lack_a_text() -> None:
    table = make_table("host", "bridge", "none", exited="none")
    row = table.row("routes/default/inet")
    assert row is not None
    assert [column.key for column in table.with_text(row)] == ["host", "bridge"]
    assert table.running_without_text(row) == []
    running = make_table("host", "bridge", "none")
    assert [column.key for column in running.running_without_text(row)] == ["none"]


def test_the_lines_of_a_cell_are_separated_by_commas() -> None:
    assert one_line("a\nb") == "a, b"
