"""Terminal output as lines of text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.terminal.ansi_text import FULL_SCREEN, MAX_LINE, plain_text, size_mark, width_after


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
        (b"$ vim x\r\n\x1b[?1049hhello\x1b[H\x1b[2Jworld\r\n\x1b[?1049l$ ", f"$ vim x\n{FULL_SCREEN}\n$\n"),
        (b"a\x00\x07\x1b7b\x1b(Bc\x1b=d", "abcd\n"),
        (b"\x1b[?2004h$ \x1b[?2004l\r", "$\n"),
        (b"cut \x1b[3", "cut 3\n"),
        # In a window of ten a shell's line goes on in the next row: a blank, and back to that row's beginning.
        (b"\x1b[8;24;10t$ 12345678 \r90\b\b\x1b[Kx", "$ 12345678x\n"),
        (b"\x1b[8;24;10t$ 12345678 \r90\x1b[A\rX", "X 1234567890\n"),
        (b"\x1b[8;24;10t0123456789\r\nab", "0123456789\nab\n"),
    ],
)
def test_text_is_what_the_terminal_showed(shown: bytes, read: str) -> None:
    assert plain_text(shown) == read


@given(
    st.lists(
        st.sampled_from(
            [b"\x1b[", b"\x1b]", b"\x1b", b"9999999999", b"C", b"@", b"P", b"K", b"X", b"\b", b"a\n", b"\xff", b"\t"]
        )
    )
)
def test_any_output_becomes_bounded_lines_without_control_characters(parts: list[bytes]) -> None:
    text = plain_text(b"".join(parts))
    assert all(len(line) <= MAX_LINE for line in text.splitlines())
    assert "\x1b" not in text
    assert all(one.isprintable() or one == "\n" for one in text)


def test_a_size_mark_is_read_back() -> None:
    assert width_after(b"x" + size_mark(80, 24) + b"y" + size_mark(100, 30), 0) == 100
    assert width_after(b"nothing", 80) == 80
    assert plain_text(size_mark(80, 24)) == ""


@pytest.mark.parametrize(
    ("shown", "read"),
    [
        (b"abc\x1b[1D\x1b[Cx", "abcx\n"),
        (b"ab\x1b[3Cx", "ab   x\n"),
        (b"abc\x1b[9Dx", "xbc\n"),
        (b"abc\x1b[Gx", "xbc\n"),
        (b"abc\x1b[0Gx", "xbc\n"),
        (b"abc\x1b[2;5Gx", "axc\n"),
        (b"abcd\x1b[3G\x1b[0K", "ab\n"),
        (b"abcd\x1b[2G\x1b[1Kx", " xcd\n"),
        (b"ab\x1b[5G\x1b[1Kx", "    x\n"),
        (b"abcd\x1b[2G\x1b[2Kx", " x\n"),
        (b"abcd\x1b[2G\x1b[2P", "ad\n"),
        (b"ab\x1b[5G\x1b[2@x", "ab  x\n"),
        (b"abcd\x1b[2G\x1b[2X", "a  d\n"),
        (b"abcd\x1b[4G\x1b[5Xx", "abcx\n"),
        (b"abc\x1b[m\x1b[Dx", "abx\n"),
        (b"1234567\ta\tb", "1234567 a       b\n"),
        (b"12345678\ta", "12345678        a\n"),
        (b"abc\x1b[Ax", "abcx\n"),
        (b"one\n\ntwo", "one\n\ntwo\n"),
        (b"abc\x1b[12345Dx", "xbc\n"),
        (b"abc\x1b[123456Dx", "abx\n"),
    ],
)
def test_a_line_is_edited_as_a_terminal_edits_it(shown: bytes, read: str) -> None:
    assert plain_text(shown) == read


@pytest.mark.parametrize("mode", [b"47", b"1047", b"1049"])
def test_a_full_screen_program_is_shown_as_one_line(mode: bytes) -> None:
    shown = b"$ vi" + b"\x1b[?%sh" % mode + b"text\n\x1b[?%sh" % mode + b"more\x1b[Dx" + b"\x1b[?%sl" % mode + b"$ ls"
    assert plain_text(shown) == f"$ vi\n{FULL_SCREEN}\n$ ls\n"
    assert plain_text(b"\x1b[?%sh" % mode) == f"{FULL_SCREEN}\n"
    assert plain_text(b"a\x1b[?25h\x1b[?25lb") == "ab\n"


def test_a_long_line_wraps_at_the_width_of_the_window() -> None:
    ten = size_mark(10, 24)
    assert plain_text(ten + b"0123456789abcdefghijABC\x1b[A\rx") == "0123456789xbcdefghijABC\n"
    assert plain_text(ten + b"0123456789abcdefghijABC\x1b[2A\rx") == "x123456789abcdefghijABC\n"
    assert plain_text(ten + b"0123456789abcdefghijABC\x1b[5A\rx") == "x123456789abcdefghijABC\n"
    assert plain_text(ten + b"0123456789abc\b\b\b\bx") == "0123456789xbc\n"
    assert plain_text(ten + b"0123456789ab\tc") == "0123456789ab      c\n"
    assert plain_text(ten + b"0123456789ab\x1b[2Gx\x1b[Cy\x1b[2Dz") == "0123456789axzy\n"
    assert plain_text(b"0123456789abc\rx", 10) == "0123456789xbc\n"
    assert plain_text(b"0123456789abc\rx") == "x123456789abc\n"


def test_a_line_is_cut_at_its_maximum_length() -> None:
    assert plain_text(b"a" * (MAX_LINE + 5)) == "a" * MAX_LINE + "\n"
    assert plain_text(b"\x1b[99999Gxy") == " " * (MAX_LINE - 1) + "x\n"
    assert plain_text(b"\x1b[2000Gxy") == " " * (MAX_LINE - 1) + "x\n"
    assert plain_text(b"a" * MAX_LINE + b"\r\x1b[5@b") == "b    " + "a" * (MAX_LINE - 5) + "\n"
