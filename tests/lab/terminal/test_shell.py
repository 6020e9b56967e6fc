"""One terminal between its shell and its windows: what is kept, who is waited for, what goes through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from dashboard.core.terminal.limits import PIECE_BYTES, SCROLLBACK_BYTES, WINDOW_BYTES, Piece, Place
from dashboard.lab.terminal.shell import Terminal
from tests.polling import eventually, others_run
from tests.screens import READY, READY_THEN_SLEEP, local_shell

PLACE = Place("participant", "session", "session-1")


class Desk:
    """A terminal with a shell of this machine, and what it has told."""

    def __init__(self) -> None:
        self.shown = b""
        self.overs = 0
        self.terminal = Terminal(PLACE, self._printed, self._over)

    def _printed(self, data: bytes) -> None:
        self.shown += data

    def _over(self) -> None:
        self.overs += 1

    async def begin(self) -> None:
        self.terminal.begin(await asyncio.to_thread(local_shell))

    async def read(self, tab: str, until: str, offset: int = 0, run: str = "") -> tuple[str, int]:
        """What a window gets until it shows this; and up to where."""
        text, run = b"", run or self.terminal.run
        async with asyncio.timeout(10):
            while until.encode() not in text:
                piece = await self.terminal.read_from(tab, run, offset, self.terminal.change, 5.0)
                assert piece.offset == offset
                assert len(piece.data) <= PIECE_BYTES
                text, offset = text + piece.data, offset + len(piece.data)
        return text.decode(), offset


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    made = Desk()
    await made.begin()
    yield made
    await made.terminal.finish("the test is over")


async def test_windows_share_a_shell_and_each_goes_on_where_it_stopped(desk: Desk) -> None:
    terminal = desk.terminal
    terminal.add("a", 100, 30, "launch")
    await terminal.write(b"echo one-$((1+1))\r")
    text, offset = await desk.read("a", "one-2\r\n")
    terminal.add("b", 80, 40, "launch")
    assert terminal.size == (80, 30)
    await terminal.write(b"stty size; echo two-$((1+1))\r")
    later, _ = await desk.read("a", "two-2\r\n", offset)
    assert "30 80" in later, "the shell knows what both can show"
    everything, _ = await desk.read("b", "two-2\r\n")
    assert everything == text + later
    terminal.drop("b", 5.0)
    assert terminal.size == (100, 30)
    assert terminal.seen_at == 5.0
    assert desk.shown.decode() == everything or desk.shown.decode().startswith(everything)


async def test_who_asks_waits_for_what_is_new(desk: Desk) -> None:
    terminal = desk.terminal
    terminal.add("a", 80, 24, "")
    _, offset = await desk.read("a", "$ ")
    known = terminal.change
    empty = await terminal.read_from("a", terminal.run, offset, known, 0.0)
    assert (empty.data, empty.offset, empty.change) == (b"", offset, known)
    asking = asyncio.ensure_future(terminal.read_from("a", terminal.run, offset, known, 5.0))
    await terminal.write(b"x")
    assert (await asking).data == b"x"
    asking = asyncio.ensure_future(terminal.read_from("a", terminal.run, offset + 1, known, 5.0))
    terminal.add("b", 60, 20, "")
    piece: Piece = await asking
    assert (piece.data, piece.cols, piece.rows, piece.change > known) == (b"", 60, 20, True)


async def test_nothing_is_read_from_a_shell_while_no_window_keeps_up(desk: Desk) -> None:
    terminal = desk.terminal
    terminal.add("a", 80, 24, "")
    _, offset = await desk.read("a", "$ ")
    await terminal.write(b"yes netmodes\r")
    await eventually(lambda: terminal.back.end - offset > WINDOW_BYTES)
    seen = terminal.back.end
    for _ in range(20):
        await others_run()
    assert terminal.back.end == seen, "the program waits"
    await terminal.read_from("a", terminal.run, seen - 10, terminal.change, 0.0)
    await eventually(lambda: terminal.back.end > seen)
    # A window that was left behind is told where it goes on.
    terminal.drop("a", 1.0)
    await eventually(lambda: terminal.back.start > 0, 20)
    late = await terminal.read_from("b", terminal.run, 0, terminal.change, 0.0)
    assert late.offset == terminal.back.start
    assert late.data.startswith(b"netmodes\r\n")
    assert terminal.back.end - terminal.back.start <= SCROLLBACK_BYTES * 5 // 4
    terminal.interrupt()


async def test_what_is_typed_waits_until_the_shell_takes_it_and_ctrl_c_does_not(desk: Desk) -> None:
    terminal = desk.terminal
    terminal.add("a", 80, 24, "")
    await terminal.write(f"{READY_THEN_SLEEP}\r".encode())
    await desk.read("a", READY)
    typing = asyncio.ensure_future(terminal.write(b"echo pasted\r" * 3000))
    await asyncio.wait([typing], timeout=0.2)
    assert not typing.done(), "nobody reads it"
    typing.cancel()
    await asyncio.gather(typing, return_exceptions=True)
    terminal.interrupt()
    await eventually(lambda: b"$ " in desk.shown[-4000:] and b"^C" in desk.shown)


async def test_a_shell_that_ends_says_how_and_another_begins_anew(desk: Desk) -> None:
    terminal = desk.terminal
    terminal.add("a", 80, 24, "")
    first, known = terminal.run, terminal.change
    await terminal.write(b"exit 3\r")
    await eventually(lambda: desk.overs == 1)
    await terminal.finish()
    assert terminal.ended == "It has ended with status 3."
    piece = await terminal.read_from("a", first, terminal.back.end, known, 5.0)
    assert (piece.ended, piece.again) == (terminal.ended, True)
    await terminal.write(b"into nothing\r")
    terminal.interrupt()
    await desk.begin()
    piece = await terminal.read_from("a", first, 0, piece.change, 5.0)
    assert piece.run != first
    assert (piece.offset, piece.ended) == (0, "")


async def test_an_end_releases_who_types(desk: Desk) -> None:
    terminal = desk.terminal
    await terminal.write(b"sleep 1005\r")
    await eventually(lambda: b"sleep 1005" in desk.shown)
    typing = asyncio.ensure_future(terminal.write(b"x\r" * 20_000))
    await asyncio.wait([typing], timeout=0.2)
    await terminal.finish("Its participant was taken away.", again=False)
    async with asyncio.timeout(5):
        await typing
    assert (terminal.ended, terminal.again, terminal.shell) == ("Its participant was taken away.", False, None)
