"""Why columns differ: a sentence for every difference, and none that the scene contradicts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given

from dashboard.core.comparison.rows import compare
from dashboard.core.experiments.messages import ArmStatus, Column, ContainerRef, Relation, Row
from dashboard.core.namespaces.state import HostsEntry, Lookup, Origin, Resolver, sorted_state
from tests.core.builders import (
    MACHINE,
    Columns,
    States,
    end,
    engine_scenes,
    generated_scenes,
    make_interface,
    make_listener,
    make_scene,
    recorded_scene,
    with_column,
    without,
)

MODES = ("host", "bridge", "user-bridge", "none", "macvlan", "overlay", "container")


def every_scene() -> Iterator[tuple[Columns, States]]:
    """Every set of modes, with and without published ports, and each with one arm ended."""
    for size in range(1, len(MODES) + 1):
        for modes in combinations(MODES, size):
            if modes == ("container",):
                continue
            for publish in (None, 8080):
                columns, states = make_scene(modes, publish=publish)
                yield columns, states
            yield end(columns, modes[0], ArmStatus.EXITED), without(states, modes[0])


def observed(scene: tuple[Columns, States], *modes: str) -> list[Column]:
    columns, states = scene
    return [one for one in columns if one.key != MACHINE and one.key in states and one.mode in modes]


def why(scene: tuple[Columns, States], section: str, key: str, field: str = "") -> str:
    """The sentence of one row."""
    rows = compare(*scene)
    return next(one.why for one in rows if (one.section, one.key, one.field) == (section, key, field))


def change(scene: tuple[Columns, States], key: str, **fields: Any) -> tuple[Columns, States]:
    """The scene with another state of one column."""
    columns, states = scene
    return columns, states | {key: sorted_state(replace(states[key], **fields))}


def contradictions(scene: tuple[Columns, States], row: Row) -> Iterator[str]:
    """What a sentence says that the scene does not bear out."""
    columns, states = scene
    text = row.why.lower()
    machine = states.get(MACHINE)
    holders = [column for column in columns if row.cells[column.key] is not None]
    needs = {
        r"\bhost mode\b": bool(observed(scene, "host")),
        r"\bmacvlan\b": any(one.mode == "macvlan" for one in columns),
        r"\boverlay\b": any(one.mode == "overlay" for one in columns),
        r"\bmode none\b": bool(observed(scene, "none")),
        r"\bstack it joined\b|\bcontainer joined\b|\bjoins a stack\b": any(one.mode == "container" for one in columns),
        r"\ba bridged container\b": bool(observed(scene, "bridge", "user-bridge", "overlay", "container")),
        r"docker-proxy": machine is not None and any(x.process == "docker-proxy" for x in machine.listeners),
        r"docker's own resolver": any(s.resolver and s.resolver.origin is Origin.DOCKER for s in states.values()),
        r"--dns": any(s.resolver and s.resolver.origin is Origin.GIVEN for s in states.values()),
        r"default bridge": machine is not None and any(x.name == "docker0" for x in machine.interfaces),
        r"veth pair": any(x.kind == "veth" for s in states.values() for x in s.interfaces),
        r"sub-interface": any(x.kind in {"macvlan", "ipvlan"} for s in states.values() for x in s.interfaces),
        r"is free": row.cells[MACHINE] is None and MACHINE in states,
        r"only the machine has it": [one.key for one in holders] == [MACHINE],
        r"every container here has a network stack of its own": len({s.netns for s in states.values()}) == len(states),
        r"discards -p": any(row.absent.get(one.key) == "discarded" for one in observed(scene, "host")),
        r"nothing is forwarded to": "discarded" in row.absent.values(),
        r"lives? on the machine": row.cells[MACHINE] is not None or row.absent[MACHINE] == "no address",
        r"turns on forwarding on the machine": row.cells.get(MACHINE) == "1",
    }
    for words, true in needs.items():
        if re.search(words, text) and not true:
            yield words


def test_every_difference_of_every_scene_has_a_reason_that_the_scene_bears_out() -> None:
    count = 0
    for scene in every_scene():
        for row in compare(*scene):
            if row.relation is Relation.SAME:
                assert row.why == ""
                continue
            count += 1
            modes = [column.mode for column in scene[0]]
            assert row.why, (modes, row)
            assert row.why.endswith("."), row.why
            assert "  " not in row.why
            assert list(contradictions(scene, row)) == [], (modes, row)
    assert count > 5000


def test_every_difference_that_was_recorded_from_an_engine_has_a_reason() -> None:
    scene = recorded_scene()
    differences = [row for row in compare(*scene) if row.relation is not Relation.SAME]
    assert len(differences) > 40
    for row in differences:
        assert row.why
        assert list(contradictions(scene, row)) == [], row


@given(engine_scenes())
def test_no_reason_contradicts_its_scene(scene: tuple[Columns, States]) -> None:
    for row in compare(*scene):
        assert list(contradictions(scene, row)) == [], row


@given(generated_scenes())
def test_a_reason_is_found_or_left_out_whatever_was_observed(scene: tuple[Columns, States]) -> None:
    for row in compare(*scene):
        assert "None" not in row.why


# Identity.


@pytest.mark.parametrize(
    ("modes", "sentence"),
    [
        (("host", "none"), "The same number is the same network stack: host mode has no stack of its own."),
        (("bridge", "none"), "Every container here has a network stack of its own; none shares the machine's."),
        (("bridge", "container"), "The same number is the same network stack: container lives in that of bridge."),
    ],
)
def test_it_says_who_shares_a_stack(modes: tuple[str, ...], sentence: str) -> None:
    assert why(make_scene(modes), "identity", "netns") == sentence


def test_it_says_who_joined_a_container_in_host_mode() -> None:
    assert why(make_scene(("host", "container", "none")), "identity", "netns") == (
        "The same number is the same network stack: host mode has no stack of its own; container lives in that of host."
    )


def test_a_container_that_shares_the_machine_s_stack_by_mistake_is_no_stack_of_its_own() -> None:
    columns, states = make_scene(("bridge", "none"))
    broken = states | {"bridge": replace(states["bridge"], netns=states[MACHINE].netns)}
    assert "none shares" not in why((columns, broken), "identity", "netns")


def test_a_given_host_name_is_told() -> None:
    scene = change(make_scene(("bridge", "user-bridge")), "user-bridge", hostname="web")
    assert "user-bridge was given another name" in why(scene, "identity", "hostname")
    scene = change(make_scene(("host", "bridge")), "host", hostname="web")
    assert "copies the machine's name" not in why(scene, "identity", "hostname")


def test_a_namespace_that_is_shared_with_the_machine_is_not_called_its_own() -> None:
    columns, states = make_scene(("bridge", "none"))
    shared = states[MACHINE].namespaces
    assert "whatever" not in why(change((columns, states), "bridge", namespaces=shared), "identity", "namespace pid")
    assert why(change((columns, states), "bridge", namespaces=shared), "identity", "namespace pid").startswith("Some")


# Published ports.


def test_what_forwards_nothing_is_named() -> None:
    text = why(make_scene(("bridge", "none", "macvlan")), "published", "80/tcp", "published")
    assert text == "Nothing is forwarded to none and macvlan: only bridges forward ports."


def test_a_bridge_that_lost_its_mapping_is_not_explained_by_its_mode() -> None:
    columns, states = make_scene(("bridge", "user-bridge"))
    scene = with_column(columns, "bridge", published=()), states
    assert why(scene, "published", "80/tcp", "published") == "Nothing is forwarded to bridge."


def test_ports_of_one_machine_are_told_apart() -> None:
    scene = make_scene(("bridge", "user-bridge"))
    assert "Each mapping takes a port" in why(scene, "published", "80/tcp", "published")
    assert "different ports" in why(scene, "published", "80/tcp", "asked")


def test_a_port_that_one_arm_publishes_and_another_was_not_asked_for_is_the_engine_s_way() -> None:
    columns, states = make_scene(("bridge", "user-bridge"))
    scene = with_column(columns, "bridge", asked=(), published=()), states
    assert why(scene, "published", "80/tcp", "published").startswith("The Engine publishes a port only where")


def test_an_arm_that_was_not_asked_is_the_difference() -> None:
    columns, states = make_scene(("bridge", "user-bridge"))
    scene = with_column(columns, "bridge", asked=(), published=()), states
    assert why(scene, "published", "80/tcp", "asked") == "Not every arm was asked to publish this port."


# Listeners.


def test_a_port_that_the_machine_holds_too_is_not_called_free() -> None:
    scene = make_scene(("bridge", "none"))
    opened = (*scene[1]["bridge"].listeners, make_listener(22, "sshd", 12, container="f0" * 32))
    assert why(change(scene, "bridge", listeners=opened), "listeners", "tcp :22") == (
        "The machine and the container each have a socket of that number: separate stacks do not collide."
    )


def test_what_a_host_mode_program_opens_is_the_machine_s() -> None:
    scene = make_scene(("host", "none"))
    scene = change(scene, "none", listeners=())
    assert why(scene, "listeners", "tcp :80") == (
        "In host mode the program listens on the machine itself: the socket is there for both."
    )


def test_what_the_machine_opened_is_seen_in_host_mode() -> None:
    assert "what the machine opened is there too" in why(make_scene(("host", "none")), "listeners", "tcp :22")
    assert "Only the machine has it" in why(make_scene(("bridge", "none")), "listeners", "tcp :22")


def test_an_engine_without_docker_proxy_holds_the_port_itself() -> None:
    scene = make_scene(("bridge", "none"))
    held = [replace(one, process="dockerd") if one.port == 8080 else one for one in scene[1][MACHINE].listeners]
    text = why(change(scene, MACHINE, listeners=tuple(held)), "listeners", "tcp :8080")
    assert text == "The Engine itself holds the published port: it runs without docker-proxy."


def test_without_the_machine_nothing_is_said_of_its_ports() -> None:
    columns, states = make_scene(("bridge", "none"))
    opened = (*states["bridge"].listeners, make_listener(9000, "python3", 12))
    states = without(states, MACHINE) | {"bridge": replace(states["bridge"], listeners=opened)}
    assert why((columns, states), "listeners", "tcp :9000") == "The socket belongs to the container's own stack."


# Interfaces and routes.


@pytest.mark.parametrize(
    ("modes", "key", "sentence"),
    [
        (("bridge", "none"), "docker0", "The default bridge lives on the machine."),
        (
            ("host", "none"),
            "docker0",
            "The default bridge lives on the machine; host mode sees all of the machine's interfaces.",
        ),
        (
            ("user-bridge", "none"),
            "br-user-bridge",
            "The Linux bridge of a user-defined network lives on the machine.",
        ),
        (("bridge", "none"), "veth to bridge", "The machine's end of the cable to bridge."),
        (("bridge", "none"), "eth0", "Same name, different interface: every network stack has its own."),
        (("none",), "eth0", "eth0 is the machine's: an interface belongs to one network stack."),
    ],
)
def test_it_says_where_an_interface_lives(modes: tuple[str, ...], key: str, sentence: str) -> None:
    assert why(make_scene(modes), "interfaces", key, "link") == sentence


def test_an_interface_of_one_container_is_not_called_the_machine_s() -> None:
    scene = make_scene(("bridge", "container", "none"))
    wg0 = (*scene[1]["bridge"].interfaces, make_interface("wg0", 90, "wireguard"))
    scene = change(change(scene, "bridge", interfaces=wg0), "container", interfaces=wg0)
    assert why(scene, "interfaces", "wg0", "link") == (
        "Only bridge and container have it: an interface belongs to one network stack."
    )


def test_ways_out_are_told_of_the_modes_that_are_there() -> None:
    assert why(make_scene(("bridge", "none")), "routes", "default", "inet") == (
        "The machine leaves through its own gateway; a bridged container through the bridge's address; "
        "mode none has no way out."
    )
    assert "macvlan through the gateway of the parent's network" in why(
        make_scene(("macvlan", "bridge")), "routes", "default", "inet"
    )


# DNS, hosts, sysctls.


def test_the_resolvers_are_told_by_where_they_came_from() -> None:
    assert why(make_scene(("host", "bridge", "user-bridge", "none")), "dns", "resolver", "nameservers") == (
        "user-bridge has Docker's own resolver, as on every user-defined network; host has a copy of the machine's "
        "file as it is; bridge and none get the machine's servers without loopback ones."
    )


@pytest.mark.parametrize(
    ("origin", "words"),
    [
        (Origin.FALLBACK, "bridge gets public servers"),
        (Origin.GIVEN, "bridge has what --dns gave"),
        (Origin.OTHER, "bridge has a file that something else wrote"),
    ],
)
def test_every_origin_of_servers_has_its_words(origin: Origin, words: str) -> None:
    scene = change(make_scene(("bridge", "none")), "bridge", resolver=Resolver(("9.9.9.9",), origin=origin))
    assert words in why(scene, "dns", "resolver", "nameservers")


def looked_up(scene: tuple[Columns, States], name: str, **answers: Lookup) -> str:
    for key in scene[1]:
        found = answers.get(key.replace("-", "_"), Lookup(name, "no such name", (), "192.0.2.53", 900))
        scene = change(scene, key, lookups=(found,))
    return why(scene, "dns", f"lookup {name}")


def test_names_of_containers_resolve_on_user_defined_networks_only() -> None:
    scene = make_scene(("bridge", "user-bridge"))
    answer = Lookup("user-bridge", "answer", ("172.19.0.2",), "127.0.0.11", 400)
    assert "only on user-defined networks" in looked_up(scene, "user-bridge", user_bridge=answer)
    public = replace(answer, name="www.example")
    assert looked_up(scene, "www.example", user_bridge=public) == (
        "Each column asks its own hosts file and its own servers."
    )


def test_a_name_that_nobody_knows_is_not_explained_by_who_knows_it() -> None:
    scene = make_scene(("bridge", "user-bridge"))
    silent = Lookup("host.docker.internal", "no answer")
    assert looked_up(scene, "host.docker.internal", bridge=silent).startswith("No column gets an address")


def test_the_name_of_the_host_is_where_add_host_put_it() -> None:
    scene = make_scene(("bridge", "user-bridge"))
    found = Lookup("host.docker.internal", "answer", ("172.17.0.1",), "hosts file")
    assert "--add-host host.docker.internal:host-gateway" in looked_up(scene, "host.docker.internal", bridge=found)


def test_an_added_host_is_told_where_it_was_added() -> None:
    columns, states = make_scene(("host", "bridge"))
    columns = with_column(columns, "bridge", command="docker run --add-host db:192.0.2.9 nginx")
    hosts = (*states["bridge"].hosts, HostsEntry("192.0.2.9", ("db",)))
    scene = change((columns, states), "bridge", hosts=hosts)
    assert why(scene, "hosts", "db") == "--add-host put the name into the hosts file of bridge."


def test_a_hosts_file_is_a_copy_in_host_mode_only() -> None:
    assert "Host mode starts from a copy" in why(make_scene(("host", "bridge")), "hosts", "lab-1")
    assert why(make_scene(("bridge", "none")), "hosts", "lab-1").startswith("Each container has a hosts file")


def test_a_given_sysctl_is_told() -> None:
    columns, states = make_scene(("bridge", "none"))
    columns = with_column(columns, "bridge", command="docker run --sysctl net.core.somaxconn=9 nginx")
    sysctls = states["bridge"].sysctls | {"net.core.somaxconn": "9"}
    scene = change((columns, states), "bridge", sysctls=sysctls)
    assert why(scene, "sysctls", "net.core.somaxconn") == "--sysctl set it for bridge."


def test_an_unusual_sysctl_is_not_put_down_to_docker() -> None:
    scene = make_scene(("bridge", "none"))
    name = "net.ipv4.ip_unprivileged_port_start"
    for key in ("bridge", "none"):
        scene = change(scene, key, sysctls=scene[1][key].sysctls | {name: "80"})
    assert why(scene, "sysctls", name).startswith("A network sysctl belongs to the namespace")


def test_a_title_is_used_as_it_is() -> None:
    columns, states = make_scene(("user-bridge", "container"))
    columns = with_column(columns, "user-bridge", title="web", container=ContainerRef("ab" * 32, "nm-web", "nginx"))
    assert "lives in that of web" in why((columns, states), "identity", "netns")
