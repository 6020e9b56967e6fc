"""Rules of the machine that drop packets: their ports, and whether they have dropped any."""

from __future__ import annotations

import pytest

from dashboard.core.workshops.checks.check_types import Check
from dashboard.core.workshops.checks.vocabulary import judge
from dashboard.core.workshops.observation import Observation

KINDS = ("rule-present", "rule-absent", "rule-dropped")
RULES = (
    "*filter",
    "[9:0] -A INPUT -j ACCEPT",
    "[0:0] -A INPUT -p tcp -m tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable",
    "[7:420] -A DOCKER-USER -i eth0 -p tcp -m tcp --dport 8080 -j DROP",
    "[3:0] -A FORWARD -j DROPPED",
)


@pytest.mark.parametrize(
    ("chain", "port", "present", "dropped"),
    [
        ("INPUT", None, True, False),
        ("INPUT", 80, True, False),
        ("INPUT", 8080, False, False),
        ("DOCKER-USER", None, True, True),
        ("DOCKER-USER", 8080, True, True),
        ("DOCKER-USER", 80, False, False),
        ("FORWARD", None, False, False),
    ],
)
def test_rules_are_found_by_chain_and_port(chain: str, port: int | None, present: bool, dropped: bool) -> None:
    observation = Observation(0.0, rules=RULES)
    arguments: dict[str, str | int] = {"chain": chain} if port is None else {"chain": chain, "port": port}
    found = {kind: judge(Check(kind, arguments), observation) for kind in KINDS}
    assert [one.ok for one in found.values()] == [present, not present, dropped]
    assert found["rule-dropped"].observed.endswith("7 packets") is dropped


def test_unread_rules_prove_nothing() -> None:
    assert not any(judge(Check(kind, {"chain": "INPUT"}), Observation(0.0)).ok for kind in KINDS)
