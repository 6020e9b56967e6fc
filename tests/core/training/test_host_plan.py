"""Wanted against real: what is done about the hosts of classes, case by case."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.core.training.capacity import HostLimits
from dashboard.core.training.host_plan import (
    Act,
    Deed,
    HostStage,
    Real,
    Wanted,
    Wish,
    deeds,
    hours_or_minutes,
    place_of,
)

NOW = 10_000.0
ROW = Wanted("s-1", Wish.RUNNING, HostStage.READY, "abc", NOW - 50, NOW - 10, 3600, 600, False, HostLimits())
RUNS = {"abc": Real(running=True, started=NOW - 50)}
DEAD = {"abc": Real(running=False, started=NOW - 50)}


def act(
    row: Wanted, real: dict[str, Real], *, deaths: tuple[float, ...] = (), room: int = 5, slots: int = 2
) -> Act | None:
    found = deeds([row], real, (), {row.group: deaths}, NOW, room=room, slots=slots)
    return found[0].act if found else None


@pytest.mark.parametrize(
    ("changes", "real", "expected"),
    [
        ({}, RUNS, None),
        ({}, DEAD, Act.AGAIN),
        ({}, {}, Act.START),
        ({"stage": HostStage.STARTING}, RUNS, Act.ADOPT),
        ({"stage": HostStage.STARTING}, DEAD, Act.AGAIN),
        ({"stage": HostStage.STARTING}, {}, Act.START),
        ({"stage": HostStage.QUEUED, "host": ""}, RUNS, Act.START),
        ({"stage": HostStage.FAILED, "host": ""}, {}, None),
        ({"stage": HostStage.STOPPED, "host": ""}, {}, None),
        ({"wish": Wish.STOPPED}, RUNS, Act.STOP),
        ({"wish": Wish.STOPPED, "host": "", "stage": HostStage.STOPPED}, {}, None),
        ({"wish": Wish.STOPPED, "stage": HostStage.STOPPED}, {}, Act.STOP),
        ({"wish": Wish.STOPPED, "host": "", "stage": HostStage.QUEUED}, {}, Act.STOP),
        ({"wish": Wish.RESET}, RUNS, Act.RESET),
        ({"wish": Wish.RESET, "stage": HostStage.FAILED, "host": ""}, {}, Act.RESET),
        ({"wish": Wish.RESET, "over": True}, RUNS, Act.STOP),
        ({"over": True}, RUNS, Act.STOP),
        ({"over": True}, DEAD, Act.STOP),
        ({"used_at": NOW - 700}, {"abc": Real(running=True, started=NOW - 700)}, Act.STOP),
        ({"used_at": 0.0}, RUNS, None),
        ({"used_at": NOW - 700, "idle_s": 0.0}, RUNS, None),
        ({"ttl_s": 40.0}, RUNS, Act.STOP),
        ({"ttl_s": 0.0}, RUNS, None),
    ],
)
def test_what_is_done(changes: dict[str, object], real: dict[str, Real], expected: Act | None) -> None:
    assert act(replace(ROW, **changes), real) == expected  # type: ignore[arg-type]


def test_nothing_is_done_for_a_group_that_has_something_under_way() -> None:
    assert deeds([replace(ROW, over=True)], RUNS, {"s-1"}, {}, NOW, room=5, slots=2) == ()


def test_an_engine_that_dies_again_and_again_is_given_up() -> None:
    assert act(ROW, DEAD, deaths=(NOW - 3, NOW - 2)) is Act.AGAIN
    assert act(ROW, DEAD, deaths=(NOW - 3, NOW - 2, NOW - 1)) is Act.GIVE_UP
    assert act(ROW, DEAD, deaths=(NOW - 900, NOW - 800, NOW - 1)) is Act.AGAIN


def test_first_come_first_served_as_far_as_there_is_room_and_a_free_slot() -> None:
    rows = [
        replace(ROW, group=group, host="", stage=HostStage.QUEUED, since=since)
        for group, since in (("s-1", 30.0), ("s-2", 10.0), ("s-3", 20.0))
    ]

    def started(room: int, slots: int) -> list[str]:
        return [one.group for one in deeds(rows, {}, (), {}, NOW, room=room, slots=slots)]

    assert started(5, 2) == ["s-2", "s-3"]
    assert started(1, 2) == ["s-2"]
    assert started(5, 0) == []
    assert started(-1, 2) == []
    assert [place_of(row.group, rows) for row in rows] == [3, 1, 2]
    assert place_of("nobody", rows) == 0


def test_engines_that_ended_come_before_new_hosts_and_take_a_slot_too() -> None:
    rows = [ROW, replace(ROW, group="s-2", host="", stage=HostStage.QUEUED)]
    assert deeds(rows, DEAD, (), {}, NOW, room=5, slots=1) == (Deed("s-1", Act.AGAIN),)
    assert [one.act for one in deeds(rows, DEAD, (), {}, NOW, room=5, slots=2)] == [Act.AGAIN, Act.START]


def test_people_are_told_why_a_host_was_stopped() -> None:
    def reason(**changes: object) -> str:
        row = replace(ROW, **changes)  # type: ignore[arg-type]
        real = {"abc": Real(running=True, started=NOW - 7200)}
        return deeds([row], real, (), {}, NOW, room=1, slots=1)[0].reason

    assert "after 1 hour," in reason()
    assert "nobody used it for 10 minutes" in reason(ttl_s=0.0, used_at=NOW - 601)
    assert reason(over=True) == "The session is over."
    assert hours_or_minutes(5400) == "1.5 hours"


@pytest.mark.parametrize(
    ("changes", "started", "expected"),
    [
        ({"ttl_s": 60.0, "idle_s": 0.0}, 60.0, None),
        ({"ttl_s": 60.0, "idle_s": 0.0}, 61.0, Act.STOP),
        ({"ttl_s": 0.0, "idle_s": 60.0, "used_at": NOW - 60}, 100.0, None),
        ({"ttl_s": 0.0, "idle_s": 60.0, "used_at": NOW - 61}, 100.0, Act.STOP),
        ({"ttl_s": 0.0, "idle_s": 60.0, "used_at": NOW - 61}, 60.0, None),
    ],
)
def test_a_host_is_stopped_only_after_its_time_has_passed(
    changes: dict[str, object], started: float, expected: Act | None
) -> None:
    real = {"abc": Real(running=True, started=NOW - started)}
    assert act(replace(ROW, **changes), real) == expected  # type: ignore[arg-type]


def test_deaths_of_the_last_two_minutes_count() -> None:
    assert act(ROW, DEAD, deaths=(NOW - 120, NOW - 2, NOW - 1)) is Act.GIVE_UP
    assert act(ROW, DEAD, deaths=(NOW - 120.5, NOW - 2, NOW - 1)) is Act.AGAIN
    (deed,) = deeds([ROW], DEAD, (), {"s-1": (NOW, NOW, NOW, NOW)}, NOW, room=1, slots=0)
    assert deed.act is Act.GIVE_UP
    assert "4 times within 2 minutes" in deed.reason
    (again,) = deeds([ROW], DEAD, (), {"s-2": (NOW,) * 3}, NOW, room=1, slots=1)
    assert (again.act, again.reason) == (Act.AGAIN, "")


def test_no_more_engines_start_again_than_there_are_slots() -> None:
    rows = [replace(ROW, group=group) for group in ("s-1", "s-2", "s-3")]

    def restarted(slots: int) -> list[str]:
        return [one.group for one in deeds(rows, DEAD, (), {}, NOW, room=5, slots=slots)]

    assert [restarted(slots) for slots in (-1, 0, 2)] == [[], [], ["s-1", "s-2"]]


def test_a_group_that_has_something_under_way_does_not_hold_up_the_others() -> None:
    rows = [replace(ROW, over=True), replace(ROW, group="s-2", over=True)]
    assert [one.group for one in deeds(rows, RUNS, {"s-1"}, {}, NOW, room=5, slots=2)] == ["s-2"]
    failed = replace(ROW, stage=HostStage.FAILED)
    assert [one.group for one in deeds([failed, rows[1]], RUNS, (), {}, NOW, room=5, slots=2)] == ["s-2"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(60, "1 minute"), (90, "1.5 minutes"), (3599, "60 minutes"), (3600, "1 hour"), (14_400, "4 hours")],
)
def test_a_time_is_described_in_hours_or_minutes(seconds: float, text: str) -> None:
    assert hours_or_minutes(seconds) == text


@pytest.mark.parametrize(
    "changes", [{"stage": HostStage.STARTING}, {"wish": Wish.STOPPED}, {"wish": Wish.RESET}, {"over": True}]
)
def test_only_groups_that_wait_have_a_place_in_the_queue(changes: dict[str, object]) -> None:
    waiting = replace(ROW, stage=HostStage.QUEUED)
    other = replace(waiting, group="s-2", since=waiting.since - 10, **changes)  # type: ignore[arg-type]
    assert [place_of(group, [waiting, other]) for group in ("s-1", "s-2")] == [1, 0]
