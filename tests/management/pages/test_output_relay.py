"""The lines of the web process on root's terminal."""

from __future__ import annotations

import os

from dashboard.management.pages import output_relay
from dashboard.management.pages.output_relay import OutputRelay
from tests.support.polling import eventually


async def test_lines_are_printed_as_they_come_without_control_characters() -> None:
    printed: list[str] = []
    relay = OutputRelay(printed.append)
    os.write(relay.writing, b"before the loop\n")
    relay.start()
    relay.start()
    os.write(relay.writing, b"\x1b[2J\x1b]0;title\x07\r\tescapes\n\xff\xc3\xa9\n incomp")
    await eventually(lambda: len(printed) == 3)
    assert printed[0] == "web: before the loop"
    assert printed[1].startswith("web: �[2J�]0;title��")
    assert printed[1].endswith(" escapes")
    assert printed[2] == "web: �é"
    os.write(relay.writing, b"lete")
    relay.close_writing()
    relay.stop()
    relay.close()
    assert printed[3:] == ["web:  incomplete"]


async def test_a_line_without_an_end_is_printed_in_pieces_and_output_without_an_end_leaves_the_lab_time() -> None:
    printed: list[str] = []
    relay = OutputRelay(printed.append)
    os.set_blocking(relay.writing, False)
    while True:
        try:
            os.write(relay.writing, b"x" * 4096)
        except BlockingIOError:
            break
    relay.flush()
    relay.close_writing()
    relay.close()
    assert "".join(line.removeprefix("web: ") for line in printed) == "x" * output_relay.PIPE_BYTES
    assert max(map(len, printed)) <= output_relay.MAX_LINE_BYTES + output_relay.CHUNK_BYTES + len(output_relay.PREFIX)


async def test_a_closed_terminal_does_not_end_the_relay() -> None:
    def say(_text: str) -> None:
        raise BrokenPipeError

    relay = OutputRelay(say)
    os.write(relay.writing, b"a line\n")
    relay.close_writing()
    relay.flush()
    relay.close()
