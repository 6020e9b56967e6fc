"""Which identifiers of a machine are found in a report, and which are not. test_anonymise.py tests the replacement."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from typing import Any

import pytest

from dashboard.core.experiments.journal import Cause, Source
from dashboard.core.namespaces.state import HostsEntry, Lookup
from dashboard.core.reports.anonymisation.identifiers import collect_texts, find_identifiers, iterate_records
from dashboard.core.reports.model import ReportContent
from tests.core.builders import make_arm, make_route
from tests.core.scenes import make_scene
from tests.support.reports import make_content, with_scene


def found_in(**more: Any) -> set[str]:
    """The names found in the content of an experiment, with these fields in the machine's state."""
    columns, states = make_scene(("host", "bridge"))
    return find_identifiers(with_scene(columns, states | {"machine": replace(states["machine"], **more)})).names


@pytest.mark.parametrize(
    ("more", "found", "left"),
    [
        ({"hostname": "web7"}, {"web7"}, set()),
        ({"hosts": (HostsEntry("10.0.0.9", ("db.corp", "localhost", "ip6-allnodes")),)}, {"db.corp"}, {"localhost"}),
        (
            {"lookups": (Lookup("vault.corp", "answer"), Lookup("host.docker.internal", "answer"))},
            {"vault.corp"},
            set(),
        ),
        ({"lookups": (Lookup("bridge", "answer"), Lookup("nm-7f2a9c-host", "answer"))}, set(), {"bridge"}),
        ({"hostname": "10.0.0.1"}, set(), {"10.0.0.1"}),
        ({"hostname": ""}, set(), {""}),
    ],
)
def test_names_of_machines_are_found_and_those_of_columns_and_of_every_machine_are_not(
    more: dict[str, Any], found: set[str], left: set[str]
) -> None:
    names = found_in(**more)
    assert found <= names
    assert not left & names


def test_a_host_named_like_a_word_is_renamed_only_where_its_name_stands() -> None:
    columns, states = make_scene(("host", "bridge"))
    found = find_identifiers(with_scene(columns, states | {"machine": replace(states["machine"], hostname="docker")}))
    assert found.words == {"docker"}


def of_arm(**more: Any) -> ReportContent:
    content = make_content(0, ())
    assert content.experiment is not None
    spec = replace(content.experiment.spec, arms=(make_arm("bridge", **more),))
    return replace(content, experiment=replace(content.experiment, spec=spec))


def test_commands_settings_and_registries_of_arms_are_found() -> None:
    found = find_identifiers(
        of_arm(command=("/opt/x/serve", "--token=abcdefgh", "-v"), environment={"PASS": "hunter2hunter2"})
    )
    assert found.commands["/opt/x/serve --token=abcdefgh -v"] == "serve [removed]"
    assert found.commands["--token=abcdefgh"] == "[removed]"
    assert "-v" not in found.commands
    assert found.settings["PASS=hunter2hunter2"] == "PASS=[removed]"
    assert found.settings["hunter2hunter2"] == "[removed]"
    assert "registry.corp" in find_identifiers(of_arm(image="registry.corp:5000/team/app:1")).names
    assert find_identifiers(of_arm(image="ghcr.io/team/app:1")).names == find_identifiers(of_arm()).names


def test_the_program_of_a_command_stays_and_its_arguments_do_not() -> None:
    assert find_identifiers(of_arm(command=("/opt/x/serve",))).commands == {"/opt/x/serve": "serve"}
    assert find_identifiers(of_arm(command=("serve",))).commands == {}
    assert find_identifiers(of_arm(command=("/opt/x/",))).commands == {"/opt/x/": "[removed]"}
    assert find_identifiers(of_arm(command=("serve", "two words"))).commands == {
        "serve 'two words'": "serve [removed]",
        "serve two words": "serve [removed]",
        "two words": "[removed]",
    }


def test_arguments_and_values_of_eight_characters_are_found_in_any_text() -> None:
    found = find_identifiers(
        of_arm(command=("serve", "1234567", "12345678"), environment={"A": "1234567", "B": "abcdefgh"})
    )
    assert "1234567" not in found.commands
    assert found.commands["12345678"] == "[removed]"
    assert "1234567" not in found.settings
    assert found.settings["abcdefgh"] == "[removed]"
    assert (found.settings["A=1234567"], found.settings["B=abcdefgh"]) == ("A=[removed]", "B=[removed]")


@pytest.mark.parametrize(
    ("image", "names"),
    [
        ("registry.corp/app", {"registry.corp"}),
        ("localregistry:5000/app", {"localregistry"}),
        ("team/app:1", set()),
        ("app.v2:1", set()),
    ],
)
def test_the_registry_of_an_image_is_a_host_name(image: str, names: set[str]) -> None:
    assert find_identifiers(of_arm(image=image)).names - find_identifiers(of_arm()).names == names


def test_added_hosts_are_names() -> None:
    found = find_identifiers(of_arm(add_host=("db.corp:10.9.8.7", "gateway:host-gateway")))
    assert {"db.corp", "gateway"} <= found.names


@pytest.mark.parametrize(
    ("destination", "known"),
    [
        ("10.0.0.0/8", True),
        ("10.0.0.0/7", False),
        ("10.1.2.0/30", True),
        ("10.1.2.2/31", False),
        ("10.1.2.3/32", False),
        ("fd00::/126", True),
        ("fd00::/127", False),
        ("default", False),
    ],
)
def test_networks_of_routes_are_those_with_room_for_hosts(destination: str, known: bool) -> None:
    columns, states = make_scene(("host",))
    route = make_route(destination, None)
    machine = replace(states["machine"], routes=(route,), interfaces=())
    networks = find_identifiers(with_scene(columns, {"machine": machine, "host": machine})).networks
    assert networks == ({ipaddress.ip_network(destination)} if known else set())


def test_the_author_the_installation_and_the_engine_are_found() -> None:
    content = make_content(0, ())
    found = find_identifiers(content)
    assert (found.authors, found.installations) == ({"Ada"}, {"inst234567"})
    assert found.endpoints == {"unix:///run/docker.sock"}
    assert "lab-1" in found.names
    unknown = find_identifiers(replace(content, author="", installation=""))
    assert (unknown.authors, unknown.installations) == (set(), set())
    assert find_identifiers(replace(content, author="owner")).authors == set(), "a word of Netmodes"


@pytest.mark.parametrize(
    ("source", "actor", "people"),
    [(Source.PERSON, "Alice", {"Alice"}), (Source.KERNEL, "nginx", set()), (Source.PERSON, "", set())],
)
def test_a_person_who_caused_an_entry_is_found(source: Source, actor: str, people: set[str]) -> None:
    content = make_content(0, (), author="")
    assert content.experiment is not None
    entries = tuple(replace(entry, cause=Cause(source, "launch", actor)) for entry in content.experiment.journal)
    changed = replace(content, experiment=replace(content.experiment, journal=entries))
    assert find_identifiers(changed).authors == people


def test_ids_mac_addresses_and_addresses_are_found_in_any_text() -> None:
    identity = "0123456789abcdef" * 4
    notes = f"{identity} sha256:{identity[::-1]} 52:54:00:12:34:56 10.9.8.7. ::ffff:10.9.8.6 12:30:15"
    found = find_identifiers(make_content(0, (), notes=notes))
    assert identity in found.ids
    assert identity[::-1] not in found.ids
    assert "52:54:00:12:34:56" in found.macs
    assert {ipaddress.ip_address(text) for text in ("10.9.8.7", "::ffff:10.9.8.6")} <= found.addresses


def test_texts_of_an_environment_and_of_enumerations_are_left_alone() -> None:
    content = make_content(0, ())
    texts = collect_texts(content)
    assert "Ada" in texts
    assert content.environment.cpu_model not in texts
    assert collect_texts({"key": ("a", None, Source.PERSON, {"deep": "b"})}) == {"key", "a", "deep", "b"}
    assert list(iterate_records((None, "text", 1, {"x": (Lookup("a", "answer"),)}))) == [Lookup("a", "answer")]
