"""Evidence is written for people: it holds no Python value, for usual observations and for empty ones."""

from __future__ import annotations

from types import ModuleType

import pytest

from dashboard.core.claims.catalogue import (
    add_host_discards,
    discarded_mapping_stays,
    discarded_publish,
    host_copies_hostname,
    host_sandbox,
    host_sysctls,
    hosts_inherited,
    publish_all_silent,
    stats_counted_twice,
    stats_without_networks,
    warning_only_at_create,
)
from dashboard.core.claims.extract import describe_list, describe_names, describe_ports
from dashboard.core.claims.testbed import Container
from dashboard.core.reports.model import split_evidence
from tests.core.builders import make_state
from tests.support.python_values import python_values

BOUND = {"80/tcp": [{"HostIp": "", "HostPort": "8080"}], "81/tcp": None}
WARNED = Container(
    "",
    warnings=("Published ports are discarded when using host network mode",),
    inspected={"HostConfig": {"PortBindings": BOUND}, "NetworkSettings": {"Ports": {}, "SandboxKey": ""}},
)
PUBLISHED = Container("", inspected={"HostConfig": {"PortBindings": {}}, "NetworkSettings": {"Ports": BOUND}})
FILES = ("127.0.0.1 localhost\n192.0.2.77 database\n", "127.0.0.1 localhost\n192.0.2.7 other\n")
STATES = (make_state(1), make_state(2))
OBSERVED: list[tuple[ModuleType, object]] = [
    *(
        (module, container)
        for module in (
            discarded_publish,
            discarded_mapping_stays,
            host_sandbox,
            publish_all_silent,
            warning_only_at_create,
        )
        for container in (WARNED, PUBLISHED, Container(""))
    ),
    *((module, files) for module in (add_host_discards, hosts_inherited) for files in (FILES, ("", ""))),
    *((module, STATES) for module in (host_copies_hostname, host_sysctls)),
    *((stats_counted_twice, pair) for pair in (({}, {}), ({"eth0": {"rx_bytes": 5}}, {"eth0": {"rx_bytes": 5}}))),
    *((stats_without_networks, stats) for stats in ({}, {"networks": {"eth0": {"rx_bytes": 5}}})),
]


@pytest.mark.parametrize(("module", "observed"), OBSERVED, ids=lambda value: getattr(value, "__name__", ""))
def test_evidence_holds_no_python_value(module: ModuleType, observed: object) -> None:
    found = module.judge(observed)
    assert found.evidence
    assert python_values((found.reason, *found.evidence)) == []


@pytest.mark.parametrize("value", [None, True, [], {}, ("a", "b"), ["a"], {"80/tcp": None}, Container("x")])
def test_python_values_are_detected(value: object) -> None:
    assert python_values([f"ports: {value}"])


@pytest.mark.parametrize(
    "text",
    ["net:[4026531840]", "[::]:80 docker-proxy", "docker run: refused (exit code 125)", "95 % interval +1.0 to +2.0"],
)
def test_texts_for_people_are_not(text: str) -> None:
    assert python_values([text]) == []


def test_ports_names_and_lists_are_described() -> None:
    assert describe_ports(BOUND) == "80/tcp at port 8080, 81/tcp at no port"
    chosen = {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}
    assert describe_ports(chosen) == "80/tcp at a port that the Engine chooses of 127.0.0.1"
    assert describe_ports(None) == describe_ports({}) == describe_names({}) == describe_list(()) == "none"
    assert describe_names({"a": "192.0.2.1", "b": "192.0.2.2"}) == "a is 192.0.2.1, b is 192.0.2.2"
    assert describe_list(("one", "two")) == "one; two"


@pytest.mark.parametrize(
    ("line", "columns"),
    [
        ("GET http://127.0.0.1:80/: HTTP 200", ("GET http://127.0.0.1:80/", "HTTP 200")),
        ("docker0 has 172.17.0.1", ("", "docker0 has 172.17.0.1")),
        ("afterwards: ", ("", "afterwards: ")),
        ("docker run: refused at start: in use", ("docker run", "refused at start: in use")),
    ],
)
def test_a_line_is_split_into_what_it_is_about_and_what_was_observed(line: str, columns: tuple[str, str]) -> None:
    assert split_evidence(line) == columns
