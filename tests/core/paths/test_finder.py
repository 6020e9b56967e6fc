"""The paths that are found in scenes connected as by Docker 26."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dashboard.core.experiments.messages import ArmStatus
from dashboard.core.namespaces.state import Family, Interface, Listener, NamespaceState, Protocol, Resolver
from dashboard.core.paths.finder import find_paths, measured_paths, resolver_paths
from dashboard.core.paths.model import PathKind
from tests.core.builders import MACHINE, Columns, States, container_id, end, make_address, make_listener, with_column
from tests.core.scenes import make_scene, paths_by_key, with_neighbour


def with_link(state: NamespaceState, kind: str, *more: str) -> NamespaceState:
    """The state with more addresses on the links of a kind."""

    def add(link: Interface) -> Interface:
        return replace(link, addresses=(*link.addresses, *(make_address(text, 64) for text in more)))

    return replace(state, interfaces=tuple(add(link) if link.kind == kind else link for link in state.interfaces))


def test_each_path_to_host_and_bridge_has_its_hops() -> None:
    paths = paths_by_key(*make_scene(("host", "bridge")))
    hops = {key: (path.target, path.hops) for key, path in paths.items() if not path.unavailable}
    inner = ("docker0", "veth0000021", "eth0")
    assert hops == {
        "host/loopback": ("127.0.0.1:80", ("lo",)),
        "host/loopback-ipv6": ("[::1]:80", ("lo",)),
        "bridge/bridge-address": ("172.17.0.2:80", inner),
        "bridge/published-proxy": ("127.0.0.1:8081", ("lo", "docker-proxy :8081 (user space)", *inner)),
        "bridge/published-proxy-ipv6": ("[::1]:8081", ("lo", "docker-proxy :8081 (user space)", *inner)),
        "bridge/published-dnat": ("192.0.2.2:8081", ("DNAT 192.0.2.2:8081 → 172.17.0.2:80", *inner)),
    }
    assert all(path.client == MACHINE for path in paths.values() if not path.unavailable)


def test_only_a_published_port_determines_the_port_of_the_program() -> None:
    paths = paths_by_key(*make_scene(("host", "bridge")))
    fixed = {key: path.server_port for key, path in paths.items() if path.fixed}
    assert fixed == dict.fromkeys(
        ("bridge/published-proxy", "bridge/published-proxy-ipv6", "bridge/published-dnat"), 80
    )
    assert paths["bridge/bridge-address"].udp_port == 80
    assert paths["bridge/published-dnat"].udp_port == 0


@pytest.mark.parametrize(
    ("modes", "key", "words"),
    [
        (("host", "bridge"), "host/published-dnat", "the Engine discarded -p"),
        (("none", "bridge"), "none/bridge-address", "none has loopback only"),
        (("macvlan", "bridge"), "macvlan/bridge-address", "macvlan is a macvlan on eth0: the kernel passes nothing"),
        (("bridge",), "bridge/container-to-container", "this path needs a second container on the default bridge"),
        (("user-bridge",), "user-bridge/container-to-container", "this path needs a second container on the network"),
    ],
)
def test_a_path_that_does_not_exist_has_its_reason(modes: tuple[str, ...], key: str, words: str) -> None:
    path = paths_by_key(*make_scene(modes))[key]
    assert words in path.unavailable
    assert (path.address, path.target) == ("", "")


def test_ipv6_is_measured_if_both_sides_have_it() -> None:
    columns, states = make_scene(("bridge",))
    states["bridge"] = with_link(states["bridge"], "veth", "fd00:17::2")
    machine = with_link(states[MACHINE], "physical", "2001:db8::2")
    states[MACHINE] = with_link(machine, "bridge", "fd00:17::1")
    paths = paths_by_key(columns, states)
    assert paths["bridge/bridge-address-ipv6"].target == "[fd00:17::2]:80"
    assert paths["bridge/published-dnat-ipv6"].target == "[2001:db8::2]:8080"
    assert paths["bridge/published-dnat-ipv6"].hops[0] == "DNAT [2001:db8::2]:8080 → [fd00:17::2]:80"


def test_two_containers_on_one_network_have_a_path_between_them() -> None:
    columns, states = make_scene(("bridge", "user-bridge"))
    columns = (*columns, replace(columns[2], key="second", title="second"))
    second = states["user-bridge"]
    states["second"] = replace(
        second,
        netns=second.netns + 7,
        interfaces=tuple(
            replace(link, addresses=(make_address("172.20.0.3", 16),)) if link.name == "eth0" else link
            for link in second.interfaces
        ),
    )
    columns = (*columns[:3], replace(columns[3], networks={next(iter(columns[2].networks)): "172.20.0.3"}))
    paths = paths_by_key(columns, states)
    path = paths["second/container-to-container"]
    assert (path.client, path.server, path.address) == ("user-bridge", "second", "172.20.0.3")
    assert path.host_name
    assert path.title.endswith(", by name")
    assert path.hops[0] == "eth0"
    assert "br-user-bridge" in path.hops
    assert paths["user-bridge/container-to-container"].client == "second"


@pytest.mark.parametrize("network", ["bridge", "podman"])
def test_no_path_on_the_default_bridge_of_docker_or_podman_uses_a_name(network: str) -> None:
    columns, states = make_scene(("bridge", "user-bridge"))
    columns = tuple(
        replace(column, networks={network: address}) for column in columns for address in column.networks.values()
    )
    path = paths_by_key(columns, states)["bridge/container-to-container"]
    assert (path.title, path.host_name) == ("user-bridge to bridge, on the default bridge", "")


def test_a_shared_namespace_has_its_own_loopback() -> None:
    path = paths_by_key(*make_scene(("bridge", "container")))["container/shared-namespace"]
    assert (path.client, path.server, path.target, path.hops) == ("bridge", "container", "127.0.0.1:80", ("lo",))


def test_a_container_that_shares_a_host_mode_container_s_stack_is_on_loopback() -> None:
    columns, states = make_scene(("host", "container"))
    paths = paths_by_key(with_column(columns, "container", port=81), states)
    assert "container/shared-namespace" not in paths
    assert (paths["container/loopback"].client, paths["container/loopback"].target) == (MACHINE, "127.0.0.1:81")


def listening_on_the_machine(*listeners: Listener) -> tuple[Columns, States]:
    """Host mode and a neighbour. The machine and the arm have these listeners and no other."""
    columns, states = with_neighbour(*make_scene(("host", "bridge")))
    return columns, {**states, **{key: replace(states[key], listeners=listeners) for key in (MACHINE, "host")}}


@pytest.mark.parametrize(
    ("listener", "reason"),
    [
        (make_listener(80, "apache2"), "apache2 of the machine holds port 80: a request would not reach host"),
        (
            make_listener(80, "nginx", container="f" * 64),
            "nginx of another container holds port 80: a request would not reach host",
        ),
    ],
)
def test_host_mode_has_no_path_to_a_port_that_another_program_holds(listener: Listener, reason: str) -> None:
    paths = find_paths(*listening_on_the_machine(listener))
    for kind in (PathKind.LOOPBACK, PathKind.MACHINE_ADDRESS, PathKind.LAN_ADDRESS):
        assert [(path.target, path.unavailable) for path in paths if path.kind is kind] == [("", reason)] * 2


@pytest.mark.parametrize(
    "listeners",
    [
        (),
        (make_listener(80, None),),
        (make_listener(81, "apache2"),),
        (make_listener(80, "dnsmasq", protocol=Protocol.UDP),),
        (make_listener(80, "apache2"), make_listener(80, "nginx", container=container_id("host"))),
    ],
)
def test_host_mode_has_its_paths_unless_another_program_is_known_to_hold_the_port(
    listeners: tuple[Listener, ...],
) -> None:
    paths = paths_by_key(*listening_on_the_machine(*listeners))
    assert paths["host/loopback"].target == "127.0.0.1:80"
    assert paths["host/lan-address"].target == "192.0.2.2:80"


def test_a_path_leads_to_the_arm_only_where_its_own_socket_accepts_connections() -> None:
    only_ipv6: dict[str, Any] = {"family": Family.INET6, "address": "::", "v6only": True}
    own = make_listener(80, "nginx", container=container_id("host"), **only_ipv6)
    paths = paths_by_key(*listening_on_the_machine(make_listener(80, "apache2"), own))
    assert paths["host/loopback"].unavailable.startswith("apache2 of the machine holds port 80")
    assert paths["host/loopback-ipv6"].target == "[::1]:80"


def test_the_responder_of_netmodes_needs_no_port_that_another_program_holds() -> None:
    """In the machine's namespace it listens on any free port."""
    paths = find_paths(*listening_on_the_machine(make_listener(80, "apache2")), responder=True)
    for kind in (PathKind.LOOPBACK, PathKind.MACHINE_ADDRESS, PathKind.LAN_ADDRESS):
        assert [path.unavailable for path in paths if path.kind is kind] == ["", ""]


def test_a_path_of_a_column_without_a_container_is_not_judged_by_its_listeners() -> None:
    columns, states = listening_on_the_machine(make_listener(80, "apache2"))
    assert paths_by_key(with_column(columns, "host", container=None), states)["host/loopback"].target == "127.0.0.1:80"


def test_without_the_machine_there_are_only_paths_between_containers() -> None:
    columns, states = make_scene(("bridge", "container"))
    del states[MACHINE]
    assert {path.kind for path in measured_paths(columns, states) if not path.unavailable} == {
        PathKind.SHARED_NAMESPACE
    }


def test_an_arm_that_is_not_running_has_no_paths() -> None:
    columns, states = make_scene(("host", "bridge"))
    columns = (*columns[:2], replace(columns[2], status=ArmStatus.EXITED))
    assert {path.server for path in find_paths(columns, states)} == {"host"}
    assert {path.server for path in resolver_paths(columns, states)} == {MACHINE, "host"}


def test_each_column_uses_its_own_resolver() -> None:
    columns, states = make_scene(("host", "user-bridge"))
    states["host"] = replace(states["host"], resolver=Resolver())
    paths = {path.key: path for path in resolver_paths(columns, states)}
    assert (paths["user-bridge/resolver"].address, paths["user-bridge/resolver"].udp_port) == ("127.0.0.11", 53)
    assert paths["host/resolver"].unavailable == "host has no name server in its resolv.conf"


def test_without_a_default_route_the_bridge_s_address_is_translated_too() -> None:
    columns, states = make_scene(("bridge",))
    machine = states[MACHINE]
    links = tuple(link for link in machine.interfaces if link.kind in {"loopback", "bridge", "veth"})
    states[MACHINE] = replace(machine, interfaces=links, routes=())
    assert paths_by_key(columns, states)["bridge/published-dnat"].target == "172.17.0.1:8080"
    states[MACHINE] = replace(
        machine,
        routes=(),
        interfaces=tuple(link if link.kind != "bridge" else replace(link, addresses=()) for link in links),
    )
    why = paths_by_key(columns, states)["bridge/published-dnat"].unavailable
    assert why == "the machine has no IPv4 address except loopback and link-local ones"


def test_links_on_one_parent_are_connected_by_it_without_a_bridge() -> None:
    columns, states = make_scene(("macvlan", "ipvlan"))
    columns = tuple(
        replace(column, networks={"lan": address}) for column in columns for address in column.networks.values()
    )
    assert paths_by_key(columns, states)["ipvlan/container-to-container"].hops == (
        "eth0 (macvlan)",
        "eth0",
        "eth0 (ipvlan)",
    )
    states.pop(MACHINE)
    hops = paths_by_key(columns, states)["ipvlan/container-to-container"].hops
    assert (hops[0], hops[2]) == ("eth0 (macvlan)", "eth0 (ipvlan)")
    assert hops[1] != "eth0"


def test_without_the_machine_only_the_ends_of_a_path_are_known() -> None:
    columns, states = make_scene(("bridge", "user-bridge"))
    columns = tuple(
        replace(column, networks={"lan": address}) for column in columns for address in column.networks.values()
    )
    path = paths_by_key(columns, states)["bridge/container-to-container"]
    assert path.hops == ("eth0", "veth0000021", "br-user-bridge", "veth000001f", "eth0")
    assert (path.client, path.host_name) == ("user-bridge", "nm-7f2a9c-bridge")
    states.pop(MACHINE)
    assert paths_by_key(columns, states)["bridge/container-to-container"].hops == ("eth0", "eth0")


def test_a_column_without_a_port_is_requested_on_port_80() -> None:
    for modes in (("host", "bridge"), ("bridge", "container")):
        columns, states = make_scene(modes, publish=None)
        for port, expected in ((0, 80), (81, 81)):
            changed = tuple(replace(column, port=port) for column in columns)
            ports = {path.port for path in paths_by_key(changed, states).values() if not path.unavailable}
            assert ports == {expected}


def test_between_containers_there_is_a_path_for_each_common_family() -> None:
    columns, states = make_scene(("bridge", "user-bridge"))
    columns = tuple(
        replace(column, networks={"lan": address}) for column in columns for address in column.networks.values()
    )
    for key, number in (("bridge", 2), ("user-bridge", 3)):
        states[key] = with_link(states[key], "veth", f"fd00:17::{number}")
    paths = paths_by_key(columns, states)
    assert paths["bridge/container-to-container"].address == "172.17.0.2"
    assert paths["bridge/container-to-container-ipv6"].address == "fd00:17::2"
    states["user-bridge"] = make_scene(("bridge", "user-bridge"))[1]["user-bridge"]
    assert "bridge/container-to-container-ipv6" not in paths_by_key(columns, states), "the client has no IPv6"


def test_a_path_between_containers_needs_another_stack_on_the_same_network() -> None:
    columns, states = make_scene(("bridge", "container"))
    same = tuple(replace(column, networks={"lan": "172.17.0.2"}) for column in columns[1:])
    assert "second container" in paths_by_key((columns[0], *same), states)["bridge/container-to-container"].unavailable
    columns, states = make_scene(("bridge", "user-bridge"))
    other_network = paths_by_key(columns, states)["bridge/container-to-container"]
    assert "second container" in other_network.unavailable
    unassigned = (columns[0], replace(columns[1], networks={"lan": ""}), columns[2])
    assert "bridge/container-to-container" not in paths_by_key(unassigned, states)


def test_a_second_container_is_found_on_every_network() -> None:
    columns, states = make_scene(("bridge", "user-bridge"))
    own = columns[1].networks["bridge"]
    networks = ({"bridge": own, "lan": own}, {"lan": next(iter(columns[2].networks.values()))})
    columns = (columns[0], replace(columns[1], networks=networks[0]), replace(columns[2], networks=networks[1]))
    path = paths_by_key(columns, states)["bridge/container-to-container"]
    assert (path.client, path.address, path.unavailable) == ("user-bridge", own, "")


def two_networks() -> tuple[Columns, States]:
    """Two containers that are both on two networks, each behind a bridge of its own."""
    columns, states = make_scene(("bridge", "user-bridge"))
    machine, first, second = columns
    (bridge, one), (lan, two) = next(iter(first.networks.items())), next(iter(second.networks.items()))
    both = merged(states["bridge"], states["user-bridge"])
    columns = (
        machine,
        replace(first, networks={bridge: one, lan: two}),
        replace(second, networks={bridge: one, lan: two}),
    )
    return columns, {**states, "bridge": both, "user-bridge": replace(both, netns=both.netns + 1)}


def merged(one: NamespaceState, other: NamespaceState) -> NamespaceState:
    """A namespace that also has the links of another, under other names."""
    more = tuple(replace(link, name=f"{link.name}b") for link in other.interfaces if link.kind != "loopback")
    return replace(one, interfaces=(*one.interfaces, *more))


def test_each_network_of_an_arm_has_its_paths() -> None:
    paths = {key: path for key, path in paths_by_key(*two_networks()).items() if not path.unavailable}
    addresses = [paths[f"bridge/{name}"].address for name in ("bridge-address", "bridge-address.2")]
    between = [paths[f"bridge/{name}"].address for name in ("container-to-container", "container-to-container.2")]
    assert len(set(addresses)) == 2
    assert addresses == between
    titles = {paths[f"bridge/{name}"].title for name in ("bridge-address", "bridge-address.2")}
    assert "The machine to bridge's address on docker0" in titles
    assert len(titles) == 2


def test_requests_have_paths_that_measurements_leave_out() -> None:
    columns, states = make_scene(("host", "bridge"))
    more = set(find_paths(columns, states)) - set(measured_paths(columns, states))
    assert {(path.key, path.target) for path in more} == {
        ("host/machine-address", "192.0.2.2:80"),
        ("host/machine-address-ipv6", "[2001:db8::2]:80"),
        ("bridge/inside", "127.0.0.1:80"),
        ("bridge/published-proxy-ipv6", "[2001:db8::2]:8081"),  # after [::1]:8081
    }


def test_a_macvlan_container_that_is_on_a_bridge_too_has_paths_to_its_published_port() -> None:
    columns, states = make_scene(("macvlan", "bridge"))
    published, networks = columns[2].published, columns[2].networks
    both = merged(states["bridge"], states["macvlan"])
    columns = with_column(columns, "macvlan", published=published, networks={**columns[1].networks, **networks})
    columns, states = with_neighbour(end(columns, "bridge", ArmStatus.EXITED), {**states, "macvlan": both})
    paths = paths_by_key(columns, states)
    assert paths["macvlan/published-proxy"].target == "127.0.0.1:8081"
    assert paths["macvlan/published-dnat"].target == "192.0.2.2:8081"
    assert paths["macvlan/lan-published"].target == "192.0.2.2:8081"
    without_ports = paths_by_key(with_column(columns, "macvlan", published=()), states)
    assert {key for key in without_ports if "published" in key} == set()


def test_an_address_outside_the_bridge_s_subnets_is_not_reachable() -> None:
    columns, states = make_scene(("bridge",))
    links = tuple(
        replace(link, addresses=(make_address("172.18.0.1", 16),)) if link.kind == "bridge" else link
        for link in states[MACHINE].interfaces
    )
    states[MACHINE] = replace(states[MACHINE], interfaces=links)
    why = "the bridge docker0 has no address in the subnet of bridge: the machine has no route to it"
    assert paths_by_key(columns, states)["bridge/bridge-address"].unavailable == why


def test_between_containers_a_link_of_another_namespace_is_no_hop() -> None:
    """The client's peer has the index of a link on the machine, but is elsewhere."""
    columns, states = make_scene(("user-bridge", "user-bridge-2"))
    network = columns[1].networks
    columns = tuple(
        replace(column, networks=network) if column.key == "user-bridge-2" else column for column in columns
    )
    address = next(link for link in states["user-bridge"].interfaces if link.name == "eth0").addresses
    states["user-bridge-2"] = replace(
        states["user-bridge-2"],
        interfaces=tuple(
            replace(link, addresses=address, peer_netns=0) if link.name == "eth0" else link
            for link in states["user-bridge-2"].interfaces
        ),
    )
    path = paths_by_key(columns, states)["user-bridge/container-to-container"]
    outer = next(link for link in states[MACHINE].interfaces if link.master == "br-user-bridge")
    assert path.hops == ("eth0", outer.name, "eth0")
