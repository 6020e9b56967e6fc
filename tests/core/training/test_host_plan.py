"""Recorded and real hosts of sessions: the planned actions in each case."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.core.training.capacity import HostLimits
from dashboard.core.training.host_plan import (
    ActionKind,
    DesiredState,
    HostAction,
    HostRecord,
    HostStage,
    ObservedHost,
    can_start,
    format_duration,
    plan_actions,
    queue_position,
    shown_state,
)

NOW = 10_000.0
ROW = HostRecord(
    "s-1", DesiredState.RUNNING, HostStage.READY, "abc", NOW - 50, NOW - 10, 3600, 600, False, HostLimits()
)
RUNS = {"abc": ObservedHost(running=True, started=NOW - 50)}
DEAD = {"abc": ObservedHost(running=False, started=NOW - 50)}


def planned(
    row: HostRecord, real: dict[str, ObservedHost], *, exits: tuple[float, ...] = (), capacity: int = 5, slots: int = 2
) -> ActionKind | None:
    found = plan_actions([row], real, (), {row.group: exits}, NOW, capacity=capacity, slots=slots)
    return found[0].kind if found else None


@pytest.mark.parametrize(
    ("changes", "real", "expected"),
    [
        ({}, RUNS, None),
        ({}, DEAD, ActionKind.RESTART),
        ({}, {}, ActionKind.START),
        ({"stage": HostStage.STARTING}, RUNS, ActionKind.ADOPT),
        ({"stage": HostStage.STARTING}, DEAD, ActionKind.RESTART),
        ({"stage": HostStage.STARTING}, {}, ActionKind.START),
        ({"stage": HostStage.QUEUED, "host": ""}, RUNS, ActionKind.START),
        ({"stage": HostStage.FAILED, "host": ""}, {}, None),
        ({"stage": HostStage.STOPPED, "host": ""}, {}, None),
        ({"stage": HostStage.UNPLACED, "host": ""}, {}, None),
        ({"desired": DesiredState.STOPPED}, RUNS, ActionKind.STOP),
        ({"desired": DesiredState.STOPPED, "host": "", "stage": HostStage.STOPPED}, {}, None),
        ({"desired": DesiredState.STOPPED, "stage": HostStage.STOPPED}, {}, ActionKind.STOP),
        ({"desired": DesiredState.STOPPED, "host": "", "stage": HostStage.QUEUED}, {}, ActionKind.STOP),
        ({"desired": DesiredState.RESET}, RUNS, ActionKind.RESET),
        ({"desired": DesiredState.RESET, "stage": HostStage.FAILED, "host": ""}, {}, ActionKind.RESET),
        ({"desired": DesiredState.RESET, "over": True}, RUNS, ActionKind.STOP),
        ({"over": True}, RUNS, ActionKind.STOP),
        ({"over": True}, DEAD, ActionKind.STOP),
        ({"used_at": NOW - 700}, {"abc": ObservedHost(running=True, started=NOW - 700)}, ActionKind.STOP),
        ({"used_at": 0.0}, RUNS, None),
        ({"used_at": NOW - 700, "idle_s": 0.0}, RUNS, None),
        ({"ttl_s": 40.0}, RUNS, ActionKind.STOP),
        ({"ttl_s": 0.0}, RUNS, None),
    ],
)
def test_the_action_follows_from_the_record_and_the_real_host(
    changes: dict[str, object], real: dict[str, ObservedHost], expected: ActionKind | None
) -> None:
    assert planned(replace(ROW, **changes), real) == expected  # type: ignore[arg-type]


def test_a_busy_group_is_skipped() -> None:
    assert plan_actions([replace(ROW, over=True)], RUNS, {"s-1"}, {}, NOW, capacity=5, slots=2) == ()


def test_an_engine_that_exits_repeatedly_is_given_up() -> None:
    assert planned(ROW, DEAD, exits=(NOW - 3, NOW - 2)) is ActionKind.RESTART
    assert planned(ROW, DEAD, exits=(NOW - 3, NOW - 2, NOW - 1)) is ActionKind.GIVE_UP
    assert planned(ROW, DEAD, exits=(NOW - 900, NOW - 800, NOW - 1)) is ActionKind.RESTART


def test_hosts_start_in_order_of_arrival_within_capacity_and_slots() -> None:
    rows = [
        replace(ROW, group=group, host="", stage=HostStage.QUEUED, since=since)
        for group, since in (("s-1", 30.0), ("s-2", 10.0), ("s-3", 20.0))
    ]

    def started(capacity: int, slots: int) -> list[str]:
        return [one.group for one in plan_actions(rows, {}, (), {}, NOW, capacity=capacity, slots=slots)]

    assert started(5, 2) == ["s-2", "s-3"]
    assert started(1, 2) == ["s-2"]
    assert started(5, 0) == []
    assert started(-1, 2) == []
    assert [queue_position(row.group, rows) for row in rows] == [3, 1, 2]
    assert queue_position("nobody", rows) == 0


def test_restarts_come_before_new_hosts_and_take_a_slot() -> None:
    rows = [ROW, replace(ROW, group="s-2", host="", stage=HostStage.QUEUED)]
    assert plan_actions(rows, DEAD, (), {}, NOW, capacity=5, slots=1) == (HostAction("s-1", ActionKind.RESTART),)
    assert [one.kind for one in plan_actions(rows, DEAD, (), {}, NOW, capacity=5, slots=2)] == [
        ActionKind.RESTART,
        ActionKind.START,
    ]


def test_the_reason_for_stopping_a_host_is_described() -> None:
    def reason(**changes: object) -> str:
        row = replace(ROW, **changes)  # type: ignore[arg-type]
        real = {"abc": ObservedHost(running=True, started=NOW - 7200)}
        return plan_actions([row], real, (), {}, NOW, capacity=1, slots=1)[0].reason

    assert "after 1 hour, the time limit" in reason()
    assert "after 10 minutes without use" in reason(ttl_s=0.0, used_at=NOW - 601)
    assert reason(over=True) == "The session is over, or its code has expired."
    assert format_duration(5400) == "1.5 hours"


@pytest.mark.parametrize(
    ("changes", "started", "expected"),
    [
        ({"ttl_s": 60.0, "idle_s": 0.0}, 60.0, None),
        ({"ttl_s": 60.0, "idle_s": 0.0}, 61.0, ActionKind.STOP),
        ({"ttl_s": 0.0, "idle_s": 60.0, "used_at": NOW - 60}, 100.0, None),
        ({"ttl_s": 0.0, "idle_s": 60.0, "used_at": NOW - 61}, 100.0, ActionKind.STOP),
        ({"ttl_s": 0.0, "idle_s": 60.0, "used_at": NOW - 61}, 60.0, None),
    ],
)
def test_a_host_is_stopped_only_after_its_time_limit(
    changes: dict[str, object], started: float, expected: ActionKind | None
) -> None:
    real = {"abc": ObservedHost(running=True, started=NOW - started)}
    assert planned(replace(ROW, **changes), real) == expected  # type: ignore[arg-type]


def test_engine_exits_of_the_last_two_minutes_count() -> None:
    assert planned(ROW, DEAD, exits=(NOW - 120, NOW - 2, NOW - 1)) is ActionKind.GIVE_UP
    assert planned(ROW, DEAD, exits=(NOW - 120.5, NOW - 2, NOW - 1)) is ActionKind.RESTART
    (action,) = plan_actions([ROW], DEAD, (), {"s-1": (NOW, NOW, NOW, NOW)}, NOW, capacity=1, slots=0)
    assert action.kind is ActionKind.GIVE_UP
    assert "4 times within 2 minutes" in action.reason
    (again,) = plan_actions([ROW], DEAD, (), {"s-2": (NOW,) * 3}, NOW, capacity=1, slots=1)
    assert (again.kind, again.reason) == (ActionKind.RESTART, "")


def test_no_more_engines_restart_than_there_are_slots() -> None:
    rows = [replace(ROW, group=group) for group in ("s-1", "s-2", "s-3")]

    def restarted(slots: int) -> list[str]:
        return [one.group for one in plan_actions(rows, DEAD, (), {}, NOW, capacity=5, slots=slots)]

    assert [restarted(slots) for slots in (-1, 0, 2)] == [[], [], ["s-1", "s-2"]]


def test_a_busy_group_does_not_delay_the_others() -> None:
    rows = [replace(ROW, over=True), replace(ROW, group="s-2", over=True)]
    assert [one.group for one in plan_actions(rows, RUNS, {"s-1"}, {}, NOW, capacity=5, slots=2)] == ["s-2"]
    failed = replace(ROW, stage=HostStage.FAILED)
    assert [one.group for one in plan_actions([failed, rows[1]], RUNS, (), {}, NOW, capacity=5, slots=2)] == ["s-2"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(60, "1 minute"), (90, "1.5 minutes"), (3599, "60 minutes"), (3600, "1 hour"), (14_400, "4 hours")],
)
def test_a_time_is_described_in_hours_or_minutes(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    "changes",
    [{"stage": HostStage.STARTING}, {"desired": DesiredState.STOPPED}, {"desired": DesiredState.RESET}, {"over": True}],
)
def test_only_waiting_groups_have_a_queue_position(changes: dict[str, object]) -> None:
    waiting = replace(ROW, stage=HostStage.QUEUED)
    other = replace(waiting, group="s-2", since=waiting.since - 10, **changes)  # type: ignore[arg-type]
    assert [queue_position(group, [waiting, other]) for group in ("s-1", "s-2")] == [1, 0]


def test_a_host_on_a_machine_that_does_not_respond_is_unreachable() -> None:
    stage, sentence = shown_state(HostStage.READY, "", "attic", {"attic"})
    assert stage is HostStage.UNREACHABLE
    assert "“attic”" in sentence
    assert "server's own" in shown_state(HostStage.STARTING, "", "", {""})[1]
    assert shown_state(HostStage.READY, "Moved.", "attic", {"barn", ""}) == (HostStage.READY, "Moved.")
    for stage in (HostStage.STOPPED, HostStage.UNPLACED):
        assert shown_state(stage, "Idle.", "", {""}) == (stage, "Idle.")


def test_a_failed_host_can_be_started_only_with_its_files() -> None:
    assert can_start(HostStage.STOPPED, "")
    assert can_start(HostStage.FAILED, "abc")
    assert not can_start(HostStage.FAILED, "")
    assert not can_start(HostStage.READY, "abc")
