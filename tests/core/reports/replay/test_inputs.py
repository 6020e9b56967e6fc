"""Equal numbers for what is equal, whoever made it."""

from __future__ import annotations

from dataclasses import replace

from dashboard.core.reports.replay.inputs import Inputs
from tests.core.builders import MACHINE, make_address, make_interface, make_listener, make_scene, make_state


def test_what_is_equal_has_equal_numbers_and_nothing_else_has() -> None:
    columns, states = make_scene(["bridge"])
    inputs = Inputs()
    first = inputs.look(columns, 0, states)
    more = replace(states["bridge"], listeners=(*states["bridge"].listeners, make_listener(9000)))
    second = inputs.look(columns, 0, {**states, "bridge": more})
    again = inputs.look(columns, 0, {**states, "bridge": replace(states["bridge"])})
    assert {name for name in first.of["bridge"] if first.of["bridge"][name] != second.of["bridge"][name]} == {
        "listeners"
    }
    assert second.of[MACHINE] == first.of[MACHINE]
    assert again.of == first.of
    assert {first.common, second.common, again.common} == {first.common}


def test_an_address_more_changes_no_links_and_another_namespace_changes_all() -> None:
    columns, _ = make_scene(["bridge"])
    link = make_interface("eth0", 2, addresses=("192.0.2.2/24",))
    inputs = Inputs()
    first = inputs.look(columns, 0, {MACHINE: make_state(interfaces=(link,))})
    more = replace(link, addresses=(*link.addresses, make_address("192.0.2.3")))
    second = inputs.look(columns, 0, {MACHINE: make_state(interfaces=(more,))})
    assert second.links == first.links
    assert second.of[MACHINE]["interfaces"] != first.of[MACHINE]["interfaces"]
    assert second.of[MACHINE]["primary"] != first.of[MACHINE]["primary"]
    down = inputs.look(columns, 0, {MACHINE: make_state(interfaces=(replace(link, name="lan0"),))})
    assert down.links != first.links
    assert inputs.look(columns, 0, {MACHINE: make_state(7, interfaces=(link,))}).common != first.common
    assert inputs.look(columns, 1, {MACHINE: make_state(interfaces=(link,))}).common != first.common
