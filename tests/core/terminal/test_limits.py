"""Who may have a terminal, its size, and when it ends."""

from __future__ import annotations

import pytest

from dashboard.core.terminal.limits import (
    CHUNK_BYTES,
    COLS,
    DEFAULT_SIZE,
    DETACHED_S,
    IDLE_S,
    MAX_WINDOWS,
    MESSAGES,
    NO_TERMINAL,
    PRINTED,
    RECORD_BYTES,
    RECORD_PIECES,
    ROWS,
    SCROLLBACK_BYTES,
    TYPED,
    TYPED_BYTES,
    TYPED_WINDOW_BYTES,
    WINDOW_BYTES,
    clamp_size,
    common_size,
    describe_exit,
    end_reason,
    refuse_terminal,
)

MAY = {"terminal": True, "hosts": True, "over": False, "admitted": True, "removed": False}


@pytest.mark.parametrize(
    ("but", "words"),
    [
        ({}, ""),
        ({"terminal": False}, "has no terminals"),
        ({"hosts": False}, "has no terminals"),
        ({"over": True}, "is over"),
        ({"admitted": False}, "not admitted you"),
        ({"removed": True}, "no longer a participant"),
        ({"removed": True, "over": True, "terminal": False}, "no longer a participant"),
    ],
)
def test_only_an_admitted_participant_of_an_open_session_with_terminals_has_one(
    but: dict[str, bool], words: str
) -> None:
    reason = refuse_terminal(**{**MAY, **but})
    assert words in (reason or "")
    assert bool(reason) is bool(words)


def test_the_common_size_fits_into_every_window() -> None:
    assert common_size([]) == DEFAULT_SIZE
    assert common_size([(120, 40), (90, 50)]) == (90, 40)
    assert common_size([(1, 10_000)]) == (COLS[0], ROWS[1])


@pytest.mark.parametrize(
    ("windows", "seen", "typed", "words"),
    [
        (1, 0, 0, ""),
        (0, DETACHED_S, 0, ""),
        (0, DETACHED_S + 1, 0, "after 15 minutes without an open window"),
        (1, DETACHED_S + 1, 0, ""),
        (1, 0, IDLE_S + 1, "after 45 minutes without input"),
    ],
)
def test_a_shell_ends_without_a_window_or_without_input(windows: int, seen: float, typed: float, words: str) -> None:
    reason = end_reason(windows=windows, seen_at=1e6 - seen, typed_at=1e6 - typed, now=1e6)
    assert words in (reason or "")
    assert bool(reason) is bool(words)


def test_the_exit_of_a_shell_is_described() -> None:
    assert [describe_exit(one) for one in (0, 3, None)] == [
        "The shell has ended.",
        "The shell has ended with status 3.",
        "The shell was killed.",
    ]


def test_a_terminal_that_no_longer_exists_cannot_be_started_again() -> None:
    assert (NO_TERMINAL.again, NO_TERMINAL.offset, NO_TERMINAL.end, NO_TERMINAL.data) == (False, 0, 0, b"")
    assert bool(NO_TERMINAL.ended)
    assert (NO_TERMINAL.cols, NO_TERMINAL.rows) == DEFAULT_SIZE


def test_buffers_hold_several_pieces_each() -> None:
    """A piece larger than the window of the next buffer would never be sent."""
    assert SCROLLBACK_BYTES >= WINDOW_BYTES >= 4 * CHUNK_BYTES >= 4096
    assert TYPED_WINDOW_BYTES >= 4 * TYPED_BYTES >= 4096
    assert RECORD_BYTES > 2 * RECORD_PIECES
    bursts = {TYPED: TYPED_WINDOW_BYTES, PRINTED: WINDOW_BYTES, MESSAGES: 10 * MAX_WINDOWS}
    for rate, least in bursts.items():
        assert rate.burst >= least
        assert 1 <= rate.burst / rate.per_s <= 4, "a bucket is full again within seconds"


def test_a_shell_ends_only_after_its_whole_time() -> None:
    assert end_reason(windows=1, seen_at=0.0, typed_at=0.0, now=IDLE_S) is None
    assert end_reason(windows=0, seen_at=0.0, typed_at=0.0, now=DETACHED_S) is None
    assert end_reason(windows=0, seen_at=0.0, typed_at=0.0, now=DETACHED_S + 0.1)


@pytest.mark.parametrize(
    ("asked", "size"), [((19, 4), (20, 5)), ((20, 5), (20, 5)), ((400, 200), (400, 200)), ((401, 201), (400, 200))]
)
def test_a_size_is_limited_at_both_ends(asked: tuple[int, int], size: tuple[int, int]) -> None:
    assert clamp_size(*asked) == size
