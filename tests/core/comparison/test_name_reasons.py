"""Why resolvers, lookups and hosts files differ."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from dashboard.core.comparison.rows import compare
from dashboard.core.namespaces.state import HostsEntry, Lookup, Origin, Resolver
from tests.core.builders import MACHINE, Columns, States, with_column
from tests.core.comparison.reason_helpers import change, on_podman, why
from tests.core.scenes import make_scene


def test_resolvers_are_explained_by_their_origin() -> None:
    assert why(make_scene(("host", "bridge", "user-bridge", "none")), "dns", "resolver", "nameservers") == (
        "user-bridge has Docker's own resolver, as on every user-defined network; host has an unchanged copy of "
        "the machine's file; bridge and none get the machine's servers except loopback addresses."
    )


@pytest.mark.parametrize(
    ("origin", "words"),
    [
        (Origin.FALLBACK, "bridge gets public servers, because no other was left"),
        (Origin.GIVEN, "bridge has the servers given with --dns"),
        (Origin.OTHER, "bridge has a file of another origin"),
    ],
)
def test_every_origin_of_servers_has_a_reason(origin: Origin, words: str) -> None:
    scene = change(make_scene(("bridge", "none")), "bridge", resolver=Resolver(("9.9.9.9",), origin=origin))
    assert words in why(scene, "dns", "resolver", "nameservers")


def test_servers_of_a_machine_with_only_resolved_s_stub_come_from_systemd_resolved() -> None:
    scene = change(make_scene(("bridge", "user-bridge")), MACHINE, resolver=Resolver(("127.0.0.53",)))
    assert "bridge gets systemd-resolved's servers, from /run/systemd/resolve/resolv.conf" in why(
        scene, "dns", "resolver", "nameservers"
    )


def looked_up(scene: tuple[Columns, States], name: str, **answers: Lookup) -> str:
    for key in scene[1]:
        found = answers.get(key.replace("-", "_"), Lookup(name, "no such name", (), "192.0.2.53", 900))
        scene = change(scene, key, lookups=(found,))
    return why(scene, "dns", f"lookup {name}")


def test_names_of_containers_resolve_on_user_defined_networks_only() -> None:
    scene = make_scene(("bridge", "user-bridge"))
    (address,) = scene[0][-1].networks.values()
    answer = Lookup("user-bridge", "answer", (address,), "127.0.0.11", 400)
    assert "only on user-defined networks" in looked_up(scene, "user-bridge", user_bridge=answer)
    public = replace(answer, name="www.example")
    assert looked_up(scene, "www.example", user_bridge=public) == (
        "Each column asks its own hosts file and its own servers."
    )


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("host", ""),
        (
            "user-bridge",
            "Container names resolve only on user-defined networks, through Docker's resolver at 127.0.0.11; ",
        ),
    ],
)
def test_an_address_from_a_wildcard_of_a_search_domain_is_not_the_container_s(name: str, reason: str) -> None:
    scene = make_scene(("host", "user-bridge", "none"))
    (address,) = scene[0][2].networks.values()
    foreign = Lookup(name, "answer", ("203.0.113.80",), "192.0.2.53", 900)
    docker = Lookup(name, "answer", (address if reason else "203.0.113.80",), "127.0.0.11", 400)
    others = "this machine and host get" if reason else "this machine, host and user-bridge get"
    assert looked_up(scene, name, machine=foreign, host=foreign, user_bridge=docker) == (
        f"{reason}{others} an address that is not the container's: their name servers answer for this name, too."
    )


def test_a_name_without_an_answer_is_not_explained_by_a_resolver() -> None:
    scene = make_scene(("bridge", "user-bridge"))
    silent = Lookup("host.docker.internal", "no answer")
    assert looked_up(scene, "host.docker.internal", bridge=silent).startswith("No column gets an address")


def test_host_docker_internal_is_explained_by_add_host() -> None:
    scene = make_scene(("bridge", "user-bridge"))
    found = Lookup("host.docker.internal", "answer", ("172.17.0.1",), "hosts file")
    assert "--add-host host.docker.internal:host-gateway" in looked_up(scene, "host.docker.internal", bridge=found)


@pytest.mark.parametrize(
    ("given", "address"),
    [("db:192.0.2.9", "192.0.2.9"), ("db=192.0.2.9", "192.0.2.9"), ("db:[2001:db8::7]", "2001:db8::7")],
)
def test_an_added_host_is_explained_by_its_option(given: str, address: str) -> None:
    columns, states = make_scene(("host", "bridge"))
    columns = with_column(columns, "bridge", command=shlex.join(("docker", "run", "--add-host", given, "nginx")))
    hosts = (*states["bridge"].hosts, HostsEntry(address, ("db",)))
    scene = change((columns, states), "bridge", hosts=hosts)
    assert why(scene, "hosts", "db") == "--add-host put the name into the hosts file of bridge."


def test_a_hosts_file_is_a_copy_in_host_mode_only() -> None:
    assert "Host mode starts from a copy" in why(make_scene(("host", "bridge")), "hosts", "lab-1")
    assert why(make_scene(("bridge", "none")), "hosts", "lab-1").startswith("Each container has its own hosts file")


def test_podman_s_resolver_and_its_names_are_attributed_to_podman() -> None:
    aardvark = Resolver(("10.89.0.1",), ("dns.podman",), origin=Origin.AARDVARK)
    scene = change(on_podman(make_scene(("host", "bridge", "user-bridge"))), "user-bridge", resolver=aardvark)
    assert "user-bridge asks aardvark-dns" in why(scene, "dns", "resolver", "nameservers")
    (address,) = scene[0][-1].networks.values()
    answer = Lookup("user-bridge", "answer", (address,), "10.89.0.1", 400)
    assert "through aardvark-dns" in looked_up(scene, "user-bridge", user_bridge=answer)
    internal = Lookup("host.docker.internal", "answer", ("10.89.0.1",), "hosts file")
    assert looked_up(scene, "host.docker.internal", user_bridge=internal).startswith("Podman writes the name")


def test_a_hosts_file_of_podman_is_no_copy_of_the_machine_s() -> None:
    scene = on_podman(make_scene(("host", "bridge")))
    texts = {row.key: row.why for row in compare(*scene) if row.section == "hosts" and row.why}
    assert texts
    assert not any("copy" in text or "Docker" in text for text in texts.values())
    entries = (HostsEntry("10.88.0.1", ("host.containers.internal",)),)
    added = change(scene, "bridge", hosts=entries)
    assert why(added, "hosts", "host.containers.internal").startswith("Podman writes the name")
