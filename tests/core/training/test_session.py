"""A class: its door, its groups, who is there, and who needs help."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.training.session import (
    GRACE_S,
    STUCK_S,
    Door,
    Need,
    door,
    group_for,
    in_order,
    is_present,
    line_of,
    name_of,
    text_of,
)
from dashboard.core.workshops.progress import StepRecord
from tests.core.workshops.test_progress import DONE, WORKSHOP


@pytest.mark.parametrize(
    ("closed_at", "expires_at", "shut", "found"),
    [
        (0.0, 200.0, False, Door.OPEN),
        (0.0, 200.0, True, Door.SHUT),
        (0.0, 100.0, True, Door.EXPIRED),
        (50.0, 200.0, False, Door.CLOSED),
    ],
)
def test_where_the_door_stands(closed_at: float, expires_at: float, shut: bool, found: Door) -> None:
    assert door(closed_at, expires_at, 100.0, shut=shut) is found


@pytest.mark.parametrize(("typed", "name"), [("  Ada   Lovelace ", "Ada Lovelace"), ("<b>", "<b>"), ("雪", "雪")])
def test_names_are_what_people_type(typed: str, name: str) -> None:
    assert name_of(typed) == name


@pytest.mark.parametrize("typed", ["", "   ", "x" * 41, "a\x00b", "\u202eabc"])
def test_what_is_no_name_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match="name"):
        name_of(typed)


def test_what_people_write_is_one_bounded_line() -> None:
    assert text_of(" a\n b\x1b[31m ") == "a b [31m"
    for typed in ("", " \n", "x" * 501):
        with pytest.raises(ValueError, match="Write"):
            text_of(typed)


@given(st.integers(1, 6), st.integers(0, 40))
def test_groups_are_filled_one_after_the_other(size: int, people: int) -> None:
    groups: list[int] = []
    for _ in range(people):
        groups.append(group_for(groups, size))
    assert groups == sorted(groups)
    assert all(groups.count(one) <= size for one in groups)
    assert len(set(groups)) == -(-people // size)
    if groups:
        left = groups.pop(0)
        assert group_for(groups, size) == left, "a free place is taken first"


def test_a_phone_that_is_put_down_for_a_moment_stays() -> None:
    assert is_present(1, 0.0, 100.0)
    assert is_present(0, 100.0 - GRACE_S, 100.0)
    assert not is_present(0, 99.0 - GRACE_S, 100.0)
    assert not is_present(0, 0.0, 5.0), "who has never been there"


OPENED = StepRecord(opened_at=10.0)


@pytest.mark.parametrize(
    ("records", "now", "hand", "needs", "waits_s"),
    [
        ({}, 10_000.0, 0.0, (), 0.0),
        ({"a": OPENED}, 10.0 + STUCK_S - 1, 0.0, (), 0.0),
        ({"a": OPENED}, 10.0 + STUCK_S, 0.0, (Need.SLOW,), STUCK_S),
        ({"a": StepRecord(opened_at=10.0, attempts=1)}, 20.0, 0.0, (), 0.0),
        ({"a": StepRecord(opened_at=10.0, attempts=2)}, 20.0, 0.0, (Need.FAILS,), 10.0),
        ({"a": StepRecord(opened_at=10.0, attempts=5, passed_at=15.0)}, 9000.0, 0.0, (), 0.0),
        ({"a": DONE}, 9000.0, 8990.0, (Need.HAND,), 10.0),
    ],
)
def test_who_needs_help(
    records: dict[str, StepRecord], now: float, hand: float, needs: tuple[Need, ...], waits_s: float
) -> None:
    line = line_of(WORKSHOP, records, now, hand_raised_at=hand)
    assert line.needs == needs
    assert line.waits_s == pytest.approx(waits_s)


def test_only_the_newest_step_is_slow_where_all_are_open() -> None:
    records = {"a": StepRecord(opened_at=1.0), "b": StepRecord(opened_at=1000.0)}
    line = line_of(WORKSHOP, records, 1010.0, until=2, free=True)
    assert line.needs == ()
    assert [str(one.stage) for one in line.cells] == ["run", "predict", "locked"]
    assert (line.at, line.done) == (1, 0)


def test_raised_hands_come_first_then_who_has_waited_longest() -> None:
    hand = line_of(WORKSHOP, {}, 100.0, hand_raised_at=99.0)
    older = line_of(WORKSHOP, {}, 100.0, hand_raised_at=90.0)
    slow = line_of(WORKSHOP, {"a": StepRecord(opened_at=1.0)}, 2000.0)
    fine = line_of(WORKSHOP, {}, 100.0)
    assert in_order({"hand": hand, "slow": slow, "fine": fine, "older": older}) == ("older", "hand", "slow")
