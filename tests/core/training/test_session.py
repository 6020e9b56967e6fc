"""A session: joining, groups, presence, and participants who need help."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.training.session import (
    GRACE_S,
    STUCK_S,
    HelpReason,
    JoinStatus,
    by_urgency,
    group_key,
    is_present,
    join_status,
    next_group,
    number_of_group,
    parse_name,
    parse_text,
    progress_row,
    session_of_group,
)
from dashboard.core.workshops.progress import StepRecord
from tests.core.workshops.test_progress import DONE, WORKSHOP


@pytest.mark.parametrize(
    ("closed_at", "expires_at", "admission", "found"),
    [
        (0.0, 200.0, False, JoinStatus.OPEN),
        (0.0, 200.0, True, JoinStatus.ADMISSION),
        (0.0, 100.0, True, JoinStatus.EXPIRED),
        (50.0, 200.0, False, JoinStatus.CLOSED),
    ],
)
def test_the_join_status_follows_from_the_session(
    closed_at: float, expires_at: float, admission: bool, found: JoinStatus
) -> None:
    assert join_status(closed_at, expires_at, 100.0, admission_required=admission) is found


@pytest.mark.parametrize(("typed", "name"), [("  Ada   Lovelace ", "Ada Lovelace"), ("<b>", "<b>"), ("雪", "雪")])
def test_names_are_stored_without_extra_blanks(typed: str, name: str) -> None:
    assert parse_name(typed) == name


@pytest.mark.parametrize("typed", ["", "   ", "x" * 41, "a\x00b", "\u202eabc"])
def test_an_invalid_name_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match="name"):
        parse_name(typed)


def test_a_text_is_one_line_of_limited_length() -> None:
    assert parse_text(" a\n b\x1b[31m ") == "a b [31m"
    for typed in ("", " \n", "x" * 501):
        with pytest.raises(ValueError, match="Write"):
            parse_text(typed)


@given(st.integers(1, 6), st.integers(0, 40))
def test_groups_are_filled_one_after_the_other(size: int, people: int) -> None:
    groups: list[int] = []
    for _ in range(people):
        groups.append(next_group(groups, size))
    assert groups == sorted(groups)
    assert all(groups.count(one) <= size for one in groups)
    assert len(set(groups)) == -(-people // size)
    if groups:
        left = groups.pop(0)
        assert next_group(groups, size) == left, "a free place is taken first"


def test_the_number_of_a_group_without_members_is_not_reused() -> None:
    assert next_group([1, 3], 1, past={1, 2, 3}) == 4
    assert next_group([], 1, past={1}) == 2
    assert next_group([1, 3], 2, past={1, 2, 3}) == 1, "a team with a free place has members"


def test_a_participant_stays_present_during_a_short_absence() -> None:
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
        ({"a": OPENED}, 10.0 + STUCK_S, 0.0, (HelpReason.SLOW,), STUCK_S),
        ({"a": StepRecord(opened_at=10.0, attempts=1)}, 20.0, 0.0, (), 0.0),
        ({"a": StepRecord(opened_at=10.0, attempts=2)}, 20.0, 0.0, (HelpReason.FAILS,), 10.0),
        ({"a": StepRecord(opened_at=10.0, attempts=5, passed_at=15.0)}, 9000.0, 0.0, (), 0.0),
        ({"a": DONE}, 9000.0, 8990.0, (HelpReason.HAND,), 10.0),
    ],
)
def test_participants_who_need_help_have_a_reason(
    records: dict[str, StepRecord], now: float, hand: float, needs: tuple[HelpReason, ...], waits_s: float
) -> None:
    row = progress_row(WORKSHOP, records, now, hand_raised_at=hand)
    assert row.needs == needs
    assert row.waits_s == pytest.approx(waits_s)


def test_only_the_newest_step_is_slow_where_all_are_open() -> None:
    records = {"a": StepRecord(opened_at=1.0), "b": StepRecord(opened_at=1000.0)}
    row = progress_row(WORKSHOP, records, 1010.0, until=2, free=True)
    assert row.needs == ()
    assert [str(one.stage) for one in row.cells] == ["run", "predict", "locked"]
    assert (row.current, row.done) == (1, 0)


def test_an_earlier_step_that_was_left_undone_is_not_slow() -> None:
    records = {"a": StepRecord(opened_at=1.0), "b": StepRecord(opened_at=2.0, passed_at=3.0)}
    row = progress_row(WORKSHOP, records, 1.0 + 2 * STUCK_S, until=2, free=True)
    assert [str(one.stage) for one in row.cells[:2]] == ["run", "done"]
    assert row.needs == ()


def test_raised_hands_come_first_and_then_the_longest_wait() -> None:
    hand = progress_row(WORKSHOP, {}, 100.0, hand_raised_at=99.0)
    older = progress_row(WORKSHOP, {}, 100.0, hand_raised_at=90.0)
    slow = progress_row(WORKSHOP, {"a": StepRecord(opened_at=1.0)}, 2000.0)
    fine = progress_row(WORKSHOP, {}, 100.0)
    assert by_urgency({"hand": hand, "slow": slow, "fine": fine, "older": older}) == ("older", "hand", "slow")


def test_a_failing_check_is_shown_until_the_step_is_done() -> None:
    failed = StepRecord(opened_at=10.0, attempts=1, failing="port 80 is closed")
    row = progress_row(WORKSHOP, {"a": failed}, 20.0)
    assert (row.cells[0].failing, row.cells[0].attempts, row.cells[0].predicted) == ("port 80 is closed", 1, False)
    done = StepRecord(opened_at=10.0, attempts=1, failing="port 80 is closed", passed_at=15.0, prediction=0)
    row = progress_row(WORKSHOP, {"a": done}, 20.0)
    assert (row.cells[0].failing, row.cells[0].seconds, row.cells[0].predicted, row.done) == ("", 5.0, True, 1)


def test_only_open_steps_need_help_and_the_longest_wait_counts() -> None:
    records = {"a": StepRecord(opened_at=10.0, attempts=2), "b": StepRecord(opened_at=100.0, attempts=3)}
    row = progress_row(WORKSHOP, records, 150.0, hand_raised_at=140.0, until=2, free=True)
    assert row.needs == (HelpReason.HAND, HelpReason.FAILS)
    assert row.waits_s == 140.0
    assert row.current == 1
    assert progress_row(WORKSHOP, {}, 150.0).current == 0


def test_time_ends_with_the_session_and_then_nobody_needs_help() -> None:
    records = {"a": StepRecord(opened_at=10.0, attempts=2, failing="port 80 is closed")}
    row = progress_row(WORKSHOP, records, 90_000.0, hand_raised_at=20.0, closed_at=400.0)
    assert (row.needs, row.waits_s) == ((), 0.0)
    assert (row.cells[0].seconds, row.cells[0].attempts, row.cells[0].failing) == (390.0, 2, "port 80 is closed")


def test_a_session_expires_at_its_time() -> None:
    assert join_status(0.0, 100.0, 99.9, admission_required=False) is JoinStatus.OPEN
    assert join_status(0.0, 100.0, 100.0, admission_required=False) is JoinStatus.EXPIRED
    assert len(parse_name("x" * 40)) == 40
    assert len(parse_text("x" * 500)) == 500


def test_the_key_of_a_group_names_its_session_and_its_number() -> None:
    assert group_key("s-1", 12) == "s-1-12"
    assert (session_of_group("s-1-12"), number_of_group("s-1-12")) == ("s-1", 12)
