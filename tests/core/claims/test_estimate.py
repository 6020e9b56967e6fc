"""dashboard.core.claims.estimate."""

from __future__ import annotations

import pytest

from dashboard.core.claims.catalogue import all_claims
from dashboard.core.claims.estimate import (
    HARMLESS_S,
    HOST_S,
    MEASURE_S,
    PRIVATE_S,
    claim_seconds,
    describe_seconds,
    run_seconds,
)
from dashboard.core.claims.model import Claim, Need
from dashboard.core.claims.run import MAX_CONCURRENT, NOT_HARMLESS

HARMLESS = [claim for claim in all_claims() if not claim.needs & NOT_HARMLESS]
ALONE = [claim for claim in all_claims() if Need.ALONE in claim.needs and Need.MEASURE not in claim.needs]
MEASURING = [claim for claim in all_claims() if Need.MEASURE in claim.needs]


@pytest.mark.parametrize(
    ("claim", "seconds"), [(HARMLESS[0], HARMLESS_S), (ALONE[0], PRIVATE_S), (MEASURING[0], MEASURE_S)]
)
def test_a_claim_takes_as_long_as_its_last_run_and_otherwise_as_long_as_its_needs_suggest(
    claim: Claim, seconds: float
) -> None:
    assert claim_seconds(claim, {}) == seconds
    assert claim_seconds(claim, {claim.id: 0.25}) == 0.25


def test_harmless_claims_run_concurrently_and_need_no_host() -> None:
    claims = HARMLESS[: 2 * MAX_CONCURRENT]
    assert run_seconds(claims, {claim.id: 3.0 for claim in claims}) == 6.0
    assert run_seconds(claims[:1], {claims[0].id: 3.0}) == 3.0, "one claim cannot be divided"


def test_claims_that_change_the_machine_or_measure_run_one_at_a_time_on_private_hosts() -> None:
    alone, measuring = ALONE[:2], MEASURING[:2]
    recorded = {claim.id: 3.0 for claim in (*alone, *measuring)}
    assert run_seconds(alone, recorded) == HOST_S + 6.0
    assert run_seconds(measuring, recorded) == HOST_S + 6.0


def test_done_claims_are_not_part_of_the_remaining_time() -> None:
    claims = MEASURING[:2]
    recorded = {claim.id: 3.0 for claim in claims}
    assert run_seconds(claims, recorded, {claims[0].id}) == 3.0
    assert run_seconds(claims, recorded, set(recorded)) == 0.0
    assert run_seconds([], {}) == 0.0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "about 1 s"),
        (4.2, "about 5 s"),
        (31.0, "about 35 s"),
        (54.0, "about 55 s"),
        (56.0, "about 1 min"),
        (88.0, "about 1.5 min"),
        (95.0, "about 2 min"),
    ],
)
def test_an_estimate_is_rounded(seconds: float, text: str) -> None:
    assert describe_seconds(seconds) == text
