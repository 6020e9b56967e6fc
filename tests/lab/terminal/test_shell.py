"""One terminal: windows, scrollback, flow control, input, and the end of its shell."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from dashboard.core.terminal.limits import CHUNK_BYTES, SCROLLBACK_BYTES, WINDOW_BYTES, OutputChunk, TerminalOwner
from dashboard.lab.terminal.shell import Terminal
from tests.support.polling import eventually, others_run
from tests.support.screens import READY, READY_THEN_SLEEP, local_shell

OWNER = TerminalOwner("participant", "session", "session-1")


class TerminalHarness:
    """A terminal with a shell on this machine, and its output."""

    def __init__(self) -> None:
        self.shown = b""
        self.exits = 0
        self.terminal = Terminal(OWNER, self._on_output, self._on_exit)

    def _on_output(self, data: bytes) -> None:
        self.shown += data

    def _on_exit(self) -> None:
        self.exits += 1

    async def begin(self) -> None:
        self.terminal.begin(await asyncio.to_thread(local_shell))

    async def read(self, window: str, until: str, offset: int = 0, run: str = "") -> tuple[str, int]:
        """Reads as a window until the output contains this text. Returns the output and the offset of its end."""
        text, run = b"", run or self.terminal.run
        async with asyncio.timeout(20):
            while until.encode() not in text:
                chunk = await self.terminal.read_from(window, run, offset, self.terminal.change, 5.0)
                assert chunk.offset == offset
                assert len(chunk.data) <= CHUNK_BYTES
                text, offset = text + chunk.data, offset + len(chunk.data)
        return text.decode(), offset


@pytest.fixture
async def harness() -> AsyncIterator[TerminalHarness]:
    made = TerminalHarness()
    await made.begin()
    yield made
    await made.terminal.finish("the test is over")


async def test_windows_share_a_shell_and_continue_where_they_stopped(harness: TerminalHarness) -> None:
    terminal = harness.terminal
    terminal.open_window("a", 100, 30, "launch")
    await terminal.write(b"echo one-$((1+1))\r")
    text, offset = await harness.read("a", "one-2\r\n")
    terminal.open_window("b", 80, 40, "launch")
    assert terminal.size == (80, 30)
    await terminal.write(b"stty size; echo two-$((1+1))\r")
    later, _ = await harness.read("a", "two-2\r\n", offset)
    assert "30 80" in later, "the shell knows what both can show"
    everything, _ = await harness.read("b", "two-2\r\n")
    assert everything == text + later
    terminal.close_window("b", 5.0)
    assert terminal.size == (100, 30)
    assert terminal.seen_at == 5.0
    assert harness.shown.decode() == everything or harness.shown.decode().startswith(everything)


async def test_a_read_waits_for_new_output_or_a_change(harness: TerminalHarness) -> None:
    terminal = harness.terminal
    terminal.open_window("a", 80, 24, "")
    _, offset = await harness.read("a", "$ ")
    known = terminal.change
    empty = await terminal.read_from("a", terminal.run, offset, known, 0.0)
    assert (empty.data, empty.offset, empty.change) == (b"", offset, known)
    asking = asyncio.ensure_future(terminal.read_from("a", terminal.run, offset, known, 5.0))
    await terminal.write(b"x")
    assert (await asking).data == b"x"
    asking = asyncio.ensure_future(terminal.read_from("a", terminal.run, offset + 1, known, 5.0))
    terminal.open_window("b", 60, 20, "")
    chunk: OutputChunk = await asking
    assert (chunk.data, chunk.cols, chunk.rows, chunk.change > known) == (b"", 60, 20, True)


async def test_a_shell_is_not_read_while_no_window_keeps_up(harness: TerminalHarness) -> None:
    terminal = harness.terminal
    terminal.open_window("a", 80, 24, "")
    _, offset = await harness.read("a", "$ ")
    await terminal.write(b"yes netmodes\r")
    await eventually(lambda: terminal.scrollback.end - offset > WINDOW_BYTES)
    seen = terminal.scrollback.end
    for _ in range(20):
        await others_run()
    assert terminal.scrollback.end == seen, "the program blocks"
    await terminal.read_from("a", terminal.run, seen - 10, terminal.change, 0.0)
    await eventually(lambda: terminal.scrollback.end > seen)
    # The other window receives where the terminal continues.
    terminal.close_window("a", 1.0)
    await eventually(lambda: terminal.scrollback.start > 0, 20)
    late = await terminal.read_from("b", terminal.run, 0, terminal.change, 0.0)
    assert late.offset == terminal.scrollback.start
    assert late.data.startswith(b"netmodes\r\n")
    assert terminal.scrollback.end - terminal.scrollback.start <= SCROLLBACK_BYTES * 5 // 4
    terminal.interrupt()


async def test_input_waits_for_the_shell_but_ctrl_c_does_not(harness: TerminalHarness) -> None:
    terminal = harness.terminal
    terminal.open_window("a", 80, 24, "")
    await terminal.write(f"{READY_THEN_SLEEP}\r".encode())
    await harness.read("a", READY)
    typing = asyncio.ensure_future(terminal.write(b"echo pasted\r" * 3000))
    await asyncio.wait([typing], timeout=0.2)
    assert not typing.done(), "nobody reads it"
    typing.cancel()
    await asyncio.gather(typing, return_exceptions=True)
    terminal.interrupt()
    await eventually(lambda: b"$ " in harness.shown[-4000:] and b"^C" in harness.shown)


async def test_the_exit_is_described_and_a_new_shell_starts(harness: TerminalHarness) -> None:
    terminal = harness.terminal
    terminal.open_window("a", 80, 24, "")
    first, known = terminal.run, terminal.change
    await terminal.write(b"exit 3\r")
    await eventually(lambda: harness.exits == 1)
    await terminal.finish()
    assert terminal.ended == "The shell has ended with status 3."
    chunk = await terminal.read_from("a", first, terminal.scrollback.end, known, 5.0)
    assert (chunk.ended, chunk.again) == (terminal.ended, True)
    await terminal.write(b"into nothing\r")
    terminal.interrupt()
    await harness.begin()
    chunk = await terminal.read_from("a", first, 0, chunk.change, 5.0)
    assert chunk.run != first
    assert (chunk.offset, chunk.ended) == (0, "")


async def test_input_that_waits_ends_with_the_shell(harness: TerminalHarness) -> None:
    terminal = harness.terminal
    await terminal.write(b"sleep 1005\r")
    await eventually(lambda: b"sleep 1005" in harness.shown)
    typing = asyncio.ensure_future(terminal.write(b"x\r" * 20_000))
    await asyncio.wait([typing], timeout=0.2)
    await terminal.finish("Its participant was removed.", can_restart=False)
    async with asyncio.timeout(20):
        await typing
    assert (terminal.ended, terminal.can_restart, terminal.shell) == ("Its participant was removed.", False, None)
