"""What each column says, and by what it is compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dashboard.core.comparison.cells import (
    Cell,
    Cells,
    Scene,
    dns_cells,
    hosts_cells,
    identity_cells,
    interface_cells,
    listener_cells,
    published_cells,
    route_cells,
    sysctl_cells,
)
from dashboard.core.experiments.messages import ArmStatus, Column, PublishedPort
from dashboard.core.namespaces.state import Family, HostsEntry, Lookup, NamespaceState, Protocol, Resolver
from tests.core.builders import (
    MACHINE,
    container_id,
    make_column,
    make_interface,
    make_listener,
    make_ports,
    make_route,
    make_scene,
    make_state,
)

Section = Callable[[Scene, Column, NamespaceState], Cells]


def say(section: Section, key: str, scene: Scene) -> dict[tuple[str, str], Cell]:
    """The cells of one column in one section, by key and field."""
    column = next(one for one in scene.columns if one.key == key)
    return {(row.key, row.field): cell for row, cell in section(scene, column, scene.states[key])}


def alone(section: Section, **fields: Any) -> dict[tuple[str, str], Cell]:
    """What a machine with this state says when nothing else is there."""
    return say(section, MACHINE, Scene((Column(MACHINE, MACHINE, "this machine"),), {MACHINE: make_state(**fields)}))


def scene_of(*modes: str, **more: Any) -> Scene:
    return Scene(*make_scene(modes, **more))


def test_host_mode_has_no_address_and_says_whose_it_uses() -> None:
    scene = scene_of("host", "bridge", "none", "container")
    assert say(identity_cells, MACHINE, scene)["address", ""].text == "192.0.2.2, 2001:db8::2"
    host = say(identity_cells, "host", scene)["address", ""]
    assert (host.text, host.absent) == (None, "none: uses the machine's")
    assert say(identity_cells, "bridge", scene)["address", ""].text == "172.17.0.2"
    assert say(identity_cells, "none", scene)["address", ""].absent == "none"
    assert say(identity_cells, "container", scene)["address", ""].absent == "none: uses the machine's"


def test_a_container_that_joins_a_stack_says_whose_address_it_uses() -> None:
    scene = scene_of("bridge", "container")
    assert say(identity_cells, "container", scene)["address", ""].absent == "none: uses that of bridge"


def test_a_host_name_made_of_the_container_s_id_is_noise() -> None:
    scene = scene_of("bridge", "user-bridge")
    one, other = (say(identity_cells, key, scene)["hostname", ""] for key in ("bridge", "user-bridge"))
    assert one.text != other.text
    assert one.normalised == other.normalised


def test_a_given_host_name_is_none() -> None:
    columns, states = make_scene(("bridge", "user-bridge"))
    scene = Scene(columns, states | {"bridge": replace(states["bridge"], hostname="web")})
    cell = say(identity_cells, "bridge", scene)["hostname", ""]
    assert (cell.text, cell.normalised) == ("web", None)


def test_a_name_that_is_not_known_is_a_word() -> None:
    cell = alone(identity_cells, hostname="")["hostname", ""]
    assert (cell.text, cell.absent) == (None, "unknown")


def test_other_namespaces_are_the_machine_s_or_its_own() -> None:
    scene = scene_of("host", "none")
    assert say(identity_cells, "host", scene)["namespace uts", ""].text == "its own"
    assert say(identity_cells, MACHINE, scene)["namespace uts", ""].text == "the machine's"
    assert ("namespace cgroup", "") not in say(identity_cells, "host", scene)


# Interfaces.


def test_the_machine_s_end_of_a_cable_is_named_after_who_hangs_on_it() -> None:
    scene = scene_of("bridge")
    cells = say(interface_cells, MACHINE, scene)
    assert cells["veth to bridge", "link"].note == "veth000001f"
    assert cells["veth to bridge", "joined"].text == "bridge docker0, veth peer eth0 in bridge"
    assert say(interface_cells, "bridge", scene)["eth0", "joined"].text == "veth peer veth000001f on this machine"


def test_the_cable_is_named_after_the_owner_of_the_stack_whoever_stands_first() -> None:
    assert ("veth to bridge", "link") in say(interface_cells, MACHINE, scene_of("container", "bridge"))


def test_names_of_cables_and_hardware_addresses_are_noise() -> None:
    scene = scene_of("bridge", "user-bridge")
    one, other = (say(interface_cells, key, scene) for key in ("bridge", "user-bridge"))
    for field in ("joined", "mac"):
        assert one["eth0", field].text != other["eth0", field].text
        assert one["eth0", field].normalised == other["eth0", field].normalised


def test_link_local_addresses_are_shown_and_not_compared() -> None:
    first, later = (
        alone(interface_cells, interfaces=(make_interface(addresses=("192.0.2.2/24", local)),))["eth0", "addresses"]
        for local in ("fe80::1/64", "fe80::2/64")
    )
    assert first.text == "192.0.2.2/24\nfe80::1/64"
    assert first.normalised == later.normalised


def test_a_cable_with_both_ends_on_the_machine_names_its_other_end() -> None:
    ends = (make_interface("a", 5, "veth", peer="if6"), make_interface("b", 6, "veth", peer="if5"))
    assert alone(interface_cells, interfaces=ends)["a", "joined"].text == "veth peer b"
    assert alone(interface_cells, interfaces=ends[:1])["a", "joined"].text == "veth peer if6"


def test_a_sub_interface_names_the_link_it_sits_on() -> None:
    joined = say(interface_cells, "macvlan", scene_of("macvlan"))["eth0", "joined"]
    assert joined.text == "on eth0 of this machine"


def test_a_vlan_names_the_link_it_sits_on() -> None:
    links = (make_interface(), make_interface("eth0.7", 7, "vlan", peer="eth0"))
    assert alone(interface_cells, interfaces=links)["eth0.7", "joined"].text == "on eth0"


def test_loopback_has_no_hardware_address_worth_a_row() -> None:
    assert ("lo", "mac") not in alone(interface_cells)


def test_a_link_without_an_address_says_so() -> None:
    cell = alone(interface_cells, interfaces=(make_interface(up=False),))["eth0", "addresses"]
    assert (cell.text, cell.absent) == (None, "no address")


# Routes.


@pytest.mark.parametrize(
    ("route", "text"),
    [
        (make_route(), "via 192.0.2.1 dev eth0"),
        (make_route("192.0.2.0/24", None, source="192.0.2.2"), "dev eth0 src 192.0.2.2"),
        (make_route("2001:db8::/64", None, metric=256), "dev eth0 metric 256"),
        (make_route("192.0.2.0/24", None, metric=0), "dev eth0"),
        (make_route("192.0.2.0/24", None, interface=None), "unreachable"),
    ],
)
def test_a_route_reads_as_ip_route_prints_it(route: Any, text: str) -> None:
    (cell,) = alone(route_cells, routes=(route,)).values()
    assert cell.text == text


def test_several_routes_to_one_destination_stand_under_each_other() -> None:
    routes = (make_route(), make_route(gateway="192.0.2.9", metric=100))
    cells = alone(route_cells, routes=routes)
    assert cells["default", "inet"].text == "via 192.0.2.1 dev eth0\nvia 192.0.2.9 dev eth0 metric 100"


def test_both_families_have_a_default_route_of_their_own() -> None:
    inet6 = make_route(gateway="2001:db8::1", family=Family.INET6)
    assert set(alone(route_cells, routes=(make_route(), inet6))) == {("default", "inet"), ("default", "inet6")}


# Listeners.


def test_a_listener_names_its_process_its_owner_and_where_it_listens() -> None:
    scene = scene_of("host", "bridge")
    machine = say(listener_cells, MACHINE, scene)
    assert machine["tcp :80", ""].text == "nginx 4100 (host)"
    assert machine["tcp :80", ""].note == "all IPv4"
    assert say(listener_cells, "host", scene)["tcp :80", ""].text == "nginx 4100"
    assert machine["tcp :22", ""].text == "sshd 811"


def test_process_ids_are_noise() -> None:
    one, other = (alone(listener_cells, listeners=(make_listener(80, "nginx", pid),)) for pid in (1, 2))
    assert one["tcp :80", ""].text != other["tcp :80", ""].text
    assert one["tcp :80", ""].normalised == other["tcp :80", ""].normalised


def test_who_listens_and_where_is_no_noise() -> None:
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
def test_where_a_socket_listens_is_said_in_words(fields: dict[str, Any], place: str) -> None:
    assert alone(listener_cells, listeners=(make_listener(**fields),))["tcp :80", ""].note == place


def test_a_process_that_cannot_be_seen_is_said_so() -> None:
    assert alone(listener_cells, listeners=(make_listener(80, None, None),))["tcp :80", ""].text == (
        "a process that cannot be seen"
    )


def test_the_random_ports_of_docker_s_resolver_are_noise() -> None:
    scene = scene_of("user-bridge", "macvlan")
    one, other = (say(listener_cells, key, scene) for key in ("user-bridge", "macvlan"))
    for protocol in ("tcp", "udp"):
        cells = one[f"{protocol} resolver", ""], other[f"{protocol} resolver", ""]
        assert cells[0].text != cells[1].text
        assert cells[0].normalised == cells[1].normalised


def test_a_server_of_the_machine_at_the_resolver_s_address_is_a_server_like_others() -> None:
    listeners = (
        make_listener(53, "dnsmasq", 5, address="127.0.0.11"),
        make_listener(5353, "other", 6, address="127.0.0.11"),
    )
    assert set(alone(listener_cells, listeners=listeners)) == {("tcp :53", ""), ("tcp :5353", "")}


def test_tcp_and_udp_on_one_port_are_two_rows() -> None:
    listeners = (make_listener(53), make_listener(53, protocol=Protocol.UDP))
    assert set(alone(listener_cells, listeners=listeners)) == {("tcp :53", ""), ("udp :53", "")}


# Published ports.


def published(**fields: Any) -> dict[tuple[str, str], Cell]:
    column = make_column("bridge", **fields)
    return {(key.key, key.field): cell for key, cell in published_cells(Scene((column,), {}), column, None)}


def test_a_discarded_port_stays_visible_as_asked() -> None:
    cells = published(asked=make_ports(8080, 80, ""))
    assert cells["80/tcp", "asked"].text == ":8080"
    assert (cells["80/tcp", "published"].text, cells["80/tcp", "published"].absent) == (None, "discarded")


def test_nothing_is_called_discarded_when_the_container_does_not_run() -> None:
    cells = published(asked=make_ports(8080, 80, ""), status=ArmStatus.EXITED)
    assert cells["80/tcp", "published"].absent == "nothing: it does not run"


def test_a_port_published_with_all_was_not_asked_for() -> None:
    cells = published(published=make_ports(32768))
    assert (cells["80/tcp", "asked"].text, cells["80/tcp", "asked"].absent) == (None, "not asked")
    assert cells["80/tcp", "published"].text == "0.0.0.0:32768\n[::]:32768"


def test_a_port_left_to_the_engine_is_any_free_port() -> None:
    assert published(asked=(PublishedPort(80, "tcp", "", 0),))["80/tcp", "asked"].text == "any free port"
    assert published(asked=(PublishedPort(80, "tcp", "127.0.0.1", 0),))["80/tcp", "asked"].text == (
        "127.0.0.1:any free port"
    )


def test_each_port_of_the_container_has_its_rows() -> None:
    cells = published(asked=(*make_ports(8080, 80, ""), PublishedPort(53, "udp", "", 53)))
    assert list(cells) == [(key, field) for key in ("53/udp", "80/tcp") for field in ("asked", "published")]


# DNS, hosts, sysctls.


def test_a_lookup_says_who_answered_and_how_long_it_took() -> None:
    lookups = (
        Lookup("web", "answer", ("172.18.0.2",), "127.0.0.11", 404),
        Lookup("db", "answer", ("192.0.2.9",), "hosts file"),
        Lookup("x", "no such name", (), "192.0.2.53", 1250),
        Lookup("y", "no answer"),
    )
    cells = alone(dns_cells, lookups=lookups)
    assert (cells["lookup web", ""].text, cells["lookup web", ""].note) == ("172.18.0.2", "by 127.0.0.11, 0.4 ms")
    assert cells["lookup db", ""].note == "by hosts file"
    assert (cells["lookup x", ""].text, cells["lookup x", ""].absent) == (None, "no such name")
    assert (cells["lookup y", ""].note, cells["lookup y", ""].absent) == ("", "no answer")


def test_the_time_of_a_lookup_is_noise() -> None:
    one, other = (
        alone(dns_cells, lookups=(Lookup("web", "answer", ("192.0.2.9",), "192.0.2.53", time),))["lookup web", ""]
        for time in (1, 2000)
    )
    assert (one.text, one.normalised) == (other.text, other.normalised)


def test_a_resolver_that_names_no_server_says_so() -> None:
    cells = alone(dns_cells, resolver=Resolver())
    assert {cell.absent for cell in cells.values()} == {"none"}
    assert alone(dns_cells, resolver=None) == {}


def test_a_container_s_own_name_in_the_hosts_file_is_one_row_for_all() -> None:
    scene = scene_of("host", "bridge")
    assert say(hosts_cells, "bridge", scene)["own host name", ""].text == "172.17.0.2"
    assert ("own host name", "") not in say(hosts_cells, "host", scene)
    assert say(hosts_cells, MACHINE, scene)["lab-1", ""].text == "127.0.1.1"


def test_a_name_with_two_addresses_has_both() -> None:
    hosts = (HostsEntry("127.0.0.1", ("localhost",)), HostsEntry("::1", ("localhost", "ip6-localhost")))
    assert alone(hosts_cells, hosts=hosts)["localhost", ""].text == "127.0.0.1\n::1"


def test_white_space_in_a_sysctl_is_noise() -> None:
    one, other = (
        alone(sysctl_cells, sysctls={"net.ipv4.ping_group_range": value})["net.ipv4.ping_group_range", ""]
        for value in ("1\t0", "1 0")
    )
    assert one == other


def test_an_owner_is_found_by_the_whole_id() -> None:
    scene = scene_of("host")
    assert scene.owner_title(container_id("host")) == "host"
    assert scene.owner_title(container_id("host")[:12]) is None
    assert scene.owner_title(None) is None
