"""The sentence on what containers offer to another machine on the LAN."""

from __future__ import annotations

from dataclasses import replace

from dashboard.core.comparison.answer.comparison_table import ComparisonTable
from dashboard.core.comparison.answer.differences import list_differences
from dashboard.core.comparison.answer.outside import offer_to_the_lan
from dashboard.core.comparison.rows import compare
from dashboard.core.experiments.messages import PublishedPort
from dashboard.core.experiments.stream import row_id
from tests.core.builders import MACHINE, Columns, States, make_listener, with_column
from tests.core.scenes import make_scene, with_neighbour


def sentence(columns: Columns, states: States) -> str:
    stated = offer_to_the_lan(ComparisonTable(columns, compare(columns, states), states.get(MACHINE)))
    return "" if stated is None else stated[1]


def test_host_mode_offers_its_port_and_a_bridge_only_what_it_publishes() -> None:
    scene = with_neighbour(*make_scene(("host", "bridge", "none"), publish=8080))
    assert sentence(*scene) == (
        "To another machine on the LAN, over TCP, host offers 192.0.2.2:80; bridge offers only its published port "
        "192.0.2.2:8081; none offers nothing: it publishes no TCP port."
    )


def test_a_port_published_on_loopback_is_not_offered() -> None:
    columns, states = with_neighbour(*make_scene(("bridge",)))
    columns = with_column(columns, "bridge", published=(PublishedPort(80, "tcp", "127.0.0.1", 8080),))
    assert sentence(columns, states).endswith("bridge offers nothing: it publishes on loopback only.")


def test_a_port_published_over_udp_is_not_said_to_be_missing() -> None:
    columns, states = with_neighbour(*make_scene(("bridge",)))
    columns = with_column(columns, "bridge", published=(PublishedPort(53, "udp", "0.0.0.0", 5353),))
    assert sentence(columns, states) == (
        "To another machine on the LAN, over TCP, bridge offers nothing: it publishes no TCP port."
    )


def test_a_container_with_its_own_address_on_the_lan_or_in_a_routed_network_is_not_said_to_offer_nothing() -> None:
    columns, states = with_neighbour(*make_scene(("bridge", "macvlan")))
    columns = with_column(columns, "bridge", published=(PublishedPort(80, "tcp", "0.0.0.0", 0),))
    assert sentence(columns, states) == (
        "To another machine on the LAN, over TCP, bridge offers no port of the machine: its network is routed, so "
        "its ports are open at its own address; macvlan offers no port of the machine: it has its own address on the "
        "parent's network."
    )


def test_a_port_that_is_published_on_one_address_is_offered_there() -> None:
    columns, states = with_neighbour(*make_scene(("bridge",)))
    for published, endpoint in (
        ([("172.17.0.1", 8080)], "port 172.17.0.1:8080"),
        ([("::", 8080)], "port [2001:db8::2]:8080"),
        ([("0.0.0.0", 8080), ("::", 8080)], "port 192.0.2.2:8080"),
        ([("0.0.0.0", 8080), ("127.0.0.1", 8081), ("::", 8082)], "ports 192.0.2.2:8080, [2001:db8::2]:8082"),
    ):
        ports = tuple(PublishedPort(80, "tcp", address, port) for address, port in published)
        columns = with_column(columns, "bridge", published=ports)
        assert sentence(columns, states).endswith(f"its published {endpoint}."), published


def test_a_listener_on_one_address_is_offered_there() -> None:
    columns, states = with_neighbour(*make_scene(("host",)))
    listeners = states[MACHINE].listeners
    for address, v6only, endpoint in (
        ("172.17.0.1", None, "172.17.0.1:80"),
        ("::", False, "192.0.2.2:80"),
        ("::", True, "[2001:db8::2]:80"),
    ):
        own = tuple(replace(one, address=address, v6only=v6only) for one in listeners if one.port == 80)[:1]
        states = {**states, MACHINE: replace(states[MACHINE], listeners=own)}
        assert sentence(columns, states).endswith(f"host offers {endpoint}."), address


def test_host_mode_does_not_offer_the_port_of_another_program() -> None:
    columns, states = with_neighbour(*make_scene(("host",)))
    for listener, offer in (
        (make_listener(80, "apache2"), "host offers nothing: apache2 holds port 80."),
        (make_listener(80, "nginx", container="f" * 64), "host offers nothing: nginx holds port 80."),
        (make_listener(80, None), "host offers 192.0.2.2:80."),
    ):
        held = {key: replace(states[key], listeners=(listener,)) for key in (MACHINE, "host")}
        assert sentence(columns, states | held).endswith(offer)


def test_without_a_neighbour_or_a_machine_nothing_is_stated() -> None:
    columns, states = make_scene(("host", "bridge"))
    assert sentence(columns, states) == ""
    columns, states = with_neighbour(columns, states)
    assert sentence(columns, {key: state for key, state in states.items() if key != MACHINE}) == ""


def test_the_sentence_about_the_outside_does_not_displace_another_difference() -> None:
    columns, states = make_scene(("host", "bridge"))
    before = list_differences(columns, compare(columns, states), states[MACHINE])
    columns, states = with_neighbour(columns, states)
    rows = compare(columns, states)
    after = list_differences(columns, rows, states[MACHINE])
    assert [one for one in after if one.rule != "outside"] == list(before)
    (outside,) = [one for one in after if one.rule == "outside"]
    assert outside.row in {row_id(row) for row in rows}
