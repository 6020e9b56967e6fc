"""Reports of other web processes about who is connected to them."""

from __future__ import annotations

from dashboard.web.operations.peer_processes import VALID_S, PeerProcesses


def test_the_participants_are_those_of_all_processes_and_changes_are_named() -> None:
    peers = PeerProcesses()
    assert peers.participants("s") == frozenset()
    assert peers.report("a", {"s": frozenset("12"), "t": frozenset()}, 0.0) == {"s"}
    assert peers.report("b", {"s": frozenset("3")}, 1.0) == {"s"}
    assert peers.report("b", {"s": frozenset("3"), "t": frozenset("4")}, 2.0) == {"t"}
    assert peers.participants("s") == frozenset("123")
    assert peers.report("a", {}, 3.0) == {"s"}, "its last report"
    assert peers.participants("s") == frozenset("3")


def test_a_silent_process_expires_unless_no_report_could_arrive() -> None:
    peers = PeerProcesses()
    peers.report("a", {"s": frozenset("1")}, 0.0)
    assert peers.expire(VALID_S) == frozenset()
    peers.renew(VALID_S)
    assert peers.expire(2 * VALID_S) == frozenset()
    assert peers.expire(2 * VALID_S + 1) == {"s"}
    assert peers.participants("s") == frozenset()
