"""The diagram of a whole engine: its machine and running containers, launched here or not."""

from __future__ import annotations

from dashboard.core.diagram.observed_engine import MAX_CONTAINERS, draw_engine
from dashboard.core.experiments.picture import Picture
from dashboard.core.workshops.observation import Observation
from tests.core.observations import NOW, make_container, make_observation


def titles(pictures: tuple[Picture, Picture] | None, *kinds: str) -> list[str]:
    assert pictures is not None
    wide, narrow = ([box.title for box in each.boxes if box.kind in kinds] for each in pictures)
    assert sorted(wide) == sorted(narrow)
    return narrow


def test_a_container_in_host_mode_is_drawn_inside_the_machine() -> None:
    drawn = draw_engine(make_observation(make_container("web", "host"), make_container("apart", publish=8080)))
    assert titles(drawn, "host-stack") == ["web"]
    assert any("apart" in title for title in titles(drawn, "stack"))
    assert titles(drawn, "proxy", "dnat"), "the published port"


def test_the_newest_containers_are_drawn_in_the_order_of_their_start() -> None:
    many = [make_container(f"c{number}", started=NOW + number) for number in range(MAX_CONTAINERS + 2)]
    drawn = titles(draw_engine(make_observation(*reversed(many))), "stack")
    assert [title.split()[0] for title in drawn] == [f"c{number}" for number in range(2, MAX_CONTAINERS + 2)]


def test_containers_that_do_not_run_are_left_out() -> None:
    drawn = draw_engine(make_observation(make_container("gone", running=False)), "this host")
    assert titles(drawn, "stack", "host-stack") == []
    assert titles(drawn, "machine") == ["this host"]


def test_without_the_machine_there_is_no_diagram() -> None:
    assert draw_engine(Observation(0.0)) is None
