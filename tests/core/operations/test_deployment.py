"""Roles of processes, detection of an unavailable lab, the clock of heartbeats, and pauses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.core.experiments.messages import EngineRef
from dashboard.core.operations.deployment import (
    LAB_UNAVAILABLE,
    NO_LAB,
    UNAVAILABLE_S,
    HeartbeatMessage,
    LabFacts,
    LastHeartbeat,
    Role,
    current_facts,
    ends_calls,
    is_late,
    is_unavailable,
    local_heartbeat,
    may_serve,
    messaging_problem,
    parse_role,
)
from dashboard.core.operations.heartbeat import (
    SILENT_S,
    Distribution,
    Heartbeat,
    LabMetrics,
    LabStatus,
    Part,
    missing_parts,
)

NOTHING = Distribution((1.0,), (0, 0), 0.0)
HEARTBEAT = Heartbeat(5.0, LabStatus("26.1.5", True, True, 1.0, 4.0), LabMetrics(0, 0, 0, 0, NOTHING, NOTHING))
FACTS = LabFacts(EngineRef("26.1.5", "1.45"), "", HEARTBEAT)


def test_only_roles_with_a_lab_drive() -> None:
    assert [role for role in Role if role.drives] == [Role.ALL, Role.LAB]
    with pytest.raises(ValueError, match="choose all, web or lab"):
        parse_role("both")


def last_heartbeat(at: float, *, has_ended: bool = False) -> LastHeartbeat:
    return LastHeartbeat(HeartbeatMessage("a", FACTS, has_ended), at)


def test_a_lab_is_unavailable_after_silence_and_after_its_last_heartbeat() -> None:
    assert current_facts(None, 0.0) == LabFacts(None, NO_LAB)
    last = last_heartbeat(100.0)
    assert current_facts(last, 100.0 + UNAVAILABLE_S) == FACTS
    assert current_facts(last, 100.1 + UNAVAILABLE_S) == LabFacts(None, LAB_UNAVAILABLE)
    assert is_unavailable(last_heartbeat(120.0, has_ended=True), 120.0)


def test_calls_end_with_their_lab_and_the_end_of_a_replaced_lab_is_ignored() -> None:
    last, ended = last_heartbeat(100.0), HeartbeatMessage("a", FACTS, has_ended=True)
    other, other_ended = HeartbeatMessage("b", FACTS), HeartbeatMessage("b", FACTS, has_ended=True)
    assert [ends_calls(last, one) for one in (last.message, ended, other)] == [False, True, True]
    received = (last.message, ended, other, other_ended)
    assert [is_late(last, one, 101.0) for one in received] == [False, False, False, True]
    assert not ends_calls(None, other)
    assert not is_late(None, other_ended, 101.0)


def test_the_lab_that_took_over_later_counts_if_two_send_heartbeats() -> None:
    last = LastHeartbeat(HeartbeatMessage("new", FACTS, since=20.0), 100.0)
    former, latest = HeartbeatMessage("old", FACTS, since=10.0), HeartbeatMessage("newest", FACTS, since=30.0)
    assert is_late(last, former, 101.0)
    assert not is_late(last, latest, 101.0)
    assert not is_late(last, HeartbeatMessage("new", FACTS, since=5.0), 101.0), "the same lab"
    # A database whose clock is slow: the former lab is silent by then.
    assert not is_late(last, former, 100.1 + UNAVAILABLE_S)


def test_a_lab_without_its_database_serves_no_longer_than_its_heartbeats_count() -> None:
    assert may_serve(100.0, 100.0 + UNAVAILABLE_S)
    assert not may_serve(100.0, 100.1 + UNAVAILABLE_S)


def test_the_time_of_a_heartbeat_is_by_the_clock_of_the_reader() -> None:
    last = last_heartbeat(100.0)
    status = replace(HEARTBEAT.status, engine_since=4996.0, passed_at=4999.0)
    assert local_heartbeat(last, 103.0, 5003.0) == replace(HEARTBEAT, at=5000.0, status=status)
    long_ago = local_heartbeat(last, 100.0 + UNAVAILABLE_S + 0.5, 6000.0)
    assert long_ago is not None
    assert long_ago.at == 6000.0 - SILENT_S - 1.0
    assert [item.part for item in missing_parts(long_ago, 6000.0)] == [Part.LAB]
    assert local_heartbeat(None, 0.0, 0.0) is None


@pytest.mark.parametrize("wrong_s", [-3600.0, 3600.0])
def test_a_pass_is_overdue_by_its_age_whatever_the_clocks_of_both_machines(wrong_s: float) -> None:
    def heartbeat_after(age_s: float) -> Heartbeat | None:
        status = LabStatus("26.1.5", True, True, 1e6 + wrong_s, 1e6 + wrong_s - age_s)
        facts = LabFacts(heartbeat=Heartbeat(1e6 + wrong_s, status, HEARTBEAT.metrics))
        return local_heartbeat(LastHeartbeat(HeartbeatMessage("a", facts), 50.0), 51.0, 1e6 + 1)

    assert missing_parts(heartbeat_after(30.0), 1e6 + 1) == ()
    assert [item.part for item in missing_parts(heartbeat_after(300.0), 1e6 + 1)] == [Part.LAB]


def test_each_role_needs_nats_or_does_not_use_it() -> None:
    url = "nats://web:secret@127.0.0.1"
    assert [messaging_problem(role, url, "", is_installed=True) for role in (Role.WEB, Role.LAB)] == ["", ""]
    assert messaging_problem(Role.ALL, "", "", is_installed=False) == ""
    for role in (Role.WEB, Role.LAB):
        assert f"The role {role} needs NATS. Set NATS_URL" in messaging_problem(role, "", "", is_installed=True)
        assert "extra “team”" in messaging_problem(role, url, "", is_installed=False)
    assert "remove NATS_URL" in messaging_problem(Role.ALL, url, "", is_installed=True)


@pytest.mark.parametrize("role", Role)
def test_the_address_of_a_redis_is_refused_with_what_to_set_instead(role: Role) -> None:
    assert "Remove REDIS_URL, and set NATS_URL" in messaging_problem(role, "", "redis://127.0.0.1/0", is_installed=True)
