"""Evidence is written for people: it holds no Python value, for usual observations and for empty ones."""

from __future__ import annotations

import pytest

from dashboard.core.claims.catalogue import find_claim
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
OF_CONTAINERS = (
    "discarded-publish",
    "discarded-mapping-stays",
    "host-sandbox",
    "publish-all-silent",
    "warning-only-at-create",
)
OBSERVED: list[tuple[str, object]] = [
    *((claim, container) for claim in OF_CONTAINERS for container in (WARNED, PUBLISHED, Container(""))),
    *((claim, files) for claim in ("add-host-discards", "hosts-inherited") for files in (FILES, ("", ""))),
    *((claim, STATES) for claim in ("host-copies-hostname", "host-sysctls")),
    *(("stats-counted-twice", pair) for pair in (({}, {}), ({"eth0": {"rx_bytes": 5}}, {"eth0": {"rx_bytes": 5}}))),
    *(("stats-without-networks", networks) for networks in ({}, {"eth0": {"rx_bytes": 5}})),
]


@pytest.mark.parametrize(("claim", "observed"), OBSERVED, ids=lambda value: value if isinstance(value, str) else "")
def test_evidence_contains_no_python_value(claim: str, observed: object) -> None:
    found = find_claim(claim).judge(observed)
    assert found.evidence
    assert python_values((found.reason, *found.evidence)) == []


@pytest.mark.parametrize("value", [None, True, [], {}, ("a", "b"), ["a"], {"80/tcp": None}, Container("x")])
def test_python_values_are_detected(value: object) -> None:
    assert python_values([f"ports: {value}"])


@pytest.mark.parametrize(
    "text",
    ["net:[4026531840]", "[::]:80 docker-proxy", "docker run: refused (exit code 125)", "95 % interval +1.0 to +2.0"],
)
def test_texts_for_users_are_not_detected_as_python_values(text: str) -> None:
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
