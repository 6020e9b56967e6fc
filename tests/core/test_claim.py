"""Claims as values: whole sentences, unique ids, a way to fail, and judgements that are pure."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.core.claim import Claim, Container
from dashboard.core.claims import all_claims, discarded_publish
from dashboard.core.report import ClaimVerdict


@pytest.mark.parametrize("claim", all_claims(), ids=lambda claim: claim.id)
def test_a_claim_says_what_it_claims_from_where_and_can_fail(claim: Claim) -> None:
    assert claim.statement.endswith(".")
    assert claim.source
    assert claim.lines
    assert claim.counter, "without a counter nobody knows whether it can fail"
    assert all(any(word in line for line in claim.lines) for word in claim.counter)


def test_ids_are_unique() -> None:
    ids = [claim.id for claim in all_claims()]
    assert len(ids) == len(set(ids)) > 0


SEEN = Container(
    discarded_publish.LINE,
    warnings=(discarded_publish.WARNING,),
    inspected={"HostConfig": {"PortBindings": {"80/tcp": [{}]}}, "NetworkSettings": {"Ports": {}}},
)


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        (SEEN, ClaimVerdict.HOLDS),
        (replace(SEEN, warnings=()), ClaimVerdict.DIFFERS),
        (replace(SEEN, inspected={"NetworkSettings": {"Ports": {"80/tcp": [{}]}}}), ClaimVerdict.DIFFERS),
    ],
)
def test_the_discarded_port_is_judged_by_warning_and_ports(seen: Container, verdict: ClaimVerdict) -> None:
    found = discarded_publish.judge(seen)
    assert found.verdict is verdict
    assert found.evidence
