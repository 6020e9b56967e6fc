"""The latest output of a terminal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.terminal.scrollback import LINE_SEARCH_BYTES, Scrollback


@given(st.lists(st.binary(max_size=60), max_size=60), st.integers(8, 200), st.integers(1, 50))
def test_consecutive_reads_return_all_output_or_the_offset_where_it_continues(
    printed: list[bytes], size: int, at_once: int
) -> None:
    back, said, offset, everything = Scrollback(size), b"", 0, b""
    for data in printed:
        back.append(data)
        everything += data
        assert len(everything) == back.end
        assert back.end - back.start <= size + size // 4
        begin, part = back.read(offset, at_once)
        assert part == everything[begin : begin + len(part)]
        assert begin == max(offset, back.start)
        said += part
        offset = begin + len(part)
    rest = b""
    while (found := back.read(offset, at_once))[1]:
        rest += found[1]
        offset = found[0] + len(found[1])
    assert offset == back.end
    assert everything.endswith(rest)


def test_the_rest_begins_with_a_line_or_at_least_with_a_character() -> None:
    back = Scrollback(100)
    for number in range(40):
        back.append(f"line {number}\n".encode())
    assert back.read(0, 1000)[1].startswith(b"line ")
    back = Scrollback(20)
    back.append("é".encode() * 30 + b"x")
    assert back.read(0, 1000)[1].decode().strip("é") == "x"


def test_an_offset_in_the_future_returns_no_bytes() -> None:
    back = Scrollback(100)
    back.append(b"abc")
    assert back.read(50, 10) == (3, b"")


def test_output_is_cut_when_a_quarter_more_than_the_size_was_appended() -> None:
    back = Scrollback(8)
    back.append(b"0123456789")
    assert (back.start, back.end) == (0, 10)
    back.append(b"a")
    assert (back.start, back.end, back.read(0, 100)) == (3, 11, (3, b"3456789a"))


def test_output_is_cut_after_the_next_line_within_the_search_distance() -> None:
    back = Scrollback(8)
    back.append(b"0123\n56789a")
    assert back.read(0, 100) == (5, b"56789a")
    far = Scrollback(10_000)
    far.append(b"x" * (2501 + LINE_SEARCH_BYTES) + b"\n" + b"y" * (9999 - LINE_SEARCH_BYTES))
    assert far.start == 2501
    near = Scrollback(10_000)
    near.append(b"x" * (2500 + LINE_SEARCH_BYTES) + b"\n" + b"y" * (10_000 - LINE_SEARCH_BYTES))
    assert near.start == 2501 + LINE_SEARCH_BYTES


def test_bytes_that_are_not_text_are_cut_at_the_exact_size() -> None:
    back = Scrollback(8)
    back.append(b"\x80" * 20)
    assert (back.start, back.end) == (12, 20)
    letters = Scrollback(8)
    letters.append("a漢漢漢漢".encode())
    assert letters.read(0, 100) == (7, "漢漢".encode())


def test_cut_output_is_not_returned() -> None:
    back = Scrollback(8)
    back.append(b"0123456789abcdef")
    assert back.read(-5, 3) == (8, b"89a")
    assert back.read(9, 100) == (9, b"9abcdef")
    assert back.read(16, 5) == (16, b"")
