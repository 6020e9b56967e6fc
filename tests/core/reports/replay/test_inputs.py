"""dashboard.core.reports.replay.inputs: equal inputs have equal numbers."""

from __future__ import annotations

from dataclasses import replace

from dashboard.core.reports.replay.inputs import Inputs
from tests.core.builders import MACHINE, make_address, make_interface, make_listener, make_route, make_state
from tests.core.scenes import make_scene


def test_equal_inputs_have_equal_numbers_and_others_do_not() -> None:
    columns, states = make_scene(["bridge"])
    inputs = Inputs()
    first = inputs.next_frame(columns, 0, states)
    more = replace(states["bridge"], listeners=(*states["bridge"].listeners, make_listener(9000)))
    second = inputs.next_frame(columns, 0, {**states, "bridge": more})
    again = inputs.next_frame(columns, 0, {**states, "bridge": replace(states["bridge"])})
    assert {
        name for name in first.numbers["bridge"] if first.numbers["bridge"][name] != second.numbers["bridge"][name]
    } == {"listeners"}
    assert second.numbers[MACHINE] == first.numbers[MACHINE]
    assert again.numbers == first.numbers
    assert {first.common, second.common, again.common} == {first.common}


def test_an_added_address_changes_no_links_and_another_namespace_changes_everything() -> None:
    columns, _ = make_scene(["bridge"])
    link = make_interface("eth0", 2, addresses=("192.0.2.2/24",))
    inputs = Inputs()
    first = inputs.next_frame(columns, 0, {MACHINE: make_state(interfaces=(link,))})
    more = replace(link, addresses=(*link.addresses, make_address("192.0.2.3")))
    second = inputs.next_frame(columns, 0, {MACHINE: make_state(interfaces=(more,))})
    assert second.links == first.links
    assert second.numbers[MACHINE]["interfaces"] != first.numbers[MACHINE]["interfaces"]
    assert second.numbers[MACHINE]["primary"] != first.numbers[MACHINE]["primary"]
    down = inputs.next_frame(columns, 0, {MACHINE: make_state(interfaces=(replace(link, name="lan0"),))})
    assert down.links != first.links
    assert inputs.next_frame(columns, 0, {MACHINE: make_state(7, interfaces=(link,))}).common != first.common
    assert inputs.next_frame(columns, 1, {MACHINE: make_state(interfaces=(link,))}).common != first.common


def test_the_order_of_default_routes_is_an_input_of_the_picture() -> None:
    columns, _ = make_scene(["bridge"])
    inputs = Inputs()
    numbers = [
        inputs.next_frame(
            columns,
            0,
            {MACHINE: make_state(routes=(make_route(metric=100), make_route(interface="eth1", metric=metric)))},
        ).numbers[MACHINE]["exits"]
        for metric in (200, 300, 50)
    ]
    assert numbers[0] == numbers[1] != numbers[2]
