"""Who may have a terminal, how large it is, how much may go through it, when it ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.terminal.limits import (
    COLS,
    DETACHED_S,
    IDLE_S,
    ROWS,
    USUAL,
    Bucket,
    Rate,
    agreed,
    end_words,
    why_ends,
    why_not,
)

MAY = {"terminal": True, "hosts": True, "over": False, "admitted": True, "removed": False}


@pytest.mark.parametrize(
    ("but", "words"),
    [
        ({}, ""),
        ({"terminal": False}, "has no terminals"),
        ({"hosts": False}, "has no terminals"),
        ({"over": True}, "is over"),
        ({"admitted": False}, "not let you in"),
        ({"removed": True}, "no participant"),
        ({"removed": True, "over": True, "terminal": False}, "no participant"),
    ],
)
def test_only_an_admitted_participant_of_an_open_session_with_terminals_has_one(
    but: dict[str, bool], words: str
) -> None:
    said = why_not(**{**MAY, **but})
    assert words in said
    assert bool(said) is bool(words)


def test_windows_agree_on_what_fits_into_each_of_them() -> None:
    assert agreed([]) == USUAL
    assert agreed([(120, 40), (90, 50)]) == (90, 40)
    assert agreed([(1, 10_000)]) == (COLS[0], ROWS[1])


@pytest.mark.parametrize(
    ("tabs", "seen", "typed", "words"),
    [
        (1, 0, 0, ""),
        (0, DETACHED_S, 0, ""),
        (0, DETACHED_S + 1, 0, "nobody looked at it for 15 minutes"),
        (1, DETACHED_S + 1, 0, ""),
        (1, 0, IDLE_S + 1, "nothing was typed for 45 minutes"),
    ],
)
def test_a_shell_ends_where_nobody_looks_or_types(tabs: int, seen: float, typed: float, words: str) -> None:
    said = why_ends(tabs=tabs, seen_at=1e6 - seen, typed_at=1e6 - typed, now=1e6)
    assert words in said
    assert bool(said) is bool(words)


def test_how_a_shell_ended_is_said() -> None:
    assert [end_words(one) for one in (0, 3, None)] == [
        "It has ended.",
        "It has ended with status 3.",
        "It was killed.",
    ]


@given(st.lists(st.tuples(st.floats(0, 1000), st.floats(0, 100)), max_size=60))
def test_whoever_waits_as_told_stays_below_the_rate(steps: list[tuple[float, float]]) -> None:
    bucket, now, passed = Bucket(Rate(500, 50)), 100.0, 0.0
    for amount, pause in steps:
        now += pause + bucket.take(amount, now)
        passed += amount
        assert passed <= 500 + 50 * (now - 100.0) + 1e-6


def test_a_clock_that_goes_back_gives_nothing() -> None:
    bucket = Bucket(Rate(10, 1))
    assert bucket.take(10, 100.0) == 0.0
    assert bucket.take(1, 50.0) == 1.0
