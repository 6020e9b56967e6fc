"""``./netmodes claims``."""

from __future__ import annotations

import pytest

from dashboard.core.claims.catalogue import all_claims
from dashboard.core.operations.json_schemas import schema_of
from tests.support.json_schema import violations
from tests.support.private_engine import PrivateEngine
from tests.support.terminal import Terminal, run_here

CHOSEN = ("host-shares-netns", "discarded-publish", "sysctl-refused")


@pytest.mark.usefixtures("docker")
@pytest.mark.usefixtures("machine_network")
def test_json_is_one_document_and_nothing_is_left(terminal: Terminal, engine_host: PrivateEngine) -> None:
    done = terminal.run("claims", *CHOSEN, "--json")
    assert done.code == 0, done.err
    assert [one["id"] for one in done.json] == sorted(CHOSEN, key=[claim.id for claim in all_claims()].index)
    assert violations(done.json, schema_of("claims/1")) == []
    assert all({"id", "statement", "source", "verdict", "evidence"} <= set(one) for one in done.json)
    assert {one["verdict"] for one in done.json} == {"holds"}
    assert all(engine_host.host.name in one["engine"] or "26" in one["engine"] for one in done.json)
    assert engine_host.docker("ps", "-aq") == ""


@pytest.mark.usefixtures("machine_network")
def test_text_has_statements_evidence_and_a_count(terminal: Terminal) -> None:
    done = terminal.run("claims", "host-no-address")
    assert done.code == 0, done.err
    assert "✓ confirmed    host-no-address: In host mode" in done.out
    assert "NetworkSettings.Networks.host.IPAddress: empty" in done.out
    assert "1 confirmed, in " in done.out
    assert "1/1 confirmed: host-no-address" in done.err


def test_claims_are_listed_without_an_engine(capsys: pytest.CaptureFixture[str]) -> None:
    done = run_here(capsys, "claims", "--list")
    assert done.code == 0
    assert len(done.out.splitlines()) == sum(1 + len(claim.otherwise) for claim in all_claims())
    assert "Before API 1.44: --mac-address is refused in host mode." in done.out


def test_an_unknown_claim_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    done = run_here(capsys, "claims", "nonsense")
    assert done.code == 2
    assert "There is no claim nonsense: choose from" in done.err
    assert done.out == ""


def test_without_an_engine_the_command_fails_with_advice(nowhere: Terminal) -> None:
    done = nowhere.run("claims", "host-shares-netns", "--json")
    assert done.code == 1
    assert "No Docker Engine answers" in done.err
    assert done.out == ""
