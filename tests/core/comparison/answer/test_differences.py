"""dashboard.core.comparison.answer.differences."""

from __future__ import annotations

from hypothesis import given

from dashboard.core.comparison.answer.differences import MAX_DIFFERENCES, list_differences
from dashboard.core.comparison.rows import compare
from dashboard.core.experiments.messages import Relation, Row
from dashboard.core.experiments.stream import row_id
from tests.core.builders import Columns, States
from tests.core.scenes import make_scene, recorded_scene
from tests.core.strategies import engine_scenes


def test_the_first_five_rules_that_apply_are_shown_with_their_rows() -> None:
    columns, states = recorded_scene()
    rows = compare(columns, states)
    found = list_differences(columns, rows)
    assert [one.rule for one in found] == ["namespace", "discarded", "published", "address", "resolver"]
    by_id = {row_id(row): row for row in rows}
    assert [by_id[one.row].why for one in found] == [one.why for one in found]
    assert all(one.why for one in found)


def test_a_row_without_a_rule_is_described_by_its_cells() -> None:
    columns, _states = make_scene(("bridge", "user-bridge"), publish=None)
    row = Row("weather", "sky", "", {"bridge": "grey", "user-bridge": None}, Relation.ONLY, "Sky", "It rains.")
    (found,) = list_differences(columns, [row])
    assert (found.sentence, found.why, found.row) == (
        "Sky: bridge grey; user-bridge none.",
        "It rains.",
        "weather/sky/",
    )


@given(engine_scenes())
def test_any_scene_has_at_most_five_differences_each_proven_by_a_row(scene: tuple[Columns, States]) -> None:
    columns, states = scene
    rows = compare(columns, states)
    found = list_differences(columns, rows)
    assert len(found) <= MAX_DIFFERENCES
    assert {one.row for one in found} <= {row_id(row) for row in rows}
    assert all(one.sentence.endswith(".") for one in found)
