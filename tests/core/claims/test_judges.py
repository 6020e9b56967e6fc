"""Judgements that claims share: holds, differs, and inconclusive where that is possible."""

from __future__ import annotations

import pytest

from dashboard.core.claims.judges import (
    judge_exit,
    judge_not_found,
    judge_refused,
    judge_resolved,
    judge_slower,
    judge_stalled,
    judge_stripped,
)
from dashboard.core.claims.testbed import Container, Timing, Transfer
from dashboard.core.namespaces.state import Lookup
from dashboard.core.reports.model import ClaimVerdict

HOLDS, DIFFERS, NOT_TESTABLE = ClaimVerdict.HOLDS, ClaimVerdict.DIFFERS, ClaimVerdict.NOT_TESTABLE


@pytest.mark.parametrize(
    ("small", "large", "verdict"),
    [
        (Transfer(9, 9), Transfer(99, 40), HOLDS),
        (Transfer(9, 9), Transfer(99, 99), DIFFERS),
        (Transfer(9, 9), Transfer(99, 0, "refused"), DIFFERS),
        (Transfer(9, 8), Transfer(99, 40), DIFFERS),
    ],
)
def test_only_a_large_transfer_stalls(small: Transfer, large: Transfer, verdict: ClaimVerdict) -> None:
    found = judge_stalled((small, large))
    assert found.verdict is verdict
    assert len(found.evidence) == 2


@pytest.mark.parametrize(
    ("given", "verdict"), [("slower", HOLDS), ("faster", DIFFERS), ("same", DIFFERS), ("inconclusive", NOT_TESTABLE)]
)
def test_only_slower_holds_and_inconclusive_is_not_testable(given: str, verdict: ClaimVerdict) -> None:
    found = judge_slower(Timing("a", "b", given, "zero is in it", 1.0, (0.5, 1.5), 20.0, 30))
    assert found.verdict is verdict
    assert found.evidence


@pytest.mark.parametrize(
    ("inside", "verdict"),
    [
        ("nameserver 192.0.2.53\n", HOLDS),
        ("nameserver 127.0.0.53\nnameserver 192.0.2.53\n", DIFFERS),
        ("nameserver ::1\nnameserver 192.0.2.53\n", DIFFERS),
        ("", DIFFERS),
    ],
)
def test_the_servers_must_be_the_machines_without_loopback(inside: str, verdict: ClaimVerdict) -> None:
    machine = "nameserver 127.0.0.53\nnameserver ::1\nnameserver 192.0.2.53\n"
    assert judge_stripped((machine, inside)).verdict is verdict


@pytest.mark.parametrize(
    ("answers", "not_found", "resolved"),
    [((), HOLDS, DIFFERS), (("172.18.0.2",), DIFFERS, HOLDS), (("172.18.0.3",), DIFFERS, DIFFERS)],
)
def test_a_name_resolves_only_to_the_containers_address(
    answers: tuple[str, ...], not_found: ClaimVerdict, resolved: ClaimVerdict
) -> None:
    observed = (Lookup("web", "no such name", answers), "172.18.0.2")
    assert judge_not_found(observed).verdict is not_found
    assert judge_resolved(observed).verdict is resolved
    assert "the container has 172.18.0.2" in judge_resolved(observed).evidence[0]


@pytest.mark.parametrize(("refused", "verdict"), [("conflicting options", HOLDS), ("", DIFFERS)])
def test_a_container_must_be_refused(refused: str, verdict: ClaimVerdict) -> None:
    assert judge_refused(Container("", status="running", refused=refused, refused_at="create")).verdict is verdict


@pytest.mark.parametrize(
    ("container", "serves", "verdict"),
    [
        (Container("", status="exited", logs=("bind: Address already in use",)), False, HOLDS),
        (Container("", status="exited", logs=("out of memory",)), False, DIFFERS),
        (Container("", status="running"), True, DIFFERS),
        # A slow engine may not have noticed the exit yet, so this proves nothing.
        (Container("", status="running"), False, NOT_TESTABLE),
    ],
)
def test_a_program_must_exit_with_the_error(container: Container, serves: bool, verdict: ClaimVerdict) -> None:
    assert judge_exit((container, serves), "in use", "It serves.").verdict is verdict
