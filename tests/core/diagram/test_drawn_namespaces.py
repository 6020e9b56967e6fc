"""The items of a network namespace, and how many are shown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.core.diagram.drawn_namespaces import (
    SHOWN_INTERFACES,
    SHOWN_LISTENERS,
    SHOWN_PORTS,
    DrawnNamespace,
    describe_namespaces,
    group_by_namespace,
    interface_items,
    listener_items,
    mapping_box_id,
    mapping_items,
    namespace_title,
    own_listeners,
    published_mappings,
)
from dashboard.core.experiments.messages import Column, PublishedPort
from dashboard.core.modes import MACHINE
from dashboard.core.namespaces.state import Family, FirewallRules, Interface, Protocol, Translation, UnreadRules
from tests.core.builders import (
    container_id,
    make_column,
    make_interface,
    make_listener,
    make_loopback,
    make_ports,
    make_state,
)
from tests.core.scenes import make_scene

#: The state of a container with an address of each family.
INSIDE = make_state(4026532500, interfaces=(make_interface(addresses=("172.17.0.2/16", "fd00:17::2/64")),))


def make_stack(*links: Interface) -> DrawnNamespace:
    return DrawnNamespace(make_state(interfaces=links), (make_column("bridge"),))


def published(count: int) -> Column:
    ports = tuple(port for number in range(count) for port in make_ports(8000 + number, 80 + number))
    return make_column("bridge", published=ports)


def test_columns_that_share_a_namespace_are_one_stack() -> None:
    stacks = group_by_namespace(*make_scene(("host", "bridge", "container", "none")))
    assert [(stack.key, namespace_title(stack)) for stack in stacks] == [
        (MACHINE, "this machine + host + container"),
        ("bridge", "bridge"),
        ("none", "none"),
    ]


def test_a_column_without_a_state_is_in_no_stack() -> None:
    columns, _ = make_scene(("bridge",))
    assert group_by_namespace(columns, {}) == ()


def test_loopback_is_last() -> None:
    items = interface_items(make_stack(make_loopback(), make_interface("eth0", 2)), "bridge")
    assert [item.lines[0] for item in items] == ["eth0", "lo"]


@pytest.mark.parametrize(
    ("link", "lines"),
    [
        (make_interface(addresses=("192.0.2.2/24",)), ("eth0", "192.0.2.2/24")),
        (make_interface(addresses=("192.0.2.2/24", "fe80::2/64")), ("eth0", "192.0.2.2/24 +1")),
        (make_interface(addresses=("fe80::2/64",)), ("eth0", "fe80::2/64")),
        (make_interface(up=False), ("eth0 · down", "no address")),
        (make_loopback(), ("lo", "127.0.0.1/8 +1")),
    ],
)
def test_a_link_shows_its_name_and_its_first_address(link: Interface, lines: tuple[str, ...]) -> None:
    (item,) = interface_items(make_stack(link), "bridge")
    assert item.lines == lines


@pytest.mark.parametrize("count", [0, 1, SHOWN_INTERFACES, SHOWN_INTERFACES + 1, SHOWN_INTERFACES + 2, 300])
def test_every_link_is_shown_or_counted(count: int) -> None:
    items = interface_items(make_stack(*(make_interface(f"x{n}", n) for n in range(1, count + 1))), "bridge")
    more = [item for item in items if item.kind == "more"]
    shown = len(items) - len(more)
    assert len(items) <= SHOWN_INTERFACES + 1
    assert shown + sum(int(item.lines[0].split()[0]) for item in more) == count


def test_the_machine_s_veth_interfaces_have_no_boxes_and_bridges_can_be_selected() -> None:
    stack = group_by_namespace(*make_scene(("bridge", "user-bridge")))[0]
    assert [item.lines[0] for item in interface_items(stack, MACHINE, bridges=False)] == ["eth0", "lo"]
    assert [item.lines[0] for item in interface_items(stack, MACHINE, bridges=True)] == ["docker0", "br-user-bridge"]
    assert len(interface_items(stack, MACHINE)) == 4


@pytest.mark.parametrize("count", [0, 1, SHOWN_LISTENERS, SHOWN_LISTENERS + 1, 100])
def test_every_listening_port_is_shown_or_counted(count: int) -> None:
    listeners = [make_listener(1000 + number) for number in range(count)]
    items = listener_items("host", "host", listeners * 2)
    more = [item for item in items if item.kind == "more"]
    assert len(items) - len(more) == min(count, SHOWN_LISTENERS)
    assert bool(more) is (count > SHOWN_LISTENERS)
    assert sum(int(item.lines[0].split()[0]) for item in more) == max(0, count - SHOWN_LISTENERS)


def test_a_listener_shows_its_process_as_far_as_it_is_known() -> None:
    listeners = (make_listener(80, "nginx", 4711), make_listener(53, None, None, protocol=Protocol.UDP))
    assert [item.lines for item in listener_items("a", "host", listeners)] == [
        (":80 nginx", "tcp, pid 4711"),
        (":53 unknown process", "udp"),
    ]


def test_a_container_s_listeners_are_its_own_and_the_machine_s_those_of_no_container() -> None:
    columns, states = make_scene(("host", "bridge"))
    machine = states[MACHINE]
    own = {column.key: [one.process for one in own_listeners(column, machine)] for column in columns}
    assert own == {MACHINE: ["sshd"], "host": ["nginx"], "bridge": []}
    (inside,) = own_listeners(columns[2], states["bridge"])
    assert inside.container == container_id("bridge")


def test_without_cgroups_the_listeners_of_a_stack_of_one_container_are_its_own() -> None:
    columns, _states = make_scene(("bridge",))
    resolver = make_listener(40000, "dockerd", 900, address="127.0.0.11")
    state = make_state(listeners=(make_listener(80, "nginx", 4711), resolver))
    assert [one.port for one in own_listeners(columns[1], state, alone=True)] == [80]
    assert own_listeners(columns[1], state) == []


def test_mappings_gather_the_addresses_that_they_are_bound_to() -> None:
    assert published_mappings(published(2)) == {
        (80, "tcp", 8000): ["0.0.0.0", "::"],
        (81, "tcp", 8001): ["0.0.0.0", "::"],
    }


def test_every_mapping_is_shown_or_counted() -> None:
    machine = make_state(listeners=())
    assert len(mapping_items(published(SHOWN_PORTS), INSIDE, machine)) == SHOWN_PORTS
    items = mapping_items(published(SHOWN_PORTS + 7), INSIDE, machine)
    assert items[-1].lines == ("7 more ports",)


def test_one_port_on_two_addresses_has_one_set_of_boxes() -> None:
    column = make_column("bridge", published=(*make_ports(80, 80, "127.0.0.1"), *make_ports(80, 81, "192.0.2.2")))
    ids = [item.id for item in mapping_items(column, INSIDE, make_state(listeners=()))]
    assert len(set(ids)) == len(ids) == 2
    assert set(ids) == {mapping_box_id(column, "dnat", mapping) for mapping in published_mappings(column)}


def test_the_summary_names_udp_ports() -> None:
    columns, states = make_scene(("bridge",))
    udp = make_column("bridge", published=(PublishedPort(53, "udp", "0.0.0.0", 53),))
    stacks = group_by_namespace((columns[0], udp), states)
    assert "UDP port 53 of the machine forwards to port 53 of bridge." in describe_namespaces(stacks, stacks[0])


@pytest.mark.parametrize(
    ("count", "shown", "more"),
    [
        (SHOWN_INTERFACES, SHOWN_INTERFACES, ""),
        (SHOWN_INTERFACES + 1, SHOWN_INTERFACES + 1, ""),
        (SHOWN_INTERFACES + 2, SHOWN_INTERFACES, "2 more interfaces"),
    ],
)
def test_a_single_interface_beyond_the_limit_is_shown_instead_of_counted(count: int, shown: int, more: str) -> None:
    items = interface_items(make_stack(*(make_interface(f"x{n}", n) for n in range(1, count + 1))), "bridge")
    assert len([item for item in items if item.kind == "interface"]) == shown
    assert [item.lines for item in items if item.kind == "more"] == ([(more,)] if more else [])


@pytest.mark.parametrize(
    ("addresses", "listeners", "lines"),
    [
        (
            ("0.0.0.0", "::"),
            (8080,),
            [("docker-proxy :8080", "for 127.0.0.1"), ("DNAT :8080 → :80", "all other addresses")],
        ),
        (("0.0.0.0",), (), [("DNAT :8080 → :80", "all addresses")]),
        (("0.0.0.0",), (8081,), [("DNAT :8080 → :80", "all addresses")]),
        (("192.0.2.2",), (8080,), [("docker-proxy :8080", "at 192.0.2.2"), ("DNAT :8080 → :80", "at 192.0.2.2")]),
        (("127.0.0.1",), (8080,), [("docker-proxy :8080", "at 127.0.0.1")]),
        (("127.0.0.1",), (), [("DNAT :8080 → :80", "at 127.0.0.1")]),
        (("::",), (8080,), [("docker-proxy :8080", "at all IPv6")]),
        (("::1",), (8080,), [("docker-proxy :8080", "at ::1")]),
    ],
)
def test_a_mapping_has_a_box_for_docker_proxy_and_one_for_the_translation(
    addresses: tuple[str, ...], listeners: tuple[int, ...], lines: list[tuple[str, ...]]
) -> None:
    column = make_column("bridge", published=make_ports(8080, 80, *addresses))
    machine = make_state(listeners=tuple(make_listener(port, "docker-proxy") for port in listeners))
    items = mapping_items(column, INSIDE, machine)
    assert [item.lines for item in items] == lines
    assert {item.kind for item in items} <= {"proxy", "dnat"}


def test_a_listener_of_another_process_or_protocol_is_no_docker_proxy() -> None:
    column = make_column("bridge", published=make_ports(8080, 80, "0.0.0.0"))
    for one in (make_listener(8080, "nginx"), make_listener(8080, "docker-proxy", protocol=Protocol.UDP)):
        assert [item.kind for item in mapping_items(column, INSIDE, make_state(listeners=(one,)))] == ["dnat"]


DNAT = Translation(Protocol.TCP, Family.INET, 8080, "172.17.0.2", 80, "", ("127.0.0.0/8",))
DNAT6 = Translation(Protocol.TCP, Family.INET6, 8080, "fd00:17::2", 80, "", ("::1/128",))
UNREAD = FirewallRules(unread=(UnreadRules(Family.INET, "iptables-save is not installed"),))


@pytest.mark.parametrize(
    ("rules", "proxy", "lines"),
    [
        (
            FirewallRules((DNAT,)),
            True,
            [
                ("docker-proxy :8080", "127.0.0.1 and IPv6"),
                ("DNAT :8080 → :80", "other IPv4 addresses"),
            ],
        ),
        (
            FirewallRules((DNAT, DNAT6)),
            True,
            [("docker-proxy :8080", "for 127.0.0.1"), ("DNAT :8080 → :80", "all other addresses")],
        ),
        (FirewallRules((replace(DNAT, excluded=()),)), False, [("DNAT :8080 → :80", "all IPv4 addresses")]),
        (FirewallRules((replace(DNAT, address="192.0.2.2"),)), False, [("DNAT :8080 → :80", "at 192.0.2.2")]),
        (FirewallRules(), True, [("docker-proxy :8080", "all addresses")]),
        (FirewallRules(), False, []),
        (FirewallRules((replace(DNAT, port=8081),)), False, []),
        (FirewallRules((replace(DNAT, condition="-m owner"),)), False, []),
        (UNREAD, False, [("published :8080", "nat rules not readable")]),
        (UNREAD, True, [("docker-proxy :8080", "all addresses")]),
    ],
)
def test_a_translation_is_drawn_where_a_rule_was_read(
    rules: FirewallRules, *, proxy: bool, lines: list[tuple[str, ...]]
) -> None:
    column = make_column("bridge", published=make_ports(8080, 80, "0.0.0.0", "::"))
    sockets = [
        make_listener(8080, "docker-proxy"),
        make_listener(8080, "docker-proxy", address="::", family=Family.INET6),
    ]
    machine = make_state(listeners=tuple(sockets if proxy else ()), firewall=rules)
    assert [item.lines for item in mapping_items(column, INSIDE, machine)] == lines


def test_docker_proxy_is_drawn_where_it_listens_on_loopback_for_all_addresses() -> None:
    column = make_column("bridge", published=make_ports(8080, 80, "0.0.0.0", "::"))
    sockets = (
        make_listener(8080, "docker-proxy", address="127.0.0.1"),
        make_listener(8080, "docker-proxy", address="::1", family=Family.INET6),
    )
    machine = make_state(listeners=sockets, firewall=FirewallRules())
    assert [item.lines for item in mapping_items(column, INSIDE, machine)] == [
        ("docker-proxy :8080", "127.0.0.1 and ::1")
    ]


def test_a_forwarder_of_udp_is_drawn_with_protocol_and_address_of_its_port() -> None:
    column = make_column("bridge", published=(PublishedPort(80, "udp", "0.0.0.0", 18080),))
    socket = make_listener(18080, "rootlessport", protocol=Protocol.UDP)
    machine = make_state(listeners=(socket,), firewall=FirewallRules())
    assert [item.lines for item in mapping_items(column, INSIDE, machine)] == [
        ("rootlessport :18080", "udp, all addresses")
    ]


OTHER = replace(DNAT, to_address="172.17.0.3", address="192.0.2.2")


@pytest.mark.parametrize(
    ("addresses", "rules", "lines"),
    [
        (("127.0.0.1",), (OTHER,), []),
        (("127.0.0.1",), (DNAT,), []),
        (("0.0.0.0",), (OTHER,), []),
        (("192.0.2.2",), (DNAT6,), []),
        (("192.0.2.2",), (replace(DNAT, address="198.51.100.2"),), []),
        (("192.0.2.2",), (replace(DNAT, address="192.0.2.2"), OTHER), [("DNAT :8080 → :80", "at 192.0.2.2")]),
    ],
)
def test_a_rule_to_another_container_or_from_another_address_is_not_drawn(
    addresses: tuple[str, ...], rules: tuple[Translation, ...], lines: list[tuple[str, ...]]
) -> None:
    column = make_column("bridge", published=make_ports(8080, 80, *addresses))
    machine = make_state(listeners=(), firewall=FirewallRules(rules))
    assert [item.lines for item in mapping_items(column, INSIDE, machine)] == lines


def test_docker_proxy_at_another_address_is_not_drawn() -> None:
    machine = make_state(
        listeners=(make_listener(8080, "docker-proxy", address="192.0.2.2"),), firewall=FirewallRules()
    )
    for address, kinds in (("127.0.0.1", []), ("192.0.2.2", ["proxy"])):
        column = make_column("bridge", published=make_ports(8080, 80, address))
        assert [item.kind for item in mapping_items(column, INSIDE, machine)] == kinds


def test_the_summary_names_no_port_that_nothing_forwards() -> None:
    columns, states = make_scene(("bridge",))
    for rules, forwards in ((FirewallRules((DNAT,)), True), (FirewallRules(), False)):
        machine = replace(states[MACHINE], firewall=rules, listeners=())
        stacks = group_by_namespace(columns, states | {MACHINE: machine})
        summary = describe_namespaces(stacks, next(one for one in stacks if one.key == MACHINE))
        assert ("Port 8080 of the machine forwards" in summary) is forwards


def test_a_routed_network_has_no_box_for_a_port() -> None:
    column = make_column("bridge", published=make_ports(0, 80, "0.0.0.0"))
    assert mapping_items(column, INSIDE, make_state()) == []
