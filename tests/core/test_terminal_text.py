"""A recording, read without a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.terminal_text import LEFT_OUT, LONGEST_LINE, plain_text, size_mark, width_after


@pytest.mark.parametrize(
    ("shown", "read"),
    [
        (b"", ""),
        (b"docker ps\r\nCONTAINER ID\r\n", "docker ps\nCONTAINER ID\n"),
        (b"\x1b[1mbold\x1b[0m \x1b[38;2;1;2;3mred\x1b[m", "bold red\n"),
        (b"\x1b]0;a title\x07$ \x1b]2;another\x1b\\ls", "$ ls\n"),
        (b"lx\b \bs", "ls\n"),  # a key that was taken back
        (b"10 %\r20 %\r100 %\n", "100 %\n"),
        (b"abcdef\b\b\b\x1b[K", "abc\n"),
        (b"abc\x1b[2D\x1b[P", "ac\n"),
        (b"ac\x1b[D\x1b[@b", "abc\n"),
        (b"abcdef\x1b[2Gx\x1b[5G\x1b[X", "axcd f\n"),
        (b"a\tb", "a       b\n"),
        ("grün 漢字".encode(), "grün 漢字\n"),
        (b"bad \xff\xc3", "bad \ufffd\ufffd\n"),
        (b"$ vim x\r\n\x1b[?1049hhello\x1b[H\x1b[2Jworld\r\n\x1b[?1049l$ ", f"$ vim x\n{LEFT_OUT}\n$\n"),
        (b"a\x00\x07\x1b7b\x1b(Bc\x1b=d", "abcd\n"),
        (b"\x1b[?2004h$ \x1b[?2004l\r", "$\n"),
        (b"cut \x1b[3", "cut 3\n"),
        # In a window of ten a shell's line goes on in the next row: a blank, and back to that row's beginning.
        (b"\x1b[8;24;10t$ 12345678 \r90\b\b\x1b[Kx", "$ 12345678x\n"),
        (b"\x1b[8;24;10t$ 12345678 \r90\x1b[A\rX", "X 1234567890\n"),
        (b"\x1b[8;24;10t0123456789\r\nab", "0123456789\nab\n"),
    ],
)
def test_lines_read_as_they_were_seen(shown: bytes, read: str) -> None:
    assert plain_text(shown) == read


@given(
    st.lists(
        st.sampled_from(
            [b"\x1b[", b"\x1b]", b"\x1b", b"9999999999", b"C", b"@", b"P", b"K", b"X", b"\b", b"a\n", b"\xff", b"\t"]
        )
    )
)
def test_whatever_was_shown_lines_stay_short_and_hold_nothing_that_acts(parts: list[bytes]) -> None:
    text = plain_text(b"".join(parts))
    assert all(len(line) <= LONGEST_LINE for line in text.splitlines())
    assert "\x1b" not in text
    assert all(one.isprintable() or one == "\n" for one in text)


def test_a_size_is_marked_and_found_again() -> None:
    assert width_after(b"x" + size_mark(80, 24) + b"y" + size_mark(100, 30), 0) == 100
    assert width_after(b"nothing", 80) == 80
    assert plain_text(size_mark(80, 24)) == ""
