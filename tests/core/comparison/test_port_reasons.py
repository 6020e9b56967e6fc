"""Why published ports and listeners differ."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.core.comparison.rows import compare
from dashboard.core.experiments.messages import PublishedPort
from dashboard.core.namespaces.state import Protocol
from tests.core.builders import MACHINE, make_listener, with_column, without
from tests.core.comparison.reason_helpers import change, on_podman, why
from tests.core.scenes import make_scene


def test_modes_that_forward_nothing_are_named() -> None:
    text = why(make_scene(("bridge", "none", "macvlan")), "published", "80/tcp", "published")
    assert text == "Nothing is forwarded to none and macvlan: only bridges forward ports."


def test_a_bridge_that_lost_its_mapping_is_not_explained_by_its_mode() -> None:
    columns, states = make_scene(("bridge", "user-bridge"))
    scene = with_column(columns, "bridge", published=()), states
    assert why(scene, "published", "80/tcp", "published") == "Nothing is forwarded to bridge."


def test_two_ports_of_the_machine_are_explained() -> None:
    scene = make_scene(("bridge", "user-bridge"))
    assert "Each mapping needs its own address and port" in why(scene, "published", "80/tcp", "published")


def test_arms_that_differ_in_p_are_not_said_to_differ_each_from_each() -> None:
    columns, states = make_scene(("host", "bridge", "user-bridge"))
    asked = next(column.asked for column in columns if column.key == "bridge")
    scene = with_column(columns, "host", asked=asked), states
    text = why(scene, "published", "80/tcp", "asked")
    assert text.startswith(
        "Not every arm was launched with the same -p: two containers cannot be published at the same"
    )


def test_a_port_that_only_one_arm_was_asked_to_publish_is_explained() -> None:
    columns, states = make_scene(("bridge", "user-bridge"))
    scene = with_column(columns, "bridge", asked=(), published=()), states
    assert why(scene, "published", "80/tcp", "published").startswith("The Engine publishes a port only for")


def test_an_arm_that_was_not_asked_to_publish_is_explained() -> None:
    columns, states = make_scene(("bridge", "user-bridge"))
    scene = with_column(columns, "bridge", asked=(), published=()), states
    assert why(scene, "published", "80/tcp", "asked") == "Not every arm was launched with -p for this port."


def test_a_port_that_the_machine_also_uses_is_not_called_free() -> None:
    scene = make_scene(("bridge", "none"))
    opened = (*scene[1]["bridge"].listeners, make_listener(22, "sshd", 12, container="f0" * 32))
    assert why(change(scene, "bridge", listeners=opened), "listeners", "tcp :22") == (
        "The machine and the container each have a socket on that port: separate stacks do not conflict."
    )


def test_the_forwarder_of_a_rootless_podman_is_named() -> None:
    columns, states = on_podman(make_scene(("host", "bridge")))
    port = columns[2].published[0].host_port
    listening = (make_listener(port, "pasta.avx2"),)
    states = {key: replace(one, listeners=listening) if key != "bridge" else one for key, one in states.items()}
    assert why((columns, states), "listeners", f"tcp :{port}") == (
        "pasta forwards the published port into the container's namespace, and a container in host mode sees its "
        "socket; the program itself listens only inside its container."
    )


def test_a_socket_of_a_host_mode_program_is_explained_as_the_machine_s() -> None:
    scene = make_scene(("host", "none"))
    scene = change(scene, "none", listeners=())
    assert why(scene, "listeners", "tcp :80") == (
        "In host mode the program listens on the machine itself: both columns show the same socket."
    )


def test_a_socket_of_the_machine_is_explained_in_host_mode() -> None:
    assert "the machine's sockets appear in its column too" in why(make_scene(("host", "none")), "listeners", "tcp :22")
    assert "Only the machine has the socket" in why(make_scene(("bridge", "none")), "listeners", "tcp :22")


def test_an_engine_without_docker_proxy_holds_the_port_itself() -> None:
    scene = make_scene(("bridge", "none"))
    held = [replace(one, process="dockerd") if one.port == 8080 else one for one in scene[1][MACHINE].listeners]
    text = why(change(scene, MACHINE, listeners=tuple(held)), "listeners", "tcp :8080")
    assert text == "The Engine itself holds the published port: it runs without docker-proxy."


def test_without_the_machine_no_reason_mentions_its_ports() -> None:
    columns, states = make_scene(("bridge", "none"))
    opened = (*states["bridge"].listeners, make_listener(9000, "python3", 12))
    states = without(states, MACHINE) | {"bridge": replace(states["bridge"], listeners=opened)}
    assert why((columns, states), "listeners", "tcp :9000") == "The socket belongs to the container's own stack."


def test_docker_s_own_resolver_is_explained_by_the_network() -> None:
    scene = make_scene(("bridge", "user-bridge"))
    assert "user-defined network" in why(scene, "listeners", "tcp resolver")


def test_a_published_port_on_the_machine_is_held_by_docker_proxy() -> None:
    reason = why(make_scene(("bridge", "none")), "listeners", "tcp :8080")
    assert "docker-proxy holds the published port" in reason
    assert "host mode" not in reason
    assert "host mode" in why(make_scene(("host", "bridge")), "listeners", "tcp :8081")


def test_a_port_that_docker_proxy_publishes_for_another_container_is_not_that_of_the_program() -> None:
    scene = make_scene(("bridge", "none"))
    opened = (*scene[1][MACHINE].listeners, make_listener(80, "docker-proxy", 777))
    scene = change(scene, MACHINE, listeners=opened)
    assert why(scene, "listeners", "tcp :80") == (
        "The machine and the container each have a socket on that port: separate stacks do not conflict."
    )
    alone = change(change(scene, "bridge", listeners=()), "none", listeners=())
    assert why(alone, "listeners", "tcp :80").startswith("docker-proxy holds the published port")


def test_podman_reserves_a_published_port_with_conmon() -> None:
    scene = on_podman(make_scene(("host", "bridge"), sshd=False))
    listeners = (make_listener(8081, "conmon", 900), make_listener(80, "nginx", 4100))
    scene = change(change(scene, MACHINE, listeners=listeners), "host", listeners=listeners)
    assert why(scene, "listeners", "tcp :8081") == (
        "Podman reserves the published port with a socket that its conmon keeps open, and a container in host mode "
        "sees it too; the program itself listens only inside its container."
    )


def test_podman_s_name_server_and_its_queries_are_named() -> None:
    server = make_listener(53, "aardvark-dns", 901, address="10.89.0.1", protocol=Protocol.UDP)
    asking = tuple(make_listener(port, "aardvark-dns", 901, protocol=Protocol.UDP) for port in (40001, 40002))
    scene = change(on_podman(make_scene(("bridge", "none"))), MACHINE, listeners=(server, *asking))
    assert (
        why(scene, "listeners", "udp :53") == "Podman's aardvark-dns answers on the bridges of user-defined networks."
    )
    assert "asks the machine's name servers" in why(scene, "listeners", "udp queries")


def test_the_sockets_of_slirp4netns_have_one_row_except_the_published_port() -> None:
    scene = make_scene(("host", "bridge"))
    columns, states = scene
    columns = with_column(columns, "bridge", published=(PublishedPort(53, "udp", "0.0.0.0", 5353),))
    sockets = tuple(make_listener(port, "slirp4netns", 9, protocol=Protocol.UDP) for port in (5353, 40001, 40002))
    scene = change(change((columns, states), MACHINE, listeners=sockets), "host", listeners=sockets)
    rows = {row.key: row for row in compare(*scene) if row.section == "listeners"}
    assert {key for key in rows if key.startswith("udp")} == {"udp :5353", "udp datagrams"}
    assert rows["udp datagrams"].notes[MACHINE] == "2 sockets, random ports"
    assert rows["udp datagrams"].why == (
        "slirp4netns forwards the UDP datagrams of containers, such as DNS queries, from its own sockets, which a "
        "container in host mode sees too."
    )


@pytest.mark.parametrize(
    ("port_range", "alone"), [(None, {5353}), ("x", {5353}), ("50000 60999", {5353, 40001}), ("1024 60999", set())]
)
def test_a_port_that_slirp4netns_publishes_for_another_container_has_its_own_row(
    port_range: str | None, alone: set[int]
) -> None:
    sockets = tuple(make_listener(port, "slirp4netns", 9, protocol=Protocol.UDP) for port in (5353, 40001, 50001))
    sysctls = {} if port_range is None else {"net.ipv4.ip_local_port_range": port_range}
    scene = change(make_scene(("host", "bridge")), MACHINE, listeners=sockets, sysctls=sysctls)
    rows = {row.key: row for row in compare(*scene) if row.section == "listeners"}
    assert {key for key in rows if key.startswith("udp")} == {"udp datagrams"} | {f"udp :{port}" for port in alone}
    count = 3 - len(alone)
    assert rows["udp datagrams"].notes[MACHINE] == f"{count} socket{'' if count == 1 else 's'}, random ports"


def test_podman_forgets_a_port_that_host_mode_discards() -> None:
    scene = make_scene(("host", "bridge"))
    assert "HostConfig still lists" in why(scene, "published", "80/tcp", "published")
    assert "HostConfig no longer lists" in why(on_podman(scene), "published", "80/tcp", "published")
