"""Claims as values: whole sentences, unique ids, a mutation."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace

import pytest

from dashboard.core.claims.catalogue import all_claims
from dashboard.core.claims.lines import fill, modes_of_lines, mutate, show_line
from dashboard.core.claims.model import Claim, Need, Topic, by_topic
from dashboard.core.claims.run import NOT_HARMLESS
from dashboard.core.claims.testbed import Container, Response
from dashboard.core.experiments.docker_run import parse_network_create, parse_run
from dashboard.core.modes import MACHINE, Mode

CLAIMS = pytest.mark.parametrize("claim", all_claims(), ids=lambda claim: claim.id)


@CLAIMS
def test_a_claim_has_a_statement_a_source_and_a_mutation(claim: Claim) -> None:
    assert claim.statement.endswith(".")
    assert claim.source
    assert claim.exact == "" or claim.exact.endswith(".")
    assert claim.lines
    assert claim.mutation, "only a mutation proves that it can fail"
    assert all(any(word in line for line in claim.lines) for word in set(claim.mutation) - setup_words(claim))
    assert all("{" not in line.replace("{{", "") for line in claim.shown_lines)


def test_no_need_has_the_name_of_a_network_mode() -> None:
    """Needs and modes name what an engine lacks in the same place, so equal names would be ambiguous."""
    assert not {str(need) for need in Need} & {str(mode) for mode in Mode}


@CLAIMS
def test_an_expectation_of_another_engine_is_a_statement_or_a_reason_why_none_is_testable(claim: Claim) -> None:
    for expectation in claim.otherwise:
        assert expectation.on.text
        assert expectation.sentence.endswith(".")
        assert bool(expectation.statement) is (expectation.judge is not None) is not bool(expectation.not_testable)
        for word in expectation.mutation or {}:
            assert any(word in line for line in claim.lines), word


@pytest.mark.parametrize(
    ("lines", "modes"),
    [
        (("docker run -d IMAGE",), {Mode.BRIDGE}),
        (("docker run -d --network host -p 80 IMAGE", "docker exec ID ip route"), {Mode.HOST}),
        (("docker run -d --network=none IMAGE",), {Mode.NONE}),
        (("docker run -d --network container:{owner} IMAGE",), {Mode.CONTAINER}),
        (("docker network create lab", "docker run -d --network {lab} IMAGE"), {Mode.USER_BRIDGE}),
        (("docker network create -d macvlan -o parent=eth0 lab",), {Mode.MACVLAN}),
        (("curl http://127.0.0.1/",), set()),
    ],
)
def test_modes_are_read_from_the_lines(lines: tuple[str, ...], modes: set[Mode]) -> None:
    assert modes_of_lines(lines) == modes


def setup_words(claim: Claim) -> set[str]:
    """Words of a mutation that occur only in a line that creates a network."""
    return {word for word in claim.mutation if word.startswith("docker network create")}


@CLAIMS
def test_the_lines_of_a_claim_can_be_parsed(claim: Claim) -> None:
    """This includes mutated lines."""
    for mutation in ({}, claim.mutation):
        for raw in claim.lines:
            line = mutate(raw, mutation).replace("{machine}", "192.0.2.2")
            if line.startswith("docker network create"):
                assert parse_network_create(line).name
            elif line.startswith("docker run"):
                assert parse_run(line).image == "IMAGE"
            elif not line.startswith("#"):
                assert shlex.split(line)


@CLAIMS
def test_ports_of_the_machine_are_used_on_private_hosts_only(claim: Claim) -> None:
    """On the user's own engine no claim uses a port that other programs may use."""
    taken = claim.needs & NOT_HARMLESS
    for line in (line for line in claim.lines if line.startswith("docker run")):
        read = parse_run(line.replace("{machine}", "192.0.2.2").replace("{", "").replace("}", ""))
        published = read.config["HostConfig"]["PortBindings"] and read.network != "host"
        serves = read.network == "host" and not {"sleep"} & set(read.config.get("Cmd", ["nginx"]))
        assert taken or not (published or serves), line


def test_ids_are_unique_and_there_are_enough_for_every_statement() -> None:
    ids = [claim.id for claim in all_claims()]
    assert len(ids) == len(set(ids)) >= 40
    assert set(by_topic(all_claims())) == set(Topic)


@pytest.mark.parametrize(
    ("text", "mutation", "result"),
    [
        ("--network host", {}, "--network host"),
        ("--network host -p 1", {"--network host": "--network bridge"}, "--network bridge -p 1"),
        ("x against y", {"x": "y", "y": "x"}, "y against x"),
        ("two against one", {"two against one": "one against two"}, "one against two"),
        ("--uts host --network host", {" --network host": ""}, "--uts host"),
        ("ab", {"a": "1", "ab": "2"}, "2"),
    ],
)
def test_a_mutation_replaces_all_its_words_at_once(text: str, mutation: Mapping[str, str], result: str) -> None:
    assert mutate(text, mutation) == result


def test_names_are_filled_in_and_shown_without_braces() -> None:
    assert fill("--link {one}:one {machine}", {"one": "nm-1", MACHINE: "192.0.2.2"}) == "--link nm-1:one 192.0.2.2"
    with pytest.raises(KeyError):
        fill("{nobody}", {})
    assert show_line("docker run --network {lab} IMAGE") == "docker run --network lab nginx"
    assert show_line("docker run -e NETMODES_PORT=81 IMAGE") == "docker run -e NETMODES_PORT=81 netmodes-lab:1"
    assert show_line("curl http://{machine}/") == "curl http://MACHINE/"


def test_a_container_has_addresses_and_a_summary() -> None:
    networks = {"host": {"IPAddress": "invalid IP"}, "lab": {"IPAddress": "10.0.0.2", "Gateway": "10.0.0.1"}}
    one = Container("", inspected={"NetworkSettings": {"Networks": networks}}, status="running")
    assert (one.addresses, one.address, one.gateway) == ({"host": "", "lab": "10.0.0.2"}, "10.0.0.2", "10.0.0.1")
    assert one.setting("No", "Such") is None
    assert one.summary == "running"
    assert replace(one, exit_code=1, logs=("boom",)).summary == "exited with code 1: boom"
    assert replace(one, refused="no", refused_at="start").summary == "refused at start: no"
    assert Response(200, client_seen="10.0.0.1").summary == "HTTP 200, the server saw 10.0.0.1"
    assert Response(None, error="refused").summary == "refused"
