"""Why identity, interfaces, routes and sysctls differ."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from dashboard.core.comparison.rows import compare
from dashboard.core.experiments.messages import ContainerRef
from tests.core.builders import MACHINE, Columns, States, make_interface, make_route, with_column
from tests.core.comparison.reason_helpers import change, on_podman, why
from tests.core.scenes import make_scene


@pytest.mark.parametrize(
    ("modes", "sentence"),
    [
        (("host", "none"), "The same number means the same network stack: host mode has no stack of its own."),
        (("bridge", "none"), "Every container here has its own network stack; none shares the machine's."),
        (
            ("bridge", "container"),
            "The same number means the same network stack: container shares the stack of bridge.",
        ),
    ],
)
def test_shared_stacks_are_explained(modes: tuple[str, ...], sentence: str) -> None:
    assert why(make_scene(modes), "identity", "netns") == sentence


def test_a_container_that_shares_the_stack_of_host_mode_is_explained() -> None:
    assert why(make_scene(("host", "container", "none")), "identity", "netns") == (
        "The same number means the same network stack: "
        "host mode has no stack of its own; container shares the stack of host."
    )


def test_a_container_that_wrongly_shares_the_machine_s_stack_is_not_called_separate() -> None:
    columns, states = make_scene(("bridge", "none"))
    broken = states | {"bridge": replace(states["bridge"], netns=states[MACHINE].netns)}
    assert "none shares" not in why((columns, broken), "identity", "netns")


def test_a_given_host_name_is_explained() -> None:
    scene = change(make_scene(("bridge", "user-bridge")), "user-bridge", hostname="web")
    assert "user-bridge was given another name" in why(scene, "identity", "hostname")
    scene = change(make_scene(("host", "bridge")), "host", hostname="web")
    assert "copies the machine's name" not in why(scene, "identity", "hostname")


def test_a_namespace_that_is_shared_with_the_machine_is_not_called_its_own() -> None:
    columns, states = make_scene(("bridge", "none"))
    shared = states[MACHINE].namespaces
    assert "whatever" not in why(change((columns, states), "bridge", namespaces=shared), "identity", "namespace pid")
    assert why(change((columns, states), "bridge", namespaces=shared), "identity", "namespace pid").startswith("Some")


@pytest.mark.parametrize(
    ("modes", "key", "sentence"),
    [
        (("bridge", "none"), "docker0", "The default bridge is an interface of the machine."),
        (
            ("host", "none"),
            "docker0",
            (
                "The default bridge is an interface of the machine; "
                "a container in host mode sees all of the machine's interfaces."
            ),
        ),
        (("bridge", "none"), "veth to bridge", "This is the machine's end of the veth pair to bridge."),
        (("bridge", "none"), "eth0", "Same name, different interface: every network stack has its own interfaces."),
        (("none",), "eth0", "eth0 is the machine's: an interface belongs to one network stack."),
    ],
)
def test_the_owner_of_an_interface_is_explained(modes: tuple[str, ...], key: str, sentence: str) -> None:
    assert why(make_scene(modes), "interfaces", key, "link") == sentence


@pytest.mark.parametrize(
    ("name", "kind", "sentence"),
    [
        (
            "br-016ac586fa09",
            "bridge",
            "The Linux bridge of a user-defined network is an interface of the machine.",
        ),
        ("br-lan", "bridge", "br-lan is the machine's: an interface belongs to one network stack."),
        ("br-int", "openvswitch", "br-int is the machine's: an interface belongs to one network stack."),
    ],
)
def test_only_bridges_with_the_id_of_a_network_are_those_of_user_defined_networks(
    name: str, kind: str, sentence: str
) -> None:
    scene = make_scene(("bridge", "none"))
    links = (*scene[1][MACHINE].interfaces, make_interface(name, 90, kind))
    assert why(change(scene, MACHINE, interfaces=links), "interfaces", name, "link") == sentence


def test_an_interface_of_one_container_is_not_called_the_machine_s() -> None:
    scene = make_scene(("bridge", "container", "none"))
    wg0 = (*scene[1]["bridge"].interfaces, make_interface("wg0", 90, "wireguard"))
    scene = change(change(scene, "bridge", interfaces=wg0), "container", interfaces=wg0)
    assert why(scene, "interfaces", "wg0", "link") == (
        "Only bridge and container have it: an interface belongs to one network stack."
    )


def test_default_routes_are_explained_for_the_modes_that_are_present() -> None:
    assert why(make_scene(("bridge", "none")), "routes", "default", "inet") == (
        "The machine uses its own gateway; a bridged container uses the bridge's address; "
        "mode none has no default route."
    )


def tapped(address: str, gateway: str) -> tuple[Columns, States]:
    """A rootless Podman's container whose only link is a tap device."""
    columns, states = on_podman(make_scene(("bridge", "none")))
    columns = with_column(columns, "none", mode="private", title="private", networks={})
    tap = make_interface("eth0", 2, "tun", peer=None, addresses=(f"{address}/24",))
    links = (*states["none"].interfaces, tap)
    return change((columns, states), "none", interfaces=links, routes=(make_route(gateway=gateway),))


def test_pasta_gives_a_container_the_addresses_of_the_machine() -> None:
    scene = tapped("192.0.2.2", "192.0.2.1")
    assert "pasta gives private the machine's address" in why(scene, "identity", "address")
    assert why(scene, "routes", "default", "inet") == (
        "The machine uses its own gateway; a bridged container uses the bridge's address; "
        "pasta gives private the machine's gateway."
    )


def test_private_is_on_a_bridge_where_podman_runs_as_root() -> None:
    columns, states = on_podman(make_scene(("bridge", "none")))
    columns = with_column(columns, "bridge", mode="private", title="private")
    assert why((columns, states), "routes", "default", "inet") == (
        "The machine uses its own gateway; a bridged container uses the bridge's address; "
        "mode none has no default route."
    )


def test_links_that_the_kernel_adds_to_each_namespace_hide_no_tap_device() -> None:
    columns, states = tapped("192.0.2.2", "192.0.2.1")
    links = (*states["none"].interfaces, make_interface("sit0", 3, "sit"), make_interface("tunl0", 4, "ipip"))
    scene = change((columns, states), "none", interfaces=links)
    assert "pasta gives private the machine's address" in why(scene, "identity", "address")


def test_the_address_behind_another_tap_device_is_not_the_machine_s() -> None:
    scene = tapped("10.0.2.100", "10.0.2.2")
    assert "the address of private is behind a tap device, not on the machine" in why(scene, "identity", "address")
    assert "the gateway of private is the program behind its tap device" in why(scene, "routes", "default", "inet")


@pytest.mark.parametrize(
    ("gateway", "clause"),
    [
        ("192.0.2.1", "; macvlan uses the gateway of the parent's network."),
        ("10.213.0.1", "; macvlan uses a gateway that is not the machine's router."),
        # Engine 29 sets no default route if the network was created without --gateway.
        (None, "; the network of macvlan has no gateway, so there is no default route."),
    ],
)
def test_the_gateway_of_macvlan_is_the_parents_only_if_the_machine_uses_it_too(
    gateway: str | None, clause: str
) -> None:
    scene = make_scene(("macvlan", "bridge"))
    routes = tuple(route for route in scene[1]["macvlan"].routes if route.destination != "default")
    if gateway is not None:
        routes += (make_route(gateway=gateway),)
    assert why(change(scene, "macvlan", routes=routes), "routes", "default", "inet").endswith(clause)


@pytest.mark.parametrize(
    ("command", "why_it_wins"),
    [
        ("docker run --network lab nginx", "no gateway priority is set, so the order of their names decides"),
        (
            "docker run --network lab --network name=bridge,gw-priority=2 nginx",
            "its gateway priority is the highest (2)",
        ),
        (
            "docker run --network bridge --network name=lab,gw-priority=-1 nginx",
            "its gateway priority is the highest (0)",
        ),
    ],
)
def test_the_network_that_provides_the_gateway_is_named_with_the_reason(command: str, why_it_wins: str) -> None:
    columns, states = make_scene(("bridge", "none"))
    own = next(column.networks["bridge"] for column in columns if column.key == "bridge")
    columns = with_column(columns, "bridge", command=command, networks={"lab": "172.30.0.9", "bridge": own})
    text = f"of the 2 networks of bridge, bridge provides the gateway: {why_it_wins}"
    assert text in why((columns, states), "routes", "default", "inet")
    row = next(row for row in compare(columns, states) if (row.section, row.key) == ("routes", "default"))
    assert row.notes["bridge"] == "network bridge"


def test_the_names_of_networks_are_no_reason_if_another_than_the_first_provides_the_gateway() -> None:
    """Moby prefers a network with more gateways before it compares names."""
    columns, states = make_scene(("bridge", "none"))
    own = next(column.networks["bridge"] for column in columns if column.key == "bridge")
    columns = with_column(columns, "bridge", networks={"alpha": "172.30.0.9", "bridge": own})
    text = why((columns, states), "routes", "default", "inet")
    assert "of the 2 networks of bridge, bridge provides the gateway." in text


def test_where_each_network_has_a_default_route_none_is_said_to_provide_the_gateway() -> None:
    """As on Podman."""
    columns, states = make_scene(("bridge", "none"))
    columns = with_column(columns, "bridge", networks={"podman": "172.17.0.2", "lab": "172.30.0.9"})
    second = make_interface("eth1", 9, "veth", peer="if10", addresses=("172.30.0.9/16",))
    routes = (*states["bridge"].routes, make_route(gateway="172.30.0.1", interface="eth1"))
    scene = change((columns, states), "bridge", interfaces=(*states["bridge"].interfaces, second), routes=routes)
    text = why(scene, "routes", "default", "inet")
    assert "2 networks of bridge have a default route each" in text
    assert "provides the gateway" not in text
    row = next(row for row in compare(*scene) if (row.section, row.key) == ("routes", "default"))
    assert row.notes["bridge"] == "networks podman and lab"


@pytest.mark.parametrize(
    ("name", "value"), [("net.core.somaxconn", "9"), ("net.ipv4.ip_local_port_range", "20000 30000")]
)
def test_a_given_sysctl_is_explained(name: str, value: str) -> None:
    columns, states = make_scene(("bridge", "none"))
    command = shlex.join(("docker", "run", "--sysctl", f"{name}={value}", "nginx"))
    columns = with_column(columns, "bridge", command=command)
    scene = change((columns, states), "bridge", sysctls=states["bridge"].sysctls | {name: value})
    assert why(scene, "sysctls", name) == "--sysctl set the value for bridge."


def test_an_unusual_sysctl_is_not_attributed_to_docker() -> None:
    scene = make_scene(("bridge", "none"))
    name = "net.ipv4.ip_unprivileged_port_start"
    for key in ("bridge", "none"):
        scene = change(scene, key, sysctls=scene[1][key].sysctls | {name: "80"})
    assert why(scene, "sysctls", name).startswith("A network sysctl belongs to the namespace")


def test_a_title_is_used_as_it_is() -> None:
    columns, states = make_scene(("user-bridge", "container"))
    columns = with_column(columns, "user-bridge", title="web", container=ContainerRef("ab" * 32, "nm-web", "nginx"))
    assert "shares the stack of web" in why((columns, states), "identity", "netns")


@pytest.mark.parametrize(
    ("modes", "key", "words"),
    [
        (("bridge", "none"), "net.ipv4.ip_unprivileged_port_start", "bind low ports"),
        (("bridge", "none"), "net.ipv4.ping_group_range", "ping"),
        (("bridge", "none"), "net.ipv4.ip_forward", "route"),
    ],
)
def test_sysctls_that_docker_sets_have_their_own_reason(modes: tuple[str, ...], key: str, words: str) -> None:
    assert words in why(make_scene(modes), "sysctls", key)
    assert "host mode" not in why(make_scene(modes), "sysctls", key)


@pytest.mark.parametrize(
    ("key", "machine", "inside"),
    [
        ("net.ipv4.ping_group_range", "1 0", "0 100"),
        ("net.ipv4.ip_unprivileged_port_start", "1024", "80"),
        ("net.ipv4.ip_forward", "0", "1"),
        ("net.core.somaxconn", "0 2147483647", "0"),
        ("net.core.somaxconn", "1", "0"),
    ],
)
def test_other_values_of_sysctls_are_those_of_the_namespace(key: str, machine: str, inside: str) -> None:
    scene = make_scene(("bridge", "none"))
    for column, value in ((MACHINE, machine), ("bridge", inside), ("none", inside)):
        scene = change(scene, column, sysctls={key: value})
    general = why(scene, "sysctls", key)
    scene = change(scene, MACHINE, sysctls={"net.core.other": "1"} | scene[1][MACHINE].sysctls)
    for column in ("bridge", "none"):
        scene = change(scene, column, sysctls={"net.core.other": "2"} | scene[1][column].sysctls)
    assert why(scene, "sysctls", "net.core.other") == general


def test_forwarding_in_one_container_is_not_attributed_to_docker() -> None:
    scene = make_scene(("bridge", "none"))
    one = change(scene, "bridge", sysctls={"net.ipv4.ip_forward": "1"})
    assert why(one, "sysctls", "net.ipv4.ip_forward") != why(scene, "sysctls", "net.ipv4.ip_forward")


@pytest.mark.parametrize(
    ("modes", "words", "absent"),
    [
        (("host", "bridge"), ("host mode", "subnet"), ("loopback", "joined")),
        (("bridge", "none"), ("subnet", "loopback"), ("host mode", "joined")),
        (("bridge", "none", "container"), ("subnet", "loopback", "joined"), ("host mode",)),
    ],
)
def test_the_reason_for_addresses_mentions_the_modes_that_are_there(
    modes: tuple[str, ...], words: tuple[str, ...], absent: tuple[str, ...]
) -> None:
    reason = why(make_scene(modes), "identity", "address").lower()
    assert [word for word in words if word not in reason] == []
    assert [word for word in absent if word in reason] == []


def test_an_address_without_a_network_belongs_to_its_stack() -> None:
    columns, states = make_scene(("bridge",))
    assert why((with_column(columns, "bridge", networks={}), states), "identity", "address")


def test_behaviour_of_podman_is_not_attributed_to_docker() -> None:
    scene = on_podman(make_scene(("host", "bridge", "none")))
    assert not any("Docker" in row.why for row in compare(*scene))
    bridge = change(
        scene, MACHINE, interfaces=(make_interface("podman0", 3, "bridge"), make_interface("podman1", 4, "bridge"))
    )
    assert why(bridge, "interfaces", "podman0", "link").startswith("The default bridge is an interface of the machine")
    assert why(bridge, "interfaces", "podman1", "link").startswith("The Linux bridge of a user-defined network")
    pinging = on_podman(make_scene(("none",)))
    pinging = change(pinging, "none", sysctls={"net.ipv4.ping_group_range": "0 0"})
    assert "default_sysctls" in why(pinging, "sysctls", "net.ipv4.ping_group_range")
