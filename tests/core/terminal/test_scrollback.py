"""The last that a terminal has printed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dashboard.core.terminal.scrollback import Scrollback


@given(st.lists(st.binary(max_size=60), max_size=60), st.integers(8, 200), st.integers(1, 50))
def test_who_asks_on_and_on_gets_everything_or_is_told_where_it_goes_on(
    printed: list[bytes], most: int, at_once: int
) -> None:
    back, said, offset, everything = Scrollback(most), b"", 0, b""
    for data in printed:
        back.append(data)
        everything += data
        assert len(everything) == back.end
        assert back.end - back.start <= most + most // 4
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


def test_what_is_left_begins_with_a_line_or_at_least_with_a_letter() -> None:
    back = Scrollback(100)
    for number in range(40):
        back.append(f"line {number}\n".encode())
    assert back.read(0, 1000)[1].startswith(b"line ")
    back = Scrollback(20)
    back.append("é".encode() * 30 + b"x")
    assert back.read(0, 1000)[1].decode().strip("é") == "x"


def test_an_offset_in_the_future_gets_nothing() -> None:
    back = Scrollback(100)
    back.append(b"abc")
    assert back.read(50, 10) == (3, b"")
