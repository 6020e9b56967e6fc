"""Judgements that claims share, each the one way, the other, and where there is one, undecided."""

from __future__ import annotations

import pytest

from dashboard.core.claims.judges import judge_not_found, judge_slower, judge_stripped
from dashboard.core.claims.model import Timing
from dashboard.core.namespaces.state import Lookup
from dashboard.core.reports.model import ClaimVerdict

HOLDS, DIFFERS, OPEN = ClaimVerdict.HOLDS, ClaimVerdict.DIFFERS, ClaimVerdict.NOT_TESTABLE


@pytest.mark.parametrize(
    ("said", "verdict"), [("slower", HOLDS), ("faster", DIFFERS), ("same", DIFFERS), ("inconclusive", OPEN)]
)
def test_only_slower_is_slower_and_what_is_open_stays_open(said: str, verdict: ClaimVerdict) -> None:
    found = judge_slower(Timing("a", "b", said, "zero is in it", 1.0, (0.5, 1.5), 20.0, 30))
    assert found.verdict is verdict
    assert found.evidence


@pytest.mark.parametrize(
    ("inside", "verdict"),
    [("nameserver 192.0.2.53\n", HOLDS), ("nameserver 127.0.0.53\nnameserver 192.0.2.53\n", DIFFERS), ("", DIFFERS)],
)
def test_the_servers_are_the_machines_without_loopback(inside: str, verdict: ClaimVerdict) -> None:
    machine = "nameserver 127.0.0.53\nnameserver 192.0.2.53\n"
    assert judge_stripped((machine, inside)).verdict is verdict


@pytest.mark.parametrize(("answers", "verdict"), [((), HOLDS), (("172.18.0.2",), DIFFERS)])
def test_a_name_is_not_found_where_nothing_answers(answers: tuple[str, ...], verdict: ClaimVerdict) -> None:
    assert judge_not_found(Lookup("web", "no such name", answers)).verdict is verdict
