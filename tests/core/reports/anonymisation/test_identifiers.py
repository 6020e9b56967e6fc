"""What is found of a machine in a report, and what is left alone. That it is replaced is in test_scrub."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dashboard.core.namespaces.state import HostsEntry, Lookup
from dashboard.core.reports.anonymisation.identifiers import find_secrets
from dashboard.core.reports.model import ReportContent
from tests.core.builders import make_arm, make_scene
from tests.reports import make_content
from tests.scrubbed import with_scene


def found_in(**more: Any) -> set[str]:
    """Names found in the content of one experiment whose machine's state has these fields."""
    columns, states = make_scene(("host", "bridge"))
    return find_secrets(with_scene(columns, states | {"machine": replace(states["machine"], **more)})).names


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
    found = find_secrets(with_scene(columns, states | {"machine": replace(states["machine"], hostname="docker")}))
    assert found.words == {"docker"}


def of_arm(**more: Any) -> ReportContent:
    content = make_content(0, ())
    assert content.experiment is not None
    spec = replace(content.experiment.spec, arms=(make_arm("bridge", **more),))
    return replace(content, experiment=replace(content.experiment, spec=spec))


def test_commands_settings_and_registries_of_arms_are_found() -> None:
    found = find_secrets(
        of_arm(command=("/opt/x/serve", "--token=abcdefgh", "-v"), environment={"PASS": "hunter2hunter2"})
    )
    assert found.commands["/opt/x/serve --token=abcdefgh -v"] == "serve [removed]"
    assert found.commands["--token=abcdefgh"] == "[removed]"
    assert "-v" not in found.commands
    assert found.settings["PASS=hunter2hunter2"] == "PASS=[removed]"
    assert found.settings["hunter2hunter2"] == "[removed]"
    assert "registry.corp" in find_secrets(of_arm(image="registry.corp:5000/team/app:1")).names
    assert find_secrets(of_arm(image="ghcr.io/team/app:1")).names == find_secrets(of_arm()).names
