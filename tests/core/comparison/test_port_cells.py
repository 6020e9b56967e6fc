"""Cells of listeners and published ports."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dashboard.core.comparison.cells import Cell, ObservedColumns
from dashboard.core.comparison.port_cells import listener_cells, published_cells
from dashboard.core.experiments.messages import ArmStatus, PublishedPort
from dashboard.core.namespaces.state import Family, Protocol
from tests.core.builders import MACHINE, make_column, make_listener, make_ports
from tests.core.comparison.cell_helpers import alone, say, scene_of


def test_a_listener_names_its_process_its_owner_and_where_it_listens() -> None:
    observed = scene_of("host", "bridge")
    machine = say(listener_cells, MACHINE, observed)
    assert machine["tcp :80", ""].text == "nginx 4100 (host)"
    assert machine["tcp :80", ""].note == "all IPv4"
    assert say(listener_cells, "host", observed)["tcp :80", ""].text == "nginx 4100"
    assert machine["tcp :22", ""].text == "sshd 811"


def test_process_ids_are_normalised() -> None:
    one, other = (alone(listener_cells, listeners=(make_listener(80, "nginx", pid),)) for pid in (1, 2))
    assert one["tcp :80", ""].text != other["tcp :80", ""].text
    assert one["tcp :80", ""].normalised == other["tcp :80", ""].normalised


def test_process_and_address_of_a_listener_are_compared() -> None:
    listeners = (
        make_listener(),
        make_listener(process="apache2"),
        make_listener(address="127.0.0.1"),
        make_listener(container="f0" * 32),
        make_listener(family=Family.INET6, address="::", v6only=False),
        make_listener(family=Family.INET6, address="::", v6only=True),
        make_listener(interface="eth0"),
    )
    values = {alone(listener_cells, listeners=(one,))["tcp :80", ""].normalised for one in listeners}
    assert len(values) == len(listeners)


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({}, "all IPv4"),
        ({"family": Family.INET6, "address": "::", "v6only": True}, "all IPv6"),
        ({"family": Family.INET6, "address": "::", "v6only": False}, "all IPv4 and IPv6"),
        ({"address": "127.0.0.1"}, "127.0.0.1"),
        ({"family": Family.INET6, "address": "::1", "v6only": True}, "[::1]"),
        ({"interface": "eth0"}, "all IPv4%eth0"),
    ],
)
def test_the_address_of_a_listener_is_described(fields: dict[str, Any], place: str) -> None:
    assert alone(listener_cells, listeners=(make_listener(**fields),))["tcp :80", ""].note == place


def test_an_unknown_process_is_shown_as_such() -> None:
    assert alone(listener_cells, listeners=(make_listener(80, None, None),))["tcp :80", ""].text == ("unknown process")


def test_the_random_ports_of_docker_s_resolver_are_normalised() -> None:
    observed = scene_of("user-bridge", "macvlan")
    one, other = (say(listener_cells, key, observed) for key in ("user-bridge", "macvlan"))
    for protocol in ("tcp", "udp"):
        cells = one[f"{protocol} resolver", ""], other[f"{protocol} resolver", ""]
        assert cells[0].text != cells[1].text
        assert cells[0].normalised == cells[1].normalised


def test_a_server_of_the_machine_at_127_0_0_11_is_an_ordinary_listener() -> None:
    listeners = (
        make_listener(53, "dnsmasq", 5, address="127.0.0.11"),
        make_listener(5353, "other", 6, address="127.0.0.11"),
    )
    assert set(alone(listener_cells, listeners=listeners)) == {("tcp :53", ""), ("tcp :5353", "")}


def test_tcp_and_udp_on_one_port_are_two_rows() -> None:
    listeners = (make_listener(53), make_listener(53, protocol=Protocol.UDP))
    assert set(alone(listener_cells, listeners=listeners)) == {("tcp :53", ""), ("udp :53", "")}


def published(**fields: Any) -> dict[tuple[str, str], Cell]:
    column = make_column("bridge", **fields)
    return {(key.key, key.field): cell for key, cell in published_cells(column)}


def test_a_discarded_port_stays_visible_as_asked() -> None:
    cells = published(asked=make_ports(8080, 80, ""))
    assert cells["80/tcp", "asked"].text == ":8080"
    assert (cells["80/tcp", "published"].text, cells["80/tcp", "published"].absent) == (None, "discarded")


def test_nothing_is_called_discarded_when_the_container_does_not_run() -> None:
    cells = published(asked=make_ports(8080, 80, ""), status=ArmStatus.EXITED)
    assert cells["80/tcp", "published"].absent == "not running"


def test_a_port_published_with_all_was_not_asked_for() -> None:
    cells = published(published=make_ports(32768))
    assert (cells["80/tcp", "asked"].text, cells["80/tcp", "asked"].absent) == (None, "not requested")
    assert cells["80/tcp", "published"].text == "0.0.0.0:32768\n[::]:32768"


def test_a_port_left_to_the_engine_is_any_free_port() -> None:
    assert published(asked=(PublishedPort(80, "tcp", "", 0),))["80/tcp", "asked"].text == "any free port"
    assert published(asked=(PublishedPort(80, "tcp", "127.0.0.1", 0),))["80/tcp", "asked"].text == (
        "127.0.0.1:any free port"
    )


def test_a_routed_network_publishes_no_port() -> None:
    routed = (PublishedPort(80, "tcp", "0.0.0.0", 0), PublishedPort(80, "tcp", "::", 0))
    cell = published(asked=make_ports(8080, 80, ""), published=routed)["80/tcp", "published"]
    assert (cell.text, cell.absent) == (None, "not published: routed")
    mixed = published(published=(*make_ports(8080, 80, "0.0.0.0"), routed[1]))["80/tcp", "published"]
    assert mixed.text == "0.0.0.0:8080\n[::] not published: routed"


def test_each_port_of_the_container_has_its_rows() -> None:
    cells = published(asked=(*make_ports(8080, 80, ""), PublishedPort(53, "udp", "", 53)))
    assert list(cells) == [(key, field) for key in ("53/udp", "80/tcp") for field in ("asked", "published")]


def test_docker_s_resolver_is_known_only_inside_of_a_container() -> None:
    socket = make_listener(40_000, None, None, address="127.0.0.11")
    assert ("tcp resolver", "") not in alone(listener_cells, listeners=(socket,))
    observed = scene_of("host", "user-bridge")
    states = {key: replace(state, listeners=(socket,)) for key, state in observed.states.items()}
    changed = ObservedColumns(observed.columns, states)
    assert ("tcp resolver", "") in say(listener_cells, "user-bridge", changed)
    assert ("tcp resolver", "") not in say(listener_cells, "host", changed)
    held = replace(socket, container="f0" * 32)
    other = ObservedColumns(observed.columns, {key: replace(s, listeners=(held,)) for key, s in states.items()})
    assert ("tcp resolver", "") not in say(listener_cells, "user-bridge", other)
